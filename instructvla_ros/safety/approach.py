# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How fast the arm may approach the bounds of where it may be, and how it goes on along them."""

import numpy as np

from instructvla_ros.robot.poses import length
from instructvla_ros.safety.joint_bounds import JointBounds
from instructvla_ros.safety.motion import FREE, ArmNow, Bound, Motion
from instructvla_ros.safety.rooms import RoomSet

try:
    from daqp import solve
except ImportError as error:
    raise ImportError("the safety filter needs daqp, which is not installed: pip install daqp") from error

# Share of the accelerations that approaching is planned with: the rest is for the lag of a jerk-limited motion behind
# what is planned, so that the check of the result seldom bites.
_PLANNED = 0.6
# Part of the standoff that is planned with, so that going along a bound does not stick to it.
_SLACK = 0.25
# Slower than this, in rooms a second, nothing approaches.
_APPROACHING = 1e-9
# While something leads the arm outward at a bound, it draws back to the standoff at this rate [1/s], at most so fast.
_DRAWING_RATE = 5.0
_DRAWING_BACK = 0.005  # [m/s or rad/s]
# Below this share of the asked speed slowing down is as good as freezing: a direction may be taken out instead.
FREEZING = 0.1
# Keeps the least squares solvable where the arm has more joints than it needs, or is singular.
_REGULAR = 1e-5
_UNBOUNDED = 1e30
# How much a metre counts against a radian where the joints cannot make all of a twist: the gripper rather turns too
# little than goes astray.
_WEIGHTS = np.array([10.0, 10.0, 10.0, 1.0, 1.0, 1.0])


class Approach:
    """Slows a motion by the rooms it shrinks; where that would freeze the arm, it takes out what leads outward.

    At share ``s`` of a motion a tick covers ``period * (v + s u) / 2`` of a room, with ``v`` the present speed of
    approach and ``u`` the asked one, and the braking after it ``s u (s T + R) / 2``, with ``T`` the time to brake from
    full speed and ``R`` the time to build the braking up. The largest ``s`` for which both fit in the room left solves
    a quadratic equation. In a slow band, what is left of the room also bounds the speed of approach in proportion.

    Args:
        rooms: all rooms.
        bounds: of the joints.
        ramp: longest time that a joint takes to build its acceleration up [s].
        gripper_accelerations: highest translation [m/s^2] and rotation [rad/s^2].
    """

    def __init__(
        self, rooms: RoomSet, bounds: JointBounds, ramp: float, gripper_accelerations: tuple[float, float]
    ) -> None:
        self._rooms = rooms
        self._bounds = bounds
        self._ramp = ramp
        self._gripper_accelerations = gripper_accelerations
        self._banded = np.flatnonzero(rooms.slow > 0.0)
        self._rates = rooms.fastest[self._banded] / rooms.slow[self._banded]
        self._unslacked = (1.0 - _SLACK) * rooms.standoffs

    def shares(self, motion: Motion) -> np.ndarray:
        """Share of the motion that every room allows, ``(m,)`` from 0 to 1; 1 where it is not approached."""
        arm = motion.arm
        asked = arm.shrinking @ motion.rates  # (m,)
        now = arm.shrinking @ arm.velocities
        usable = np.maximum(arm.rooms - self._unslacked, 0.0)
        braking_time = max(
            float(np.max(np.abs(motion.rates) / self._bounds.accelerations)),
            length(motion.tip[:3]) / self._gripper_accelerations[0],
            length(motion.tip[3:]) / self._gripper_accelerations[1],
        ) / _PLANNED
        towards = np.maximum(asked, _APPROACHING)
        left = np.maximum(usable - 0.5 * arm.period * np.maximum(now, 0.0), 0.0)
        linear = 0.5 * (arm.period + 2.0 * self._ramp) * towards
        quadratic = 0.5 * braking_time * towards
        # The stable form of the root: the textbook one divides by a braking time that may be nearly zero.
        shares = np.minimum(2.0 * left / (linear + np.sqrt(linear * linear + 4.0 * quadratic * left)), 1.0)
        banded = self._banded
        shares[banded] = np.minimum(shares[banded], usable[banded] * self._rates / towards[banded])
        shares[asked <= _APPROACHING] = 1.0
        return shares

    def bound(self, motion: Motion, shares: np.ndarray) -> Bound:
        """What the strictest room says, from :meth:`shares`."""
        worst = int(np.argmin(shares))
        share = float(shares[worst])
        if share >= 1.0:
            return FREE
        asked = float(motion.arm.shrinking[worst] @ motion.rates)
        limit, subject, unit = self._rooms.about(worst)
        return Bound(limit, share, subject, asked, share * asked, f"{unit}/s" if unit else "1/s")

    def along(self, motion: Motion, shares: np.ndarray) -> Motion | None:
        """The motion that comes closest to the same twist without leading outward where that is not allowed.

        Rooms that would freeze the motion are approached no faster than they allow, and so are those of which hardly
        anything is left; joint speeds stay in force. A quadratic program: least squares of the twist under these
        bounds.

        Args:
            motion: what is asked.
            shares: ``(m,)`` of :meth:`shares`.

        Returns:
            the motion, None where there is none.
        """
        arm = motion.arm
        asked = arm.shrinking @ motion.rates
        freezing = shares < FREEZING
        inside = arm.rooms - self._rooms.standoffs
        drawing = np.maximum(np.minimum(_DRAWING_RATE * inside, 0.0), -_DRAWING_BACK)
        allowed = np.where(freezing, np.where(inside < 0.0, drawing, shares * asked), _UNBOUNDED)
        # Rooms that the new motion could shrink instead, where there is little left of them.
        near = ~freezing & (arm.rooms < 4.0 * self._rooms.standoffs)
        allowed = np.where(near, np.maximum(_DRAWING_RATE * inside, 0.0), allowed)
        rows = np.flatnonzero(freezing | near)
        rates = self._closest(arm, motion.twist, rows, allowed[rows])
        if rates is None:  # drawing back from several bounds at once may not be possible
            rates = self._closest(arm, motion.twist, rows, np.maximum(allowed[rows], 0.0))
        return None if rates is None else Motion.of(arm, motion.twist, rates)

    def _closest(self, arm: ArmNow, twist: np.ndarray, rows: np.ndarray, allowed: np.ndarray) -> np.ndarray | None:
        count = len(self._bounds.names)
        jacobian = _WEIGHTS[:, None] * arm.jacobian
        hessian = jacobian.T @ jacobian
        hessian[np.diag_indices(count)] += _REGULAR
        upper = np.concatenate((self._bounds.speeds, allowed))
        lower = np.concatenate((-self._bounds.speeds, np.full(len(rows), -_UNBOUNDED)))
        rates, _, flag, _ = solve(
            hessian, -jacobian.T @ (_WEIGHTS * twist), np.ascontiguousarray(arm.shrinking[rows]), upper, lower,
            np.zeros(len(upper), dtype=np.int32),
        )
        return np.asarray(rates) if flag > 0 else None
