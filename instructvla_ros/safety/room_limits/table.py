# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""No moving part of the arm may be below the table top."""

import numpy as np

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.safety.body import Body
from instructvla_ros.safety.limits import SafetyLimits
from instructvla_ros.safety.rooms import Configurations, RoomLimit


class TableLimit(RoomLimit):
    """Height above the table of both ends of every moving capsule: its lowest point is below one of them."""

    name = "table"
    unit = "m"
    standoff = 0.001
    tolerance = 1e-3

    def __init__(self, limits: SafetyLimits, chain: KinematicChain) -> None:
        body = Body(limits, chain)
        count = len(body.shapes)
        ends = []
        for index in body.moving:
            ends.append(index)
            if body.shapes[index].start != body.shapes[index].end:
                ends.append(count + index)
        shapes = [end % count for end in ends]
        self.subjects = tuple(body.shapes[index].name for index in shapes)
        self.slow = np.full(len(ends), limits.clearance_slow - limits.clearance_halt)
        self.fastest = np.full(len(ends), limits.translation_speed)
        self.reach = np.array([body.reach(index) for index in shapes])
        self._ends = body.ends.weighted(np.eye(2 * count)[:, ends])
        self._lowest = body.radii[shapes] + limits.clearance_halt + limits.table

    def rooms(self, arm: Configurations) -> np.ndarray:
        """Height above the table, less the clearance."""
        return self._ends.of(arm)[:, 2] - self._lowest
