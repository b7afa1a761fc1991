# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Positions of the joints."""

import numpy as np

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.safety.limits import SafetyLimits
from instructvla_ros.safety.motion import FREE, Bound, Motion, PathLimit

# Part of the room that is planned with; the rest covers rounding, so that the check of the result does not bite first.
_PLANNED = 0.999


def joint_ranges(limits: SafetyLimits, chain: KinematicChain) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest positions with the margin taken off, both ``(n,)`` [rad or m]."""
    lower = np.array([limits.joints[name].lower for name in chain.joint_names]) + limits.joint_margin
    upper = np.array([limits.joints[name].upper for name in chain.joint_names]) - limits.joint_margin
    return lower, upper


class JointPositionLimit(PathLimit):
    """No joint moves so fast that it could not come to rest within its range; leaving an end is always allowed.

    The share of the speed is that of :meth:`Motion.stoppable_shares` for the joint with the least room. A joint at the
    end of its range is taken out of the motion, so that the others may go on without it.
    """

    name = "joint_position"

    def __init__(self, limits: SafetyLimits, chain: KinematicChain, period: float) -> None:
        self._names = chain.joint_names
        self._units = ["rad" if turns else "m" for turns in chain.revolute]
        self._lower, self._upper = joint_ranges(limits, chain)

    def bound(self, motion: Motion) -> Bound:
        """Scales the whole motion until all joints can stop in time."""
        shares = self._shares(motion)
        worst = int(np.argmin(shares))
        if shares[worst] >= 1.0:
            return FREE
        end = self._upper[worst] if motion.rates[worst] > 0.0 else self._lower[worst]
        # Asked is where the joint would come to rest from full speed.
        stop = 0.5 * motion.rates[worst] * (motion.arm.period + motion.braking_time)
        return Bound(
            float(shares[worst]),
            self._names[worst],
            float(motion.arm.positions[worst] + stop),
            float(end),
            self._units[worst],
        )

    def clip(self, motion: Motion) -> Motion | None:
        """Rests the joint with the least room."""
        return motion.without(int(np.argmin(self._shares(motion))))

    def _shares(self, motion: Motion) -> np.ndarray:
        sign = np.where(motion.rates < 0.0, -1.0, 1.0)
        end = np.where(motion.rates < 0.0, self._lower, self._upper)
        rooms = _PLANNED * np.maximum(sign * (end - motion.arm.positions), 0.0)
        return motion.stoppable_shares(sign * motion.arm.velocities, sign * motion.rates, rooms)
