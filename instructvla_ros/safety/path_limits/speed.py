# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Speed of the gripper."""

import numpy as np

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.robot.poses import length
from instructvla_ros.safety.limits import SafetyLimits
from instructvla_ros.safety.motion import FREE, Bound, Motion, PathLimit

# Motions are aimed a little below the limit: the joints keep their velocities for a tick while the Jacobian changes.
AIM = 0.98


class TranslationSpeedLimit(PathLimit):
    """``|linear velocity of the gripper point| <= translation_speed``."""

    name = "translation_speed"

    def __init__(self, limits: SafetyLimits, chain: KinematicChain, period: float) -> None:
        self._highest = AIM * limits.translation_speed

    def bound(self, motion: Motion) -> Bound:
        """Scales the whole motion by allowed over asked."""
        return _speed_bound(motion.twist[:3], motion.tip[:3], self._highest, "m/s")


class RotationSpeedLimit(PathLimit):
    """``|angular velocity of the gripper| <= rotation_speed``."""

    name = "rotation_speed"

    def __init__(self, limits: SafetyLimits, chain: KinematicChain, period: float) -> None:
        self._highest = AIM * limits.rotation_speed

    def bound(self, motion: Motion) -> Bound:
        """Scales the whole motion by allowed over asked."""
        return _speed_bound(motion.twist[3:], motion.tip[3:], self._highest, "rad/s")


def _speed_bound(asked: np.ndarray, made: np.ndarray, highest: float, unit: str) -> Bound:
    # Near singularities and with joints taken out, the motion made is not the one asked for, and may be the faster one.
    speed = max(length(asked), length(made))
    return FREE if speed <= highest else Bound(highest / speed, "", speed, highest, unit)
