# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Nothing that comes between two steps is lost without a report, and what is kept is bounded."""

import numpy as np

from instructvla_ros.robot.action_chunk import ActionChunk
from instructvla_ros.safety.mailbox import CAPACITY, Mailbox


def chunk(sequence: int) -> ActionChunk:
    return ActionChunk(0.0, "base_link", 0, sequence, 0.1, np.zeros((1, 3)), np.zeros((1, 3)), np.zeros(1))


def test_a_press_shorter_than_a_step_is_a_stop() -> None:
    mailbox = Mailbox()
    mailbox.set_emergency(True)
    mailbox.set_emergency(False)
    mail = mailbox.take()
    assert mail.stop and not mail.emergency
    assert not mailbox.take().stop, "one press is one stop"


def test_the_emergency_stop_stays_pressed_until_it_is_released() -> None:
    mailbox = Mailbox()
    mailbox.set_emergency(True)
    mailbox.take()
    assert mailbox.take().emergency


def test_a_stop_waits_for_a_filter_that_can_take_it() -> None:
    mailbox = Mailbox()
    mailbox.stop()
    assert mailbox.take(keep_stop=True).stop
    assert mailbox.take().stop
    assert not mailbox.take().stop


def test_a_flood_of_chunks_leaves_the_newest_and_is_reported() -> None:
    mailbox = Mailbox()
    for sequence in range(3 * CAPACITY):
        mailbox.put_chunk(chunk(sequence))
    mail = mailbox.take()
    assert [c.sequence for c in mail.chunks] == list(range(2 * CAPACITY, 3 * CAPACITY))
    assert {entry.limit for entry in mail.refused} == {"chunk_flood"} and len(mail.refused) <= CAPACITY
    assert mailbox.take().chunks == ()


def test_a_reset_is_handed_to_one_step_only() -> None:
    mailbox = Mailbox()
    outcome = mailbox.reset()
    mailbox.take().reset.set_result("")
    assert outcome.result(0.0) == ""
    assert mailbox.take().reset is None
