# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Joint setpoints for drivers that take one at a time: positions, or velocities that keep to the planned positions."""

from collections import deque

import numpy as np

from instructvla_ros.robot.joint_state import JointState, JointStateError
from instructvla_ros.robot.trajectory import JointTrajectory

# Rate at which velocities close in on the planned positions [1/s]: slow beside a servo, quick beside the drift of a
# driver that executes each velocity a little too long or too short.
_CORRECTION_RATE = 2.0
# Largest share of a joint's highest speed that the correction may take.
_CORRECTION_SHARE = 0.05
_MEMORY = 1.0  # [s]; joint states older than this correct nothing


def next_positions(trajectory: JointTrajectory, period: float) -> np.ndarray:
    """Positions ``(n,)`` [rad or m] that the joints should have when the next setpoint comes.

    Args:
        trajectory: from now.
        period: time to the next setpoint [s].
    """
    return trajectory.sample(period)[0]


class VelocitySetpoints:
    """Velocities that bring the joints along a trajectory, one setpoint after the other.

    Each is the mean velocity until the next one, so that a driver that keeps it for that long is where the trajectory
    is. What the joints were off the trajectory when they were measured is made up for slowly. A trajectory at rest
    gives exact zeros at once, whatever is measured: at rest nothing creeps.

    Args:
        speeds: ``(n,)`` highest speeds [rad/s or m/s]; setpoints never exceed them.
        period: time between setpoints [s].
    """

    def __init__(self, speeds: np.ndarray, period: float) -> None:
        self._speeds = np.asarray(speeds, dtype=np.float64)
        self._period = period
        self._planned: deque[tuple[float, np.ndarray]] = deque()

    def next(self, trajectory: JointTrajectory, now: float, measured: JointState | None) -> np.ndarray:
        """Velocities ``(n,)`` [rad/s or m/s] from now to the next setpoint.

        Args:
            trajectory: from now.
            now: time on a monotonic clock [s], that of the joint state's stamp.
            measured: the newest joint state; None or one that does not fit corrects nothing.
        """
        start = trajectory.sample(0.0)[0]
        if self._planned and now < self._planned[-1][0]:
            self._planned.clear()
        self._planned.append((now, start))
        while self._planned[0][0] < now - _MEMORY:
            self._planned.popleft()
        if not trajectory.velocities.any():
            return np.zeros(len(trajectory.joint_names))
        velocities = (trajectory.sample(self._period)[0] - start) / self._period
        velocities += self._correction(trajectory.joint_names, measured)
        return np.clip(velocities, -self._speeds, self._speeds)

    def _correction(self, joint_names: tuple[str, ...], measured: JointState | None) -> np.ndarray:
        none = np.zeros(len(joint_names))
        if measured is None:
            return none
        planned = self._planned_at(measured.stamp)
        if planned is None:
            return none
        try:
            positions, _ = measured.select(joint_names)
        except JointStateError:
            return none
        most = _CORRECTION_SHARE * self._speeds
        return np.clip(_CORRECTION_RATE * (planned - positions), -most, most)

    def _planned_at(self, stamp: float) -> np.ndarray | None:
        """Where the trajectory was at an instant, between the setpoints around it; None beyond what is remembered."""
        after: tuple[float, np.ndarray] | None = None
        for time, positions in reversed(self._planned):
            if time <= stamp:
                if after is None or after[0] == time:
                    return positions
                share = (stamp - time) / (after[0] - time)
                return positions + share * (after[1] - positions)
            after = (time, positions)
        return None
