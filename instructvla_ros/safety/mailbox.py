# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What comes between two steps of the filter, left there by other threads."""

from __future__ import annotations

import math
import threading
from concurrent.futures import Future
from dataclasses import dataclass

from instructvla_ros.robot.action_chunk import ActionChunk
from instructvla_ros.robot.joint_state import JointState
from instructvla_ros.safety.report import Intervention

CAPACITY = 10  # chunks, and refusals, that are kept for one step


@dataclass(frozen=True)
class Mail:
    """The content of the mailbox at one step.

    Attributes:
        joint_state: the newest one ever; None before the first.
        chunks: those since the last step, in the order of their coming.
        refused: what was refused before it came as far as the filter.
        emergency: whether the emergency stop is pressed.
        stop: whether a stop was asked for since the last step, by a press shorter than a step too.
        reset: to be answered with the reason of a refusal, empty if the reset is granted; None where nobody asked.
    """

    joint_state: JointState | None
    chunks: tuple[ActionChunk, ...]
    refused: tuple[Intervention, ...]
    emergency: bool
    stop: bool
    reset: Future[str] | None


class Mailbox:
    """Takes in from any thread, and gives it all to the step that asks; holds a bounded amount."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._joint_state: JointState | None = None
        self._chunks: list[ActionChunk] = []
        self._refused: list[Intervention] = []
        self._emergency = False
        self._stop = False
        self._reset: Future[str] | None = None

    def put_joint_state(self, joint_state: JointState) -> None:
        """Leaves the newest joint state."""
        with self._lock:
            self._joint_state = joint_state

    def put_chunk(self, chunk: ActionChunk) -> None:
        """Leaves a chunk; where there are too many for one step the oldest is dropped, and that is reported."""
        with self._lock:
            flood = len(self._chunks) >= CAPACITY
            self._chunks = [*self._chunks[-CAPACITY + 1 :], chunk]
        if flood:
            self.refuse("chunk_flood", "action_chunk", f"over {CAPACITY} chunks in one step: the oldest is dropped")

    def refuse(self, limit: str, subject: str, message: str) -> None:
        """Reports an input that does not get as far as the filter."""
        refusal = Intervention(limit, subject, math.nan, math.nan, "", message)
        with self._lock:
            self._refused = [*self._refused[-CAPACITY + 1 :], refusal]

    def set_emergency(self, pressed: bool) -> None:
        """The emergency stop was pressed or released."""
        with self._lock:
            self._emergency = pressed
            self._stop |= pressed

    def stop(self) -> None:
        """Asks for a stop."""
        with self._lock:
            self._stop = True

    def reset(self) -> Future[str]:
        """Asks for a reset; the answer is why it is refused, empty if it is granted."""
        outcome: Future[str] = Future()
        with self._lock:
            self._reset = outcome
        return outcome

    def take(self, keep_stop: bool = False) -> Mail:
        """Empties the mailbox, for a step.

        Args:
            keep_stop: leave a stop that was asked for to the next step, because this one has no arm to stop yet.
        """
        with self._lock:
            mail = Mail(
                self._joint_state, tuple(self._chunks), tuple(self._refused), self._emergency, self._stop, self._reset
            )
            self._chunks, self._refused, self._reset = [], [], None
            self._stop = self._stop and keep_stop
        return mail
