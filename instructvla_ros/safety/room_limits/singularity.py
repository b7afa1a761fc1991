# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Distance from singular configurations."""

import numpy as np

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.safety.limits import SafetyLimits
from instructvla_ros.safety.rooms import Configurations, RoomLimit

# Time constant with which the arm comes to rest before what halts it [s].
_LINGERING = 0.2


class SingularityLimit(RoomLimit):
    """The Jacobian's condition number stays below ``singularity_halt``; the arm slows from ``singularity_slow`` on.

    The room is ``1 / condition number - 1 / singularity_halt``: the inverse falls to 0 smoothly at a singularity, where
    the condition number itself grows without bound. Condition number of the ``(6, n)`` Jacobian in metres and radians,
    as moveit_servo takes it: largest over smallest singular value.
    """

    name = "singularity"
    unit = ""
    sparing = True
    standoff = 5e-4
    tolerance = 1e-4

    def __init__(self, limits: SafetyLimits, chain: KinematicChain) -> None:
        self._halt = 1.0 / limits.singularity_halt
        self._wide = len(chain) >= 6
        self.subjects = ("",)
        self.slow = np.array([1.0 / limits.singularity_slow - self._halt])
        self.fastest = self.slow / _LINGERING
        self.reach = np.zeros(1)

    def rooms(self, arm: Configurations) -> np.ndarray:
        """Inverse of the condition number above what halts, ``(B, 1)``."""
        jacobians = arm.jacobians
        turned = np.swapaxes(jacobians, 1, 2)
        squares = np.linalg.eigvalsh(jacobians @ turned if self._wide else turned @ jacobians)  # (B, 6 or n), rising
        return np.sqrt(np.maximum(squares[:, :1], 0.0) / squares[:, -1:]) - self._halt
