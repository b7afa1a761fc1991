# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Speed of the gripper."""

import numpy as np

from instructvla_ros.robot.poses import length
from instructvla_ros.safety.joint_bounds import JointBounds
from instructvla_ros.safety.limits import SafetyLimits
from instructvla_ros.safety.motion import FREE, Bound, Motion, SpeedLimit

# Motions are aimed a little below the limit: the joints keep their velocities for a tick while the Jacobian changes.
AIM = 0.98


class TranslationSpeedLimit(SpeedLimit):
    """``|linear velocity of the gripper point| <= translation_speed``."""

    name = "translation_speed"

    def __init__(self, limits: SafetyLimits, bounds: JointBounds) -> None:
        self._highest = AIM * limits.translation_speed

    def bound(self, motion: Motion, scale: float) -> Bound:
        """Scales the whole motion by allowed over asked."""
        return _speed_bound(self.name, motion.twist[:3], motion.tip[:3], scale * self._highest, "m/s")


class RotationSpeedLimit(SpeedLimit):
    """``|angular velocity of the gripper| <= rotation_speed``."""

    name = "rotation_speed"

    def __init__(self, limits: SafetyLimits, bounds: JointBounds) -> None:
        self._highest = AIM * limits.rotation_speed

    def bound(self, motion: Motion, scale: float) -> Bound:
        """Scales the whole motion by allowed over asked."""
        return _speed_bound(self.name, motion.twist[3:], motion.tip[3:], scale * self._highest, "rad/s")


def _speed_bound(name: str, asked: np.ndarray, made: np.ndarray, highest: float, unit: str) -> Bound:
    # Near singularities and bounds the motion made is not the one asked for, and may be the faster one.
    speed = max(length(asked), length(made))
    return FREE if speed <= highest else Bound(name, highest / speed, "", speed, highest, unit)
