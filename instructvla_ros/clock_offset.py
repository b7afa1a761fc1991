# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How far another machine's clock is ahead of ours, from questions and answers. No ROS.

Ages of pictures, joint states and action chunks are differences of stamps; they are only as good as the clocks agree. A
clock that is ahead makes what it stamps look younger than it is, which no age limit can notice.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

_KEPT = 8  # questions that are remembered
_ROUNDING = 1e-6  # [s] of stamps in floating point at today's epoch


@dataclass(frozen=True)
class Offset:
    """How far a clock is ahead.

    Attributes:
        ahead: of ours [s]; negative: behind.
        uncertainty: the truth lies within this of it [s].
    """

    ahead: float
    uncertainty: float

    def surely_beyond(self, bound: float) -> bool:
        """Whether the clocks are more than ``bound`` [s] apart whatever the way of the messages took."""
        return abs(self.ahead) - self.uncertainty > bound

    def agrees_with(self, other: Offset) -> bool:
        """Whether one truth may lie behind both."""
        return abs(self.ahead - other.ahead) <= self.uncertainty + other.uncertainty + _ROUNDING

    def __str__(self) -> str:
        side = "ahead of" if self.ahead > 0.0 else "behind"
        return f"{abs(self.ahead):.3f} s {side} this machine's (within {self.uncertainty:.3f} s)"


class OffsetMeter:
    """Keeps the best of the last few questions: the one that was answered soonest.

    A question sent at ``t0`` and answered by ``t1``, both on our clock, tells ``ahead = told - (t0 + t1) / 2`` within
    ``(t1 - t0) / 2``, for the answer was given somewhere in between: Cristian, "Probabilistic clock synchronization",
    Distributed Computing 3 (1989).
    """

    def __init__(self) -> None:
        self._measured: deque[Offset] = deque(maxlen=_KEPT)

    def add(self, sent: float, told: float, received: float) -> None:
        """A question was answered.

        Args:
            sent: when, on our clock [s].
            told: the other clock's time in the answer [s].
            received: when, on our clock [s]; an answer that came before its question counts for nothing: our clock was
                set meanwhile, and what was known before is forgotten.
        """
        if received < sent:
            self._measured.clear()
            return
        new = Offset(told - 0.5 * (sent + received), 0.5 * (received - sent))
        if any(not new.agrees_with(old) for old in self._measured):
            self._measured.clear()  # one of the clocks was set
        self._measured.append(new)

    @property
    def offset(self) -> Offset | None:
        """What is known best; None before the first answer."""
        return min(self._measured, key=lambda each: each.uncertainty, default=None)


def refusal(offset: Offset | None, bound: float, machine: str) -> str:
    """Why nothing may be acted on; empty where the clocks may be in step.

    Args:
        offset: of the other clock; None where nothing is known.
        bound: how far apart they may be [s].
        machine: whose clock it is, in words.
    """
    if offset is None or not offset.surely_beyond(bound):
        return ""
    return (
        f"the clock of {machine} is {offset}, more than {bound:g} s: ages cannot be trusted. "
        "Synchronise both machines (chrony), see docs/two_machines.md"
    )
