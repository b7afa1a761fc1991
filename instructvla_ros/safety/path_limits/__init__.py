# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The limits on motion. The strictest wins; to add one, write its file and name it here."""

from instructvla_ros.safety.path_limits.joint_position import JointPositionLimit
from instructvla_ros.safety.path_limits.joint_velocity import JointVelocityLimit
from instructvla_ros.safety.path_limits.speed import RotationSpeedLimit, TranslationSpeedLimit
from instructvla_ros.safety.path_limits.workspace import WorkspaceLimit

PATH_LIMITS = (
    TranslationSpeedLimit,
    RotationSpeedLimit,
    JointVelocityLimit,
    JointPositionLimit,
    WorkspaceLimit,
)

__all__ = [
    "PATH_LIMITS",
    "JointPositionLimit",
    "JointVelocityLimit",
    "RotationSpeedLimit",
    "TranslationSpeedLimit",
    "WorkspaceLimit",
]
