# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Arm drivers played in simulated time: what their makers' controllers do with commands, and what they refuse.

Behaviour of the trajectory controller: ros2_control's joint_trajectory_controller (control.ros.org, chapters
"Trajectory representation" and "Trajectory replacement"), with ``interpolate_from_desired_state``. Limits of the jump
check: libfranka, include/franka/rate_limiting.h, of the release for each robot.
"""

from dataclasses import dataclass, field

import numpy as np

from instructvla_ros.robot.joint_state import JointState
from instructvla_ros.robot.trajectory import JointTrajectory

_REST = 1e-6  # [rad/s]


class CommandRefused(ValueError):
    """The driver does not take a command."""


class CommandTooLate(CommandRefused):
    """A trajectory is over before it comes, as on a machine that has no time for filter or driver."""


@dataclass(frozen=True)
class Jumps:
    """What a robot rejects: limits on the finite differences of the setpoints that it is sent.

    Attributes:
        velocity: ``(n,)`` [rad/s].
        acceleration: ``(n,)`` [rad/s^2].
        jerk: ``(n,)`` [rad/s^3].
    """

    velocity: np.ndarray
    acceleration: np.ndarray
    jerk: np.ndarray


FRANKA_JUMPS = {
    "fr3": Jumps(np.array([2.62] * 4 + [5.26, 4.18, 5.26]), np.full(7, 10.0), np.full(7, 5000.0)),
    "panda": Jumps(
        np.array([2.175] * 4 + [2.61] * 3),
        np.array([15.0, 7.5, 10.0, 12.5, 15.0, 20.0, 20.0]),
        np.array([7500.0, 3750.0, 5000.0, 6250.0, 7500.0, 10000.0, 10000.0]),
    ),
}


class JumpCheck:
    """Watches setpoints as the robot does, by finite differences at its rate.

    Attributes:
        rejections: what it would have stopped for, the first few.
        worst: largest share of each limit that was used: velocity, acceleration, jerk.
        count: setpoints looked at.
    """

    def __init__(self, limits: Jumps, period: float = 0.001) -> None:
        self._limits = (limits.velocity, limits.acceleration, limits.jerk)
        self._period = period
        self._last: list[np.ndarray] = []
        self.rejections: list[str] = []
        self.worst = [0.0, 0.0, 0.0]
        self.count = 0

    def look(self, positions: np.ndarray, when: float) -> None:
        """Looks at the next setpoint ``(n,)`` [rad]."""
        self.count += 1
        self._last = [*self._last[-3:], positions]
        if len(self._last) < 4:
            return
        rows = np.array(self._last)
        for order, (name, limit) in enumerate(zip(("velocity", "acceleration", "jerk"), self._limits, strict=True)):
            rows = np.diff(rows, axis=0) / self._period
            used = float((np.abs(rows[-1]) / limit).max())
            self.worst[order] = max(self.worst[order], used)
            if used > 1.0 and len(self.rejections) < 20:
                self.rejections.append(f"{name} at {used:.2f} of its limit at {when:.3f} s")


class TrajectoryDriver:
    """A joint_trajectory_controller.

    Args:
        joint_names: the driver's own order.
        positions: ``(n,)`` where it holds, in that order [rad].
    """

    def __init__(self, joint_names: tuple[str, ...], positions: np.ndarray) -> None:
        self.joint_names = joint_names
        still = np.zeros_like(positions)
        self._trajectory = JointTrajectory(joint_names, np.zeros(1), positions[None].copy(), still[None])
        self._start = -np.inf
        self._bridge: tuple[float, np.ndarray, np.ndarray] | None = None

    def command(self, trajectory: JointTrajectory, now: float, stamp: float | None) -> None:
        """A trajectory comes; without a stamp it begins now.

        Raises:
            CommandRefused: other joints, or not at rest at its end.
            CommandTooLate: it is over already.
        """
        if set(trajectory.joint_names) != set(self.joint_names):
            raise CommandRefused(f"joints {trajectory.joint_names}, expected {self.joint_names} in any order")
        if np.abs(trajectory.velocities[-1]).max() > _REST:
            raise CommandRefused("the last point is not at rest")
        start = now if stamp is None else stamp
        if start + trajectory.duration < now:
            raise CommandTooLate(f"the trajectory ended {now - start - trajectory.duration:.3f} s ago")
        order = [trajectory.joint_names.index(name) for name in self.joint_names]
        before = self.setpoint(now)
        self._trajectory = JointTrajectory(
            self.joint_names, trajectory.times, trajectory.positions[:, order], trajectory.velocities[:, order]
        )
        self._start = start
        self._bridge = (now, *before) if start + trajectory.times[0] > now else None

    def setpoint(self, now: float) -> tuple[np.ndarray, np.ndarray]:
        """Positions and velocities ``(n,)`` that it commands to its servos."""
        if self._bridge is not None:
            since, positions, velocities = self._bridge
            first = self._start + self._trajectory.times[0]
            if now < first:
                bridge = JointTrajectory(
                    self.joint_names,
                    np.array([0.0, first - since]),
                    np.array([positions, self._trajectory.positions[0]]),
                    np.array([velocities, self._trajectory.velocities[0]]),
                )
                return bridge.sample(max(now - since, 0.0))
        return self._trajectory.sample(now - self._start)


class VelocityDriver:
    """A forward_command_controller of velocities on a driver that stops by itself without commands.

    Args:
        joint_names: the driver's own order, in which commands come too.
        positions: ``(n,)`` where it stands [rad].
        timeout: after which it stops [s].
    """

    def __init__(self, joint_names: tuple[str, ...], positions: np.ndarray, timeout: float) -> None:
        self.joint_names = joint_names
        self._positions, self._velocities = positions.copy(), np.zeros_like(positions)
        self._timeout = timeout
        self._at, self._told = 0.0, -np.inf

    def command(self, velocities: np.ndarray, now: float) -> None:
        """Velocities ``(n,)`` [rad/s] come."""
        self.setpoint(now)
        self._velocities, self._told = np.array(velocities, dtype=float), now

    def setpoint(self, now: float) -> tuple[np.ndarray, np.ndarray]:
        """Positions and velocities ``(n,)`` at an instant, which may not lie before the last one."""
        moving_until = min(now, self._told + self._timeout)
        if self._at > 0.0 and moving_until > self._at:
            self._positions = self._positions + (moving_until - self._at) * self._velocities
        self._at = now
        still = now > self._told + self._timeout
        return self._positions.copy(), np.zeros_like(self._positions) if still else self._velocities.copy()


@dataclass
class StateBroadcaster:
    """Publishes joint states at a driver's own rate, in its own order, of servos that lag.

    Attributes:
        rate: [Hz].
        joint_names: of the driver.
        order: in which they are published; the gripper's joint is last in the message, or missing.
        gripper_joint: its name; None where the driver tells nothing of it.
        lag: time constant of the servos [s].
        latency: how long a message is under way [s].
    """

    rate: float
    joint_names: tuple[str, ...]
    order: tuple[int, ...]
    gripper_joint: str | None
    lag: float = 0.0
    latency: float = 0.001
    positions: np.ndarray | None = None
    _due: float = -np.inf
    _under_way: list[tuple[float, JointState]] = field(default_factory=list)
    _newest: JointState | None = None

    def follow(self, setpoint: np.ndarray, now: float, elapsed: float) -> None:
        """The servos follow for some time; a message leaves when it is due."""
        if self.positions is None or self.lag == 0.0:
            self.positions = setpoint.copy()
        else:
            self.positions += (1.0 - np.exp(-elapsed / self.lag)) * (setpoint - self.positions)
        if now >= self._due:
            self._due = now + 1.0 / self.rate - 1e-9
            names = [self.joint_names[index] for index in self.order]
            values = [self.positions[index] for index in self.order]
            if self.gripper_joint is not None:
                names, values = [*names, self.gripper_joint], [*values, 0.5]
            self._under_way.append((now + self.latency, JointState(now, tuple(names), np.array(values))))

    def newest(self, now: float) -> JointState | None:
        """The newest joint state that has arrived."""
        while self._under_way and self._under_way[0][0] <= now:
            self._newest = self._under_way.pop(0)[1]
        return self._newest
