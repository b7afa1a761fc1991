# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A long recording comes in parts, each a bag that can be played by itself."""

from pathlib import Path

import pytest

from instructvla_ros.bags.playing import Recording
from instructvla_ros.bags.reading import Bag
from instructvla_ros.bags.splitting import SplitWriter
from instructvla_ros.bags.writing import Quality
from instructvla_ros.timing import NANOSECONDS

START = 1_700_000_000 * NANOSECONDS
STRING = "std_msgs/msg/String"


def record(writer: SplitWriter, count: int, size: int = 10) -> None:
    """Ten messages a second, and a latched one at the beginning."""
    writer.add_topic("/instruction", STRING, Quality(latched=True))
    writer.add_topic("/words", STRING, Quality())
    writer.write("/instruction", START, b"lift")
    for index in range(count):
        writer.write("/words", START + index * NANOSECONDS // 10, bytes([index]) * size)
    writer.close()


def contents(path: Path) -> list[tuple[str, bytes]]:
    with Bag(path) as bag:
        assert not bag.findings
        return [(message.topic, message.data) for message in bag.messages()]


def test_without_limits_it_is_one_bag(tmp_path: Path) -> None:
    record(SplitWriter(tmp_path / "bag"), 30)
    assert [path.name for path in tmp_path.iterdir()] == ["bag"] and len(contents(tmp_path / "bag")) == 31


def test_parts_end_after_their_duration_and_hold_all_and_the_latched_messages_first(tmp_path: Path) -> None:
    writer = SplitWriter(tmp_path / "bag", {"robot": "sim"}, seconds=1.0)
    record(writer, 25)
    parts = sorted(tmp_path.iterdir())
    assert [path.name for path in parts] == ["bag_000", "bag_001", "bag_002"]
    got = [contents(path) for path in parts]
    assert [part[0] for part in got] == [("/instruction", b"lift")] * 3
    assert [data[0] for part in got for topic, data in part if topic == "/words"] == list(range(25))
    assert [len(part) for part in got] == [11, 11, 6] and writer.messages == 28
    with Bag(parts[1]) as bag:
        assert bag.about == {"robot": "sim", "part": "1"}
    assert set(Recording(parts[2]).topics) == {"/instruction", "/words"}


def test_parts_end_after_their_size(tmp_path: Path) -> None:
    record(SplitWriter(tmp_path / "bag", megabytes=0.01), 25, size=1000)
    parts = sorted(tmp_path.iterdir())
    assert len(parts) == 3
    for path in parts:
        assert sum(len(data) for _, data in contents(path)) <= 10_000


def test_what_is_learnt_later_is_said_in_later_parts_too(tmp_path: Path) -> None:
    writer = SplitWriter(tmp_path / "bag", seconds=1.0)
    writer.describe({"checkpoint": "models/tabletop"})
    record(writer, 15)
    with Bag(tmp_path / "bag_001") as bag:
        assert bag.about == {"checkpoint": "models/tabletop", "part": "1"}


def test_where_the_next_part_cannot_be_opened_no_message_is_counted_twice(tmp_path: Path) -> None:
    (tmp_path / "long_001").mkdir()  # in the way
    writer = SplitWriter(tmp_path / "long", megabytes=50e-6)
    with pytest.raises(OSError, match="long_001"):
        record(writer, 20)
    assert writer.messages == len(contents(tmp_path / "long_000")) > 0
