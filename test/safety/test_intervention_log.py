# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every change to a command is counted and told with its duration, in bounded memory; broken promises latch."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.safety.intervention_log import InterventionLog, LimitCount
from instructvla_ros.safety.report import Intervention, Stops
from instructvla_ros.safety.stop_latch import StopLatch

NAN = math.nan


def acted(limit: str = "joints", subject: str = "waist", asked: float = 2.0) -> Intervention:
    return Intervention(limit, subject, asked, 1.0, "rad/s", f"{limit} {subject}")


def test_a_single_intervention_is_told_once_with_no_duration() -> None:
    log = InterventionLog()
    log.add(5.0, [acted()])
    assert log.take() == [acted()]
    assert log.take() == []
    assert log.counts == {"joints": LimitCount(1, 1, 0.0)}


def test_a_limit_that_goes_on_acting_is_told_with_its_duration_and_newest_values() -> None:
    log = InterventionLog()
    for step in range(31):
        log.add(5.0 + 0.01 * step, [acted(asked=float(step))])
    (told,) = log.take()
    assert told.duration == pytest.approx(0.3) and told.asked == 30.0
    assert log.counts["joints"].steps == 31 and log.counts["joints"].times == 1
    assert log.counts["joints"].seconds == pytest.approx(0.3)


def test_a_short_pause_does_not_break_a_streak_and_a_long_one_does() -> None:
    log = InterventionLog(gap=0.1)
    for now in (1.0, 1.09, 1.18):
        log.add(now, [acted()])
    assert log.take()[0].duration == pytest.approx(0.18)
    assert log.acting(1.25) and not log.acting(1.3)
    log.add(1.5, [acted()])
    assert log.take()[0].duration == 0.0
    assert log.counts["joints"].times == 2


def test_subjects_are_told_apart_and_count_for_one_limit() -> None:
    log = InterventionLog()
    log.add(1.0, [acted(subject="waist"), acted(subject="elbow"), acted("workspace", "z")])
    assert {(entry.limit, entry.subject) for entry in log.take()} == {
        ("joints", "waist"), ("joints", "elbow"), ("workspace", "z"),
    }
    assert log.counts["joints"].steps == 1 and log.total == 3


@given(st.lists(st.tuples(st.floats(allow_nan=True), st.text(max_size=3), st.text(max_size=3)), max_size=200))
def test_whatever_comes_the_memory_is_bounded_and_nothing_goes_uncounted(steps: list) -> None:
    log = InterventionLog(capacity=8)
    for now, limit, subject in steps:
        log.add(now, [acted(limit, subject)])
        assert len(log.counts) <= 8 and len(log.acting(now)) <= 8
        assert all(not entry.duration < 0.0 for entry in log.acting(now))
    assert log.total == len(steps)
    assert len(log.take()) <= 8


BROKEN = Intervention("one_master", "/action_chunk", 2.0, 1.0, "", "2 publishers on /action_chunk (/a, /b)")


def test_a_promise_that_others_see_broken_is_a_fault_at_once_and_no_reset_is_granted_while_it_lasts() -> None:
    latch = StopLatch()
    released, entry = latch.update(Stops(broken=BROKEN), "")
    assert latch.latched and latch.is_fault and not released
    assert entry == [BROKEN]
    released, entry = latch.update(Stops(reset=True, broken=BROKEN), "")
    assert not released and latch.latched and "/a, /b" in entry[0].message
    released, entry = latch.update(Stops(), "")
    assert latch.latched and latch.is_fault, "a fault stays when its cause has gone"
    released, entry = latch.update(Stops(reset=True), "")
    assert released and not latch.latched


def test_a_stop_that_is_pressed_does_not_hide_a_broken_promise() -> None:
    latch = StopLatch()
    latch.update(Stops(emergency=True), "")
    assert not latch.is_fault
    latch.update(Stops(emergency=True, broken=BROKEN), "")
    assert latch.is_fault and latch.limit == "one_master"


def test_the_fault_that_came_first_stays_the_reason() -> None:
    latch = StopLatch()
    latch.fault("clock", "", "the clock broke", NAN, NAN, "s")
    latch.update(Stops(broken=BROKEN), "")
    assert latch.limit == "clock"
    released, _ = latch.update(Stops(reset=True, broken=BROKEN), "")
    assert not released
