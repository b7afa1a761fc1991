# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Follows joint trajectories as ros2_control's joint_trajectory_controller does, in time that the caller tells."""

from collections.abc import Sequence

import numpy as np

from instructvla_ros.robot.trajectory import JointTrajectory

# The controller compares with float32's epsilon: rounding on the way through a message is no motion.
_REST = 1e-6  # [rad/s]


class TrajectoryFollower:
    """Where the arm should be at each instant, given the trajectories commanded so far.

    A new trajectory starts when it comes and replaces the old one at once. Up to its first point it runs from where the
    follower is then, with the speed it has then; a first point at time 0 is taken as it is. After its last point it
    holds there. Until the first trajectory comes it holds the initial positions.

    Behaviour: https://control.ros.org/jazzy/doc/ros2_controllers/joint_trajectory_controller/doc/trajectory.html. As
    with that controller's defaults, all joints must be named, in any order, and the last point must be at rest.
    """

    def __init__(self, joint_names: Sequence[str], initial_positions: np.ndarray) -> None:
        """Starts holding.

        Args:
            joint_names: the joints, in the order that :meth:`sample` answers in.
            initial_positions: ``(n,)`` positions to hold until a trajectory comes [rad or m].

        Raises:
            ValueError: the positions are not finite, or not one for each joint.
        """
        positions = np.array(initial_positions, dtype=np.float64)
        if positions.shape != (len(joint_names),) or not np.isfinite(positions).all():
            raise ValueError(f"initial positions of {len(joint_names)} joints must be as many numbers, got {positions}")
        self._joint_names = tuple(joint_names)
        self._trajectory = JointTrajectory(
            self._joint_names, np.zeros(1), positions[None, :], np.zeros((1, len(joint_names)))
        )
        self._start = -np.inf

    @property
    def joint_names(self) -> tuple[str, ...]:
        """The joints, in the order of :meth:`sample`."""
        return self._joint_names

    def command(self, trajectory: JointTrajectory, now: float) -> None:
        """Replaces what is followed. When the trajectory is refused, the old one goes on.

        Args:
            trajectory: its time 0 is now.
            now: the instant [s], on the caller's clock.

        Raises:
            ValueError: unknown, missing or doubled joints, values that are not finite, times that do not rise, or a
                last point in motion; the message names the joint or the point.
        """
        order = self._order_of(trajectory.joint_names)
        times = np.array(trajectory.times, dtype=np.float64)
        positions = np.array(trajectory.positions, dtype=np.float64)
        velocities = np.array(trajectory.velocities, dtype=np.float64)
        self._check_times(times)
        self._check_values("position", positions, len(times), trajectory.joint_names)
        self._check_values("velocity", velocities, len(times), trajectory.joint_names)
        moving = np.flatnonzero(np.abs(velocities[-1]) > _REST)
        if len(moving):
            joint, speed = trajectory.joint_names[moving[0]], velocities[-1, moving[0]]
            raise ValueError(f"the trajectory's last point must be at rest, but {joint} has velocity {speed:g} there")
        positions, velocities = positions[:, order], velocities[:, order]
        if times[0] > 0.0:
            position, velocity = self.sample(now)
            times = np.concatenate([[0.0], times])
            positions = np.vstack([position, positions])
            velocities = np.vstack([velocity, velocities])
        self._trajectory = JointTrajectory(self._joint_names, times, positions, velocities)
        self._start = now

    def sample(self, now: float) -> tuple[np.ndarray, np.ndarray]:
        """Where the arm should be.

        Args:
            now: the instant [s], on the caller's clock.

        Returns:
            ``(n,)`` positions [rad or m] and ``(n,)`` velocities [rad/s or m/s].
        """
        return self._trajectory.sample(now - self._start)

    def _order_of(self, names: Sequence[str]) -> list[int]:
        unknown = [name for name in names if name not in self._joint_names]
        missing = [name for name in self._joint_names if name not in names]
        doubled = sorted({name for name in names if list(names).count(name) > 1})
        for what, which in (("unknown joints", unknown), ("no values for joints", missing), ("doubled", doubled)):
            if which:
                known = ", ".join(self._joint_names)
                raise ValueError(f"the trajectory has {what}: {', '.join(which)}; the arm's joints are {known}")
        return [list(names).index(name) for name in self._joint_names]

    @staticmethod
    def _check_times(times: np.ndarray) -> None:
        if times.ndim != 1 or len(times) == 0:
            raise ValueError(f"a trajectory needs at least one point, got times of shape {times.shape}")
        if not np.isfinite(times).all() or times[0] < 0.0:
            raise ValueError(f"times of a trajectory must be finite and not negative, got {times}")
        late = np.flatnonzero(np.diff(times) <= 0.0)
        if len(late):
            raise ValueError(
                f"times of a trajectory must rise, but point {late[0] + 1} at {times[late[0] + 1]:g} s does not come "
                f"after point {late[0]} at {times[late[0]]:g} s"
            )

    @staticmethod
    def _check_values(what: str, values: np.ndarray, points: int, names: Sequence[str]) -> None:
        if values.shape != (points, len(names)):
            raise ValueError(
                f"each of {points} points needs one {what} for each of {len(names)} joints, got {values.shape}"
            )
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            point, joint = bad[0]
            raise ValueError(f"the trajectory's {what} of {names[joint]} at point {point} is {values[point, joint]}")
