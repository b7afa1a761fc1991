# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The gripper's opening: within 0 to 1, and no faster than its limit."""

from instructvla_ros.safety.report import Intervention


class GripperRamp:
    """Moves the commanded opening towards the one asked for.

    Args:
        speed: highest change of the opening [1/s].
    """

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._goal: float | None = None
        self._doubtful = False
        self.opening: float | None = None

    def ask(self, opening: float, measured: float | None) -> Intervention | None:
        """Sets the goal.

        Args:
            opening: asked for; finite.
            measured: where the gripper is; None where nobody knows. The first command, and the first after a stop, lies
                between it and the opening asked for, so that the gripper never sets out the other way: a grip is not
                loosened to be closed again, nor a hand-closed gripper opened first.

        Returns:
            an intervention where the opening asked for is outside 0 to 1.
        """
        self._goal = min(max(opening, 0.0), 1.0)
        if measured is not None and (self.opening is None or self._doubtful):
            before = measured if self.opening is None else self.opening
            low, high = sorted((measured, self._goal))
            self.opening = min(max(before, low), high)
        elif self.opening is None:
            self.opening = self._goal
        self._doubtful = False
        if self._goal == opening:
            return None
        return Intervention(
            "gripper_range", "gripper", opening, self._goal, "",
            f"gripper opening asked {opening:.4g}, allowed {self._goal:g}",
        )

    def rest(self) -> None:
        """Stays where it is."""
        self._goal = self.opening

    def doubt(self) -> None:
        """Look at the measured opening again before the next command: somebody may have moved the gripper."""
        self._doubtful = True

    def move(self, elapsed: float) -> Intervention | None:
        """Goes on for some time [s] towards the goal.

        Returns:
            an intervention where the goal is further away than the speed allows.
        """
        if self._goal is None or self.opening is None or self._goal == self.opening:
            return None
        step, allowed = self._goal - self.opening, self._speed * elapsed
        if abs(step) <= allowed:
            self.opening = self._goal
            return None
        self.opening += allowed if step > 0.0 else -allowed
        return Intervention(
            "gripper_speed", "gripper", self._goal, self.opening, "",
            f"gripper opening asked {self._goal:.4g}, moved to {self.opening:.4g} at {self._speed:g} 1/s",
        )
