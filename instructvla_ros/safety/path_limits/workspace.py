# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Position of the gripper point."""

import numpy as np

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.safety.limits import SafetyLimits
from instructvla_ros.safety.motion import FREE, Bound, Motion, PathLimit

# Planned distance from the walls [m]: braking is straight in the joints, which is slightly bent in space.
STANDOFF = 0.002
# Part of the standoff that is planned with, so that sliding along a wall does not stick to it [m].
_SLACK = 0.0005
# Below this speed a motion does not lead to the wall [m/s].
_LEADING = 1e-3
# While something leads the arm outward at a wall, it draws back to the standoff at this rate [1/s], at most so fast.
_DRAWING_RATE = 5.0
_DRAWING_BACK = 0.005  # [m/s]


class WorkspaceLimit(PathLimit):
    """The gripper point moves towards a wall only so fast that it comes to rest before it.

    The share of the speed is that of :meth:`Motion.stoppable_shares` for the nearest wall. At the wall, what leads
    outward is taken out of the motion, so that the arm may slide along it; from outside only inward motion is left.
    """

    name = "workspace"

    def __init__(self, limits: SafetyLimits, chain: KinematicChain, period: float) -> None:
        self._lower = limits.workspace.lower + STANDOFF
        self._upper = limits.workspace.upper - STANDOFF

    def bound(self, motion: Motion) -> Bound:
        """Scales the whole motion until the gripper point can stop before each wall."""
        shares, _ = self._shares_and_rooms(motion)
        axis = int(np.argmin(shares))
        if shares[axis] >= 1.0:
            return FREE
        position, speed = float(motion.arm.pose[axis, 3]), float(motion.tip[axis])
        stop = 0.5 * speed * (motion.arm.period + motion.braking_time)
        allowed = self._upper[axis] if speed > 0.0 else self._lower[axis]
        return Bound(float(shares[axis]), "xyz"[axis], position + stop, float(allowed), "m")

    def clip(self, motion: Motion) -> Motion | None:
        """Slows the motion towards the nearest wall alone, down to drawing back gently from beyond the standoff."""
        shares, rooms = self._shares_and_rooms(motion)
        axis = int(np.argmin(shares))
        speed = float(motion.tip[axis])
        towards = min(float(shares[axis]) * abs(speed), _DRAWING_RATE * float(rooms[axis]))
        return motion.with_component(axis, max(towards, -_DRAWING_BACK) * (1.0 if speed > 0.0 else -1.0))

    def _shares_and_rooms(self, motion: Motion) -> tuple[np.ndarray, np.ndarray]:
        """Shares ``(3,)``, and distances ``(3,)`` to the walls that the motion leads to, negative beyond them [m]."""
        speeds = motion.tip[:3]
        now = motion.arm.jacobian[:3] @ motion.arm.velocities
        sign = np.where(speeds < 0.0, -1.0, 1.0)
        wall = np.where(speeds < 0.0, self._lower, self._upper)
        rooms = sign * (wall - motion.arm.pose[:3, 3])
        usable = np.maximum(rooms + _SLACK, 0.0)
        shares = motion.stoppable_shares(sign * now, sign * speeds, usable)
        # At the wall the direction is taken out for good: else slowing and sliding would take turns.
        return np.where((usable < 2.0 * _SLACK) & (sign * speeds > _LEADING), 0.0, shares), rooms
