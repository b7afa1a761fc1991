# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Positions of the joints."""

import numpy as np

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.safety.joint_bounds import joint_ranges
from instructvla_ros.safety.limits import SafetyLimits
from instructvla_ros.safety.rooms import Configurations, RoomLimit


class JointPositionLimit(RoomLimit):
    """``lower + joint_margin <= position <= upper - joint_margin``, for every joint.

    Between configurations a joint is followed exactly by the check of the trajectory, so that nothing is added here for
    the way in between.
    """

    name = "joint_position"
    unit = "rad"
    standoff = 0.002
    tolerance = 0.0

    def __init__(self, limits: SafetyLimits, chain: KinematicChain) -> None:
        self._lower, self._upper = joint_ranges(limits, chain)
        self.subjects = (*chain.joint_names, *chain.joint_names)
        self.slow = np.zeros(len(self.subjects))
        self.fastest = np.zeros(len(self.subjects))
        self.reach = np.zeros(len(self.subjects))

    def rooms(self, arm: Configurations) -> np.ndarray:
        """Distance to the lower ends, then to the upper ones, ``(B, 2 n)`` [rad or m]."""
        return np.concatenate((arm.positions - self._lower, self._upper - arm.positions), axis=1)
