# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""No moving part of the arm may be in a keep-out box."""

import numpy as np

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.safety.body import Body
from instructvla_ros.safety.limits import SafetyLimits
from instructvla_ros.safety.rooms import Configurations, RoomLimit


class KeepOutLimit(RoomLimit):
    """Distance from every keep-out box of the balls that cover each moving capsule; inside, how deep, negative."""

    name = "keep_out"
    unit = "m"
    standoff = 0.001
    tolerance = 1e-3

    def __init__(self, limits: SafetyLimits, chain: KinematicChain) -> None:
        body = Body(limits, chain)
        boxes = limits.keep_out if body.moving else ()
        self.subjects = tuple(f"{body.shapes[index].name}, {box.name}" for box in boxes for index in body.moving)
        self.slow = np.full(len(self.subjects), limits.clearance_slow - limits.clearance_halt)
        self.fastest = np.full(len(self.subjects), limits.translation_speed)
        self.reach = np.array([body.reach(index) for _ in boxes for index in body.moving])
        self._centres, radii, self._begins = body.cover(body.moving)
        self._kept = radii + limits.clearance_halt
        lower = np.array([box.lower for box in boxes]).reshape(-1, 3, 1)
        upper = np.array([box.upper for box in boxes]).reshape(-1, 3, 1)
        self._middles, self._halves = 0.5 * (lower + upper), 0.5 * (upper - lower)

    def rooms(self, arm: Configurations) -> np.ndarray:
        """Distance from each box, less the clearance: the ball that has the least."""
        if not self.subjects:
            return np.empty((len(arm.positions), 0))
        beyond = np.abs(self._centres.of(arm)[:, None] - self._middles)  # (B, boxes, 3, balls)
        beyond -= self._halves
        distances = np.minimum(np.maximum.reduce(beyond, axis=2), 0.0)  # how deep inside
        np.maximum(beyond, 0.0, out=beyond)
        distances += np.sqrt(np.einsum("bxcs,bxcs->bxs", beyond, beyond))
        distances -= self._kept
        return np.minimum.reduceat(distances, self._begins, axis=2).reshape(len(distances), -1)
