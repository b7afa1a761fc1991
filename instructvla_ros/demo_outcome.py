# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What came of an instruction, told from the simulator's truth. No ROS."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from instructvla_ros.sim.plain_words import plain_task
from instructvla_ros.sim.scene import TableObject
from instructvla_ros.sim.tasks import TableState, succeeded

MOVED = 0.01  # [m] an object that went less far has not moved
MOVED_ARM = 0.02  # [m] likewise for the way of the gripper: an arm that holds its place trembles
_HALF_OPEN = 0.5


class Outcome:
    """Watches what one instruction brings about.

    Attributes:
        instruction: as it was given.
        task: what it asks for; None where it is not in plain words, so that only a person can judge.

    Args:
        instruction: as it was given.
        things: what lies on the table, by name.
    """

    def __init__(self, instruction: str, things: Mapping[str, TableObject]) -> None:
        self.instruction = instruction
        self.task = plain_task(instruction, things)
        self._things = dict(things)
        self._start: TableState | None = None
        self._now: TableState | None = None
        self._way = 0.0
        self._rested = True
        self._done_after: float | None = None

    @property
    def possible(self) -> bool:
        """Whether the instruction is a plain one about things that are there, so that the arm must move."""
        return self.task is not None and self.task.is_possible(self._things)

    @property
    def done_after(self) -> float | None:
        """How long after the instruction the task was done first [s]; None while it is not, or cannot be judged."""
        return self._done_after

    def see(self, now: TableState) -> bool:
        """Take in the truth.

        Args:
            now: the newest; the first one counts as that of the instruction.

        Returns:
            Whether the task has just been done.
        """
        if self._start is None or self._now is None:
            self._start = self._now = now
            return False
        step = float(np.linalg.norm(now.gripper[:3, 3] - self._now.gripper[:3, 3]))
        if step > 1e-4:  # less is noise, and waits until it adds up
            self._way += step
            self._now = now
        else:
            self._now = TableState(now.time, self._now.gripper, now.opening, now.objects, now.touched)
        if self.task is None:
            return False
        if not self.possible:
            self._rested = self._rested and succeeded(self.task, self._start, now, self._things)
            return False
        if self._done_after is None and succeeded(self.task, self._start, now, self._things):
            self._done_after = now.time - self._start.time
            return True
        return False

    def sentence(self) -> str:
        """What came of it so far."""
        if self._start is None:
            return "nobody told where things are"
        if self._done_after is not None:
            return f"done after {self._done_after:.1f} s"
        if self.task is not None and not self.possible:
            missing = self.task.target if self.task.target not in self._things else self.task.reference
            return f"no {missing} is there: {'the arm rested, as it should' if self._rested else self._motion()}"
        return f"not done: {self._motion()}" if self.task is not None else self._motion()

    def _motion(self) -> str:
        assert self._start is not None and self._now is not None
        parts = []
        if self._way >= MOVED_ARM:
            parts.append(f"the gripper moved {self._way:.2f} m")
        before, after = self._start.opening > _HALF_OPEN, self._now.opening > _HALF_OPEN
        if before != after:
            parts.append(f"{'and' if parts else 'the gripper'} {'opened' if after else 'closed'}")
        arm = " ".join(parts) or "the arm rested"
        moved = []
        for name, place in self._start.objects.items():
            if name not in self._now.objects:
                continue
            way = self._now.objects[name][:3, 3] - place[:3, 3]
            if float(np.linalg.norm(way)) >= MOVED:
                moved.append(f"the {name} went {_direction(way)}")
        return f"{arm}; {', '.join(moved) if moved else 'nothing else moved' if parts else 'nothing moved'}"


def _direction(way: np.ndarray) -> str:
    """Where something went, with left and right as in the front camera's picture, which faces the arm."""
    axis = int(np.argmax(np.abs(way)))
    words = (("away from the arm", "towards the arm"), ("right", "left"), ("up", "down"))[axis]
    return f"{abs(float(way[axis])) * 100:.0f} cm {words[int(way[axis] < 0.0)]}"
