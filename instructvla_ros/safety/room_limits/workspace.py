# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Position of the gripper point."""

import numpy as np

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.safety.limits import SafetyLimits
from instructvla_ros.safety.rooms import Configurations, RoomLimit


class WorkspaceLimit(RoomLimit):
    """The gripper point stays within the box."""

    name = "workspace"
    unit = "m"
    standoff = 0.002
    tolerance = 1e-3

    def __init__(self, limits: SafetyLimits, chain: KinematicChain) -> None:
        self._lower, self._upper = limits.workspace.lower, limits.workspace.upper
        self.subjects = ("x", "y", "z", "x", "y", "z")
        self.slow = np.zeros(6)
        self.fastest = np.zeros(6)
        self.reach = np.full(6, chain.reach if chain.revolute.all() else max(chain.reach, 1.0))

    def rooms(self, arm: Configurations) -> np.ndarray:
        """Distance to the lower walls, then to the upper ones, ``(B, 6)`` [m]."""
        point = arm.poses[:, :3, 3]
        return np.concatenate((point - self._lower, self._upper - point), axis=1)
