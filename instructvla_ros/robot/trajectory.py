# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A joint trajectory: the shape of command that arm drivers take."""

from dataclasses import dataclass

import numpy as np

HELD = 0.1
"""How long the end of a trajectory with a stamp is held [s]: it may come so late without being refused as over."""


@dataclass(frozen=True, eq=False)
class JointTrajectory:
    """Joint positions and velocities at a few instants, joined by cubic polynomials.

    Between points it runs as ros2_control's joint_trajectory_controller does when positions and velocities are given:
    the cubic Hermite polynomial that meets both. A point at time 0 makes the driver continue from it rather than from
    the state it measures.

    Attributes:
        joint_names: the joints, in the order of the columns.
        times: ``(P,)`` from the start of the trajectory, 0 or later, rising [s].
        positions: ``(P, n)`` [rad or m].
        velocities: ``(P, n)`` [rad/s or m/s].
    """

    joint_names: tuple[str, ...]
    times: np.ndarray  # (P,)
    positions: np.ndarray  # (P, n)
    velocities: np.ndarray  # (P, n)

    def __post_init__(self) -> None:
        shape = (len(self.times), len(self.joint_names))
        if shape[0] == 0 or self.positions.shape != shape or self.velocities.shape != shape:
            raise ValueError(
                f"a trajectory of {shape[0]} times and {shape[1]} joints has positions {self.positions.shape} and "
                f"velocities {self.velocities.shape}; all must agree and hold at least one point"
            )
        if not (self.times[0] >= 0.0 and (self.times[1:] > self.times[:-1]).all()):
            raise ValueError(f"times of a trajectory must be 0 or later and rise, got {self.times}")

    @property
    def duration(self) -> float:
        """Time of the last point [s]."""
        return float(self.times[-1])

    @property
    def ends_at_rest(self) -> bool:
        """Whether the last point has no velocity."""
        return not self.velocities[-1].any()

    def held(self, time: float = HELD) -> "JointTrajectory":
        """The same, its end held for some more time [s]: a driver refuses a trajectory with a stamp that is over."""
        still = np.zeros((1, len(self.joint_names)))
        return JointTrajectory(
            self.joint_names,
            np.append(self.times, self.times[-1] + time),
            np.concatenate((self.positions, self.positions[-1:])),
            np.concatenate((self.velocities, still)),
        )

    def sample(self, time: float) -> tuple[np.ndarray, np.ndarray]:
        """State at an instant.

        Before the first point that point's position is returned without velocity, after the last one likewise: a
        driver holds there.

        Args:
            time: from the start of the trajectory [s].

        Returns:
            ``(n,)`` positions [rad or m] and ``(n,)`` velocities [rad/s or m/s].
        """
        positions, velocities, _ = self.state(time)
        return positions, velocities

    def state(self, time: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As :meth:`sample`, and the accelerations ``(n,)`` [rad/s^2 or m/s^2]; in a point, those that lead to it."""
        if time > self.times[-1] or time < self.times[0] or len(self.times) == 1:
            still = np.zeros(len(self.joint_names))
            return self.positions[0 if time < self.times[0] else -1].copy(), still, still.copy()
        index = max(int(np.searchsorted(self.times, time, side="left")), 1)
        span = float(self.times[index] - self.times[index - 1])
        u = (time - float(self.times[index - 1])) / span
        start, end = self.positions[index - 1], self.positions[index]
        start_slope, end_slope = self.velocities[index - 1] * span, self.velocities[index] * span
        chord = end - start
        a, b = 3.0 * chord - 2.0 * start_slope - end_slope, start_slope + end_slope - 2.0 * chord
        accelerations = (2.0 * a + 6.0 * u * b) / (span * span)
        for point in (index - 1, index):
            if self.times[point] == time:
                return self.positions[point].copy(), self.velocities[point].copy(), accelerations
        positions = start + u * (start_slope + u * (a + u * b))
        velocities = (start_slope + u * (2.0 * a + 3.0 * u * b)) / span
        return positions, velocities, accelerations
