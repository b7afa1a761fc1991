# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What acting and thinking share: newest inputs, the instruction, what was said about it. Safe for many threads."""

import threading
from dataclasses import dataclass

import numpy as np

from instructvla_ros.policy.inputs import Frame, InputAges, input_ages
from instructvla_ros.robot.joint_state import JointState

COUNTS = ("chunks", "holds", "reasonings", "answers", "failures")


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Everything at one instant.

    Attributes:
        frames: the newest frame of each view; None before the first.
        joint_state: the newest; None before the first.
        instruction: what is to be done; empty for nothing.
        version: grows with every new instruction and restart.
        closed: whether nothing is to be done any more.
    """

    frames: dict[str, Frame | None]
    joint_state: JointState | None
    instruction: str
    version: int
    closed: bool


@dataclass(frozen=True)
class Following:
    """The instruction that acting has taken up.

    Attributes:
        version: of the instruction; 0 before the first.
        epoch: that it runs under.
        instruction: the text.
    """

    version: int = 0
    epoch: int = 0
    instruction: str = ""


@dataclass(frozen=True)
class Spoken:
    """What the model said about an instruction, to be acted upon.

    Attributes:
        version: of the instruction.
        text: the words with special tokens, as ``act`` takes them.
        stamp: of the observation that it speaks of [s].
    """

    version: int
    text: str
    stamp: float


class LoopState:
    """Shared by the thread that acts, the one that thinks and those that feed them.

    Args:
        views: names of the cameras that the model takes.
    """

    def __init__(self, views: tuple[str, ...]) -> None:
        self._lock = threading.Lock()
        self._frames: dict[str, Frame | None] = dict.fromkeys(views)
        self._joint_state: JointState | None = None
        self._instruction = ""
        self._version = 0
        self._closed = False
        self._following = Following()
        self._spoken: Spoken | None = None
        self._counts = dict.fromkeys(COUNTS, 0)
        self.something_to_think = threading.Event()
        """Set when there may be something to think about."""

    def put_image(self, view: str, stamp: float, rgb: np.ndarray) -> None:
        """Replaces a view's newest frame; a view that the model does not take is a ValueError."""
        if view not in self._frames:
            raise ValueError(f"the model takes no view {view!r}; it takes {', '.join(self._frames)}")
        with self._lock:
            self._frames[view] = Frame(stamp, rgb)

    def put_joint_state(self, joint_state: JointState) -> None:
        """Replaces the newest joint state."""
        with self._lock:
            self._joint_state = joint_state

    def set_instruction(self, text: str) -> None:
        """Replaces the instruction; the same again changes nothing."""
        text = text.strip()
        with self._lock:
            if text != self._instruction:
                self._instruction = text
                self._version += 1

    def restart(self) -> None:
        """Makes the present instruction a new one, also after :meth:`close`."""
        with self._lock:
            self._closed = False
            self._version += 1

    def close(self) -> None:
        """Nothing is to be done until :meth:`restart`."""
        with self._lock:
            self._closed = True
        self.something_to_think.set()

    def snapshot(self) -> Snapshot:
        """Everything at this instant."""
        with self._lock:
            return Snapshot(
                dict(self._frames), self._joint_state, self._instruction, self._version, self._closed
            )

    def ages(self, now: float) -> InputAges:
        """Ages of the newest inputs at the time ``now`` [s], on the clock of the stamps."""
        now_there = self.snapshot()
        return input_ages(now, now_there.frames, now_there.joint_state)

    @property
    def closed(self) -> bool:
        """Whether nothing is to be done any more."""
        return self._closed

    def is_outdated(self, version: int) -> bool:
        """Whether what belongs to this version of the instruction has lost its sense."""
        return self._closed or self._version != version

    @property
    def following(self) -> Following:
        """What acting has taken up."""
        with self._lock:
            return self._following

    def follow(self, following: Following) -> None:
        """Acting has taken up an instruction."""
        with self._lock:
            self._following = following
            self._spoken = None
        self.something_to_think.set()

    @property
    def spoken(self) -> Spoken | None:
        """What the model said last about the instruction that is followed; None if nothing yet."""
        with self._lock:
            return self._spoken

    def speak(self, spoken: Spoken) -> bool:
        """The model has spoken; says whether that still counts."""
        with self._lock:
            counts = not self._closed and spoken.version == self._version == self._following.version
            if counts:
                self._spoken = spoken
            return counts

    def count(self, what: str) -> None:
        """One more of ``COUNTS``."""
        with self._lock:
            self._counts[what] += 1

    def counts(self) -> dict[str, int]:
        """All counts."""
        with self._lock:
            return dict(self._counts)
