# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Messages of overlapping parts come in order, and no more parts are in memory than overlap."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.bags.mcap_records import Block, most_at_once
from instructvla_ros.bags.storage import Part, Row, StoredTopic, in_order, quality_of
from instructvla_ros.bags.writing import Quality

TOPIC = StoredTopic("/words", "std_msgs/msg/String", "cdr")
PARTS = st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=8).map(sorted), max_size=10)


@given(PARTS)
def test_all_rows_come_in_order_and_no_more_parts_are_begun_at_once_than_overlap(stamps: list[list[int]]) -> None:
    loaded: list[int] = []
    finished: list[int] = []
    most = 0

    def load(number: int) -> Iterator[Row]:
        nonlocal most
        loaded.append(number)
        most = max(most, len(loaded) - len(finished))
        for index, stamp in enumerate(stamps[number]):
            yield Row(stamp, number * 100 + index, TOPIC, b"")
        finished.append(number)

    parts = [Part(times[0], lambda number=number: load(number)) for number, times in enumerate(stamps)]
    got = [(row.stamp, row.place) for row in in_order(parts)]
    assert got == sorted(got, key=lambda row: row[0])
    assert sorted(got) == sorted(
        (stamp, n * 100 + i) for n, times in enumerate(stamps) for i, stamp in enumerate(times)
    )
    overlapping = max((sum(t[0] <= now <= t[-1] for t in stamps) for times in stamps for now in times), default=0)
    assert most <= overlapping


@given(PARTS)
def test_the_most_at_once_is_what_overlaps_at_some_time_and_nothing_for_one_alone(stamps: list[list[int]]) -> None:
    blocks = [Block(0, 0, times[0], times[-1], 1, None) for times in stamps]
    most = max((sum(b.start <= now <= b.end for b in blocks) for block in blocks for now in (block.start,)), default=0)
    assert most_at_once(blocks) == (most if most > 1 else 0)


def test_a_quality_of_service_is_read_as_old_and_new_releases_write_it_and_a_wrong_one_is_the_usual() -> None:
    time = {"sec": 0, "nsec": 0}
    common = {"deadline": time, "lifespan": time, "liveliness_lease_duration": time, "depth": 1, "history": 1}
    common |= {"liveliness": 1, "avoid_ros_namespace_conventions": False}
    for best_effort, transient in ((2, 1), ("best_effort", "transient_local")):
        told = [{**common, "reliability": best_effort, "durability": transient}]
        assert quality_of(told) == quality_of(str(told)) == Quality(reliable=False, latched=True)
    for wrong in ("", None, "[", "{a: 1}", [{"depth": 1}], 7):
        assert quality_of(wrong) == Quality()
