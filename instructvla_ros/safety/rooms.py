# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a limit on where the arm may be looks like: the room that is left to it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.safety.limits import SafetyLimits


@dataclass(frozen=True, eq=False)
class Configurations:
    """Several configurations of the arm, and where they bring its links; computed once for all limits.

    Attributes:
        positions: ``(B, n)`` joint positions [rad or m].
        frames: ``(B, n, 4, 4)`` pose of each moving joint's link, base to tip.
        poses: ``(B, 4, 4)`` pose of the gripper.
        jacobians: ``(B, 6, n)`` of the gripper.
    """

    positions: np.ndarray  # (B, n)
    frames: np.ndarray  # (B, n, 4, 4)
    poses: np.ndarray  # (B, 4, 4)
    jacobians: np.ndarray  # (B, 6, n)

    @classmethod
    def of(cls, chain: KinematicChain, positions: np.ndarray) -> "Configurations":
        """Computes them for ``(B, n)`` joint positions [rad or m]."""
        return cls(positions, *chain.forward_many(positions))

    @cached_property
    def rows(self) -> np.ndarray:
        """``(3 B, 4 n)`` upper rows of the frames of each configuration side by side: factor of all points on links."""
        count, joints = self.frames.shape[:2]
        return self.frames[:, :, :3].transpose(0, 2, 1, 3).reshape(3 * count, 4 * joints)


class RoomLimit(ABC):
    """A limit on where the arm may be, told as rooms: how far it is from each bound, negative beyond it.

    From rooms alone follow the speed at which the arm may approach a bound, the check of every trajectory, and what an
    arm that starts beyond a bound may still do. A new limit is a subclass in a file of its own, named once in
    ``room_limits/__init__.py``.

    Args:
        limits: the limits in force.
        chain: the arm.

    Attributes:
        subjects: ``m`` names, what each room is about: a joint, an axis, two parts of the arm.
        slow: ``(m,)`` rooms below which the arm slows in proportion while it approaches; 0 where being able to stop is
            enough.
        reach: ``(m,)`` how much a room changes at most per radian (or metre) of a joint.
        bends: whether a room changes as the position of a point of the arm does along a straight line, so that between
            two configurations it strays from a straight line only as much as the point's path bends; otherwise all that
            is known between them is ``reach``.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    bends: ClassVar[bool] = False
    subjects: tuple[str, ...]
    slow: np.ndarray  # (m,)
    reach: np.ndarray  # (m,)

    @abstractmethod
    def __init__(self, limits: SafetyLimits, chain: KinematicChain) -> None: ...

    @abstractmethod
    def rooms(self, arm: Configurations) -> np.ndarray:
        """Distance to each bound, ``(B, m)`` in ``unit``, negative beyond it."""
