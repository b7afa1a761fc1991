# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A viewer gets the newest, never a queue; and control goes from one to another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.console.control import GRACE, ControlDesk
from instructvla_ros.console.outbox import (
    FRAME_HEADER,
    FRAMES_UNDER_WAY,
    LONGEST_ANSWERS,
    STATES_UNDER_WAY,
    Frame,
    Outbox,
)

CAMERAS = ("image", "wrist_image")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outbox(clock: Clock) -> Outbox:
    box = Outbox(CAMERAS, clock, clock)
    box.watch(frozenset(CAMERAS))
    return box


def frame(number: int, camera: str = "image") -> Frame:
    return Frame(camera, number, 99.5, b"jpeg %d" % number)


def number_of(piece: object) -> int:
    assert isinstance(piece, bytes)
    return FRAME_HEADER.unpack_from(piece)[1]


def test_a_viewer_that_acknowledges_nothing_is_sent_two_frames_and_then_the_newest(outbox: Outbox) -> None:
    for number in range(1, 101):
        outbox.offer_frame(frame(number))
        if number <= FRAMES_UNDER_WAY:
            assert number_of(outbox.next()) == number
        else:
            assert outbox.next() is None
    outbox.seen_frame("image", 2)
    assert number_of(outbox.next()) == 100
    assert outbox.next() is None
    assert outbox.skipped == 97


def test_states_wait_for_their_acknowledgement_too(outbox: Outbox, clock: Clock) -> None:
    for number in range(1, 50):
        outbox.offer_state(number, f"state {number}")
        outbox.next()
    outbox.seen_state(STATES_UNDER_WAY)
    assert outbox.next() == "state 49"
    assert outbox.silence == 0.0
    clock.now += 2.0
    assert outbox.silence == 2.0
    outbox.seen_state(49)
    assert outbox.silence == 0.0


def test_the_age_that_is_told_is_that_at_sending(outbox: Outbox, clock: Clock) -> None:
    outbox.offer_frame(frame(1))
    clock.now += 0.25
    piece = outbox.next()
    assert isinstance(piece, bytes)
    index, number, age = FRAME_HEADER.unpack_from(piece)
    assert (index, number, round(age, 3)) == (0, 1, 0.75) and piece[FRAME_HEADER.size :] == b"jpeg 1"


def test_answers_come_first_and_are_never_replaced(outbox: Outbox) -> None:
    outbox.offer_frame(frame(1))
    for number in range(5):
        outbox.offer_answer(str(number))
    assert [outbox.next() for _ in range(5)] == ["0", "1", "2", "3", "4"]
    assert not outbox.overflowing
    for number in range(LONGEST_ANSWERS + 1):
        outbox.offer_answer(str(number))
    assert outbox.overflowing


def test_cameras_take_turns_and_only_those_that_are_watched(outbox: Outbox) -> None:
    for number in (1, 2):
        outbox.offer_frame(frame(number))
        outbox.offer_frame(frame(number, "wrist_image"))
        assert {outbox.next()[0], outbox.next()[0]} == {0, 1}  # type: ignore[index]
    outbox.watch(frozenset({"wrist_image", "no camera"}))
    assert outbox.watched == {"wrist_image"}
    outbox.seen_frame("image", 2)
    outbox.offer_frame(frame(3))
    assert outbox.next() is None


@given(st.lists(st.tuples(st.sampled_from(["offer", "send", "ack"]), st.integers(0, 9)), max_size=200))
def test_never_more_under_way_than_allowed_and_never_an_older_frame_after_a_newer(steps: list) -> None:
    clock = Clock()
    box = Outbox(CAMERAS, clock, clock)
    box.watch(frozenset(CAMERAS))
    offered, sent, acknowledged = 0, [], 0
    for step, value in steps:
        if step == "offer":
            offered += 1
            box.offer_frame(frame(offered))
        elif step == "send":
            piece = box.next()
            if piece is not None:
                sent.append(number_of(piece))
                assert sent[-1] == offered, "the newest"
        elif sent:
            acknowledged = max(acknowledged, sent[min(value, len(sent) - 1)])
            box.seen_frame("image", acknowledged)
        assert sum(number > acknowledged for number in sent) <= FRAMES_UNDER_WAY
    assert sent == sorted(set(sent))


def test_one_operates_at_a_time_and_control_goes_on_by_consent_or_by_taking_over(clock: Clock) -> None:
    desk = ControlDesk(clock)
    assert desk.take(1) and desk.take(1)
    assert not desk.take(2) and desk.operator == 1
    desk.hand_over(2)
    assert desk.operator == 1, "only the operator hands over"
    assert desk.take(2, over=True) and desk.operator == 2
    desk.hand_over(2)
    assert desk.operator is None and desk.take(1)


def test_a_page_that_is_loaded_anew_has_control_back_unless_somebody_took_it_or_time_has_passed(clock: Clock) -> None:
    desk = ControlDesk(clock)
    desk.take(1)
    assert desk.leave(1, "mine") and desk.operator is None
    assert not desk.come_back(2, "other") and not desk.come_back(2, "")
    assert desk.come_back(3, "mine") and desk.operator == 3
    desk.leave(3, "mine")
    assert desk.take(4)
    assert not desk.come_back(5, "mine")
    desk.leave(4, "theirs")
    clock.now += GRACE + 0.1
    assert not desk.come_back(6, "theirs") and desk.operator is None
    desk.take(7)
    desk.hand_over(7)
    assert not desk.leave(7, "seven") and not desk.come_back(8, "seven"), "who handed over has nothing to come back to"
