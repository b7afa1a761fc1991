# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a limit on where the arm may be looks like: the room that is left to it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.safety.limits import SafetyLimits

# Joint displacement from which slopes are computed [rad or m].
_NUDGE = 1e-4
# Rooms larger than their slow band by this much bind nobody: an arm at full speed rests within less [m].
_FAR = 0.08
# Rooms of sparing limits bind nobody when they are larger than so many times their slow band.
_SPARED = 3.0


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

    def first(self, count: int) -> "Configurations":
        """The first few of them."""
        return Configurations(self.positions[:count], self.frames[:count], self.poses[:count], self.jacobians[:count])


class RoomLimit(ABC):
    """A limit on where the arm may be, told as rooms: how far it is from each bound, negative beyond it.

    From rooms alone follow the speed at which the arm may approach a bound, the check of every trajectory, and what an
    arm that starts beyond a bound may still do. A new limit is a subclass in a file of its own, named once in
    ``room_limits/__init__.py``.

    Args:
        limits: the limits in force.
        chain: the arm.

    Attributes:
        name: under which it is reported.
        unit: of its rooms.
        sparing: whether its rooms cost so much that slopes are only computed near the slow band.
        standoff: room that motions are planned to keep, so that the check of the result does not bite first.
        tolerance: how far in all an arm that starts beyond a bound may drift outward.
        subjects: ``m`` names, what each room is about: a joint, an axis, parts of the arm.
        slow: ``(m,)`` rooms below which the arm approaches more slowly; 0 where being able to stop is enough.
        fastest: ``(m,)`` highest speed of approach at the edge of that band [unit/s]; within it falls in proportion.
        reach: ``(m,)`` how much a room changes at most per radian (or metre) of a joint: by it the check knows how far
            a room may stray from a straight line between two configurations. 0 where nothing is added.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    sparing: ClassVar[bool] = False
    standoff: ClassVar[float]
    tolerance: ClassVar[float]
    subjects: tuple[str, ...]
    slow: np.ndarray  # (m,)
    fastest: np.ndarray  # (m,)
    reach: np.ndarray  # (m,)

    @abstractmethod
    def __init__(self, limits: SafetyLimits, chain: KinematicChain) -> None: ...

    @abstractmethod
    def rooms(self, arm: Configurations) -> np.ndarray:
        """Distance to each bound, ``(B, m)`` in ``unit``, negative beyond it."""


class RoomSet:
    """All rooms of all limits, one after the other.

    A limit all of whose rooms are far is not measured again until the arm may have come near by what its rooms change
    at most per radian: meanwhile its rooms are told as at least so large.

    Args:
        kinds: the limits.
        limits: what they enforce.
        chain: the arm.

    Attributes:
        standoffs: ``(m,)`` see :class:`RoomLimit`, as are the others.
        tolerances: ``(m,)``
        slow: ``(m,)``
        fastest: ``(m,)``
        reach: ``(m,)``
    """

    def __init__(self, kinds: Sequence[type[RoomLimit]], limits: SafetyLimits, chain: KinematicChain) -> None:
        self._chain = chain
        self._limits = [limit for limit in (kind(limits, chain) for kind in kinds) if limit.subjects]
        ends = np.cumsum([0, *(len(limit.subjects) for limit in self._limits)])
        self._places = [slice(int(start), int(end)) for start, end in zip(ends, ends[1:], strict=False)]
        self._owners = [limit for limit in self._limits for _ in limit.subjects]
        self._subjects = [subject for limit in self._limits for subject in limit.subjects]
        self.standoffs = np.array([limit.standoff for limit in self._owners])
        self.tolerances = np.array([limit.tolerance for limit in self._owners])
        self.slow = np.concatenate([limit.slow for limit in self._limits])
        self.fastest = np.concatenate([limit.fastest for limit in self._limits])
        self.reach = np.concatenate([limit.reach for limit in self._limits])
        self._nudges = np.concatenate((np.zeros((1, len(chain))), _NUDGE * np.eye(len(chain))))
        # Where each limit was measured last, its least room there beyond what binds, and the rooms.
        self._known: list[tuple[np.ndarray, float, np.ndarray] | None] = [None] * len(self._limits)

    def __len__(self) -> int:
        return len(self._owners)

    def about(self, index: int) -> tuple[str, str, str]:
        """Name of the limit, subject and unit of one room."""
        owner = self._owners[index]
        return owner.name, self._subjects[index], owner.unit

    def measure(self, arm: Configurations) -> np.ndarray:
        """All rooms, ``(B, m)``."""
        return np.concatenate([limit.rooms(arm) for limit in self._limits], axis=1)

    def around(self, positions: np.ndarray) -> tuple[Configurations, np.ndarray, np.ndarray]:
        """Rooms at a configuration and how they shrink.

        Args:
            positions: ``(n,)`` [rad or m].

        Returns:
            the configuration itself (``B`` = 1), its rooms ``(m,)``, and ``(m, n)`` by how much each room shrinks per
            radian (or metre) of each joint; for rooms that are far, lower bounds and zeros.
        """
        near = Configurations.of(self._chain, positions + self._nudges)
        here = near.first(1)
        rooms, shrinking = np.empty(len(self)), np.zeros((len(self), len(positions)))
        for index, (limit, place) in enumerate(zip(self._limits, self._places, strict=True)):
            known = self._known[index]
            if known is not None:
                travelled = float(np.abs(positions - known[0]).sum())
                if travelled < known[1]:
                    rooms[place] = known[2] - limit.reach * travelled
                    continue
            if limit.sparing:
                rooms[place] = limit.rooms(here)[0]
                if (rooms[place] > _SPARED * limit.slow).all():
                    continue
            measured = limit.rooms(near)  # (1 + n, m)
            rooms[place] = measured[0]
            shrinking[place] = (measured[0] - measured[1:]).T / _NUDGE
            self._remember(index, limit, positions, measured[0])
        return here, rooms, shrinking

    def along(self, arm: Configurations, start: np.ndarray, covered: float) -> np.ndarray:
        """Rooms at several configurations of one motion, ``(B, m)``.

        Args:
            arm: the configurations.
            start: ``(m,)`` rooms where the motion starts, or less.
            covered: how far the joints travel at most, all together [rad or m]; limits that have more room than that
                takes are not measured, but told as unbounded.
        """
        rooms = np.empty((len(arm.positions), len(self)))
        for limit, place in zip(self._limits, self._places, strict=True):
            ample = limit.reach[0] > 0.0 and (start[place] > limit.reach * covered).all()
            rooms[:, place] = np.inf if ample else limit.rooms(arm)
        return rooms

    def _remember(self, index: int, limit: RoomLimit, positions: np.ndarray, rooms: np.ndarray) -> None:
        if limit.reach[0] > 0.0:
            spare = float(np.min((rooms - limit.slow - _FAR) / limit.reach))
            self._known[index] = (positions, spare, rooms) if spare > 0.0 else None
