# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The limits on where the arm may be. The strictest wins; to add one, write its file and name it here."""

from instructvla_ros.safety.room_limits.joint_position import JointPositionLimit
from instructvla_ros.safety.room_limits.keep_out import KeepOutLimit
from instructvla_ros.safety.room_limits.self_collision import SelfCollisionLimit
from instructvla_ros.safety.room_limits.singularity import SingularityLimit
from instructvla_ros.safety.room_limits.table import TableLimit
from instructvla_ros.safety.room_limits.workspace import WorkspaceLimit

ROOM_LIMITS = (
    JointPositionLimit,
    WorkspaceLimit,
    TableLimit,
    KeepOutLimit,
    SelfCollisionLimit,
    SingularityLimit,
)

__all__ = [
    "ROOM_LIMITS",
    "JointPositionLimit",
    "KeepOutLimit",
    "SelfCollisionLimit",
    "SingularityLimit",
    "TableLimit",
    "WorkspaceLimit",
]
