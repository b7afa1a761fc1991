# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The limits on speed. The strictest wins; to add one, write its file and name it here."""

from instructvla_ros.safety.speed_limits.gripper_speed import RotationSpeedLimit, TranslationSpeedLimit
from instructvla_ros.safety.speed_limits.joint_velocity import JointVelocityLimit

SPEED_LIMITS = (TranslationSpeedLimit, RotationSpeedLimit, JointVelocityLimit)

__all__ = ["SPEED_LIMITS", "JointVelocityLimit", "RotationSpeedLimit", "TranslationSpeedLimit"]
