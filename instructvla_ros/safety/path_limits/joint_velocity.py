# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Speed of the joints."""

import numpy as np

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.safety.limits import SafetyLimits
from instructvla_ros.safety.motion import FREE, Bound, Motion, PathLimit


def joint_speed_caps(limits: SafetyLimits, chain: KinematicChain, period: float) -> np.ndarray:
    """Highest joint speeds from which an arm still comes to rest within the horizon.

    ``cap = min(velocity, acceleration * (horizon - period))``: a trajectory spends one period in motion and must brake
    in what is left of the horizon.

    Returns:
        ``(n,)`` [rad/s or m/s].
    """
    velocities = np.array([limits.joints[name].velocity for name in chain.joint_names])
    accelerations = np.array([limits.joints[name].acceleration for name in chain.joint_names])
    return np.minimum(velocities, accelerations * (limits.horizon - period))


class JointVelocityLimit(PathLimit):
    """``|joint velocity| <= cap``, see :func:`joint_speed_caps`; the fastest joint slows all."""

    name = "joint_velocity"

    def __init__(self, limits: SafetyLimits, chain: KinematicChain, period: float) -> None:
        self._names = chain.joint_names
        self._units = ["rad/s" if turns else "m/s" for turns in chain.revolute]
        self._caps = joint_speed_caps(limits, chain, period)

    def bound(self, motion: Motion) -> Bound:
        """Scales the whole motion until its fastest joint fits."""
        use = np.abs(motion.rates) / self._caps
        worst = int(np.argmax(use))
        if use[worst] <= 1.0:
            return FREE
        asked, allowed = abs(float(motion.rates[worst])), float(self._caps[worst])
        return Bound(allowed / asked, self._names[worst], asked, allowed, self._units[worst])
