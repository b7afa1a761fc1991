# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the gripper was, or was told to be, over the time of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from instructvla_ros.robot.kinematics import KinematicChain

SAME_TIME = 1e-6
"""Stamps that differ by less [s] are the same: today's seconds as float64 are exact to 0.2 microseconds."""


@dataclass(frozen=True, eq=False)
class PoseTrack:
    """Poses of the gripper by time; between two of them it moves evenly, along the straight line and the shortest turn.

    Attributes:
        times: ``(N,)`` rising [s].
        positions: ``(N, 3)`` in the base frame [m].
        rotations: ``(N, 3, 3)``.
        longest_gap: poses further apart [s] are not joined: nothing is known between them.
        held_until: how long the last pose lasts [s], as a command does.
    """

    times: np.ndarray  # (N,)
    positions: np.ndarray  # (N, 3)
    rotations: np.ndarray  # (N, 3, 3)
    longest_gap: float = np.inf
    held_until: float = -np.inf

    @classmethod
    def of_joints(
        cls,
        times: Sequence[float] | np.ndarray,
        joints: np.ndarray,
        chain: KinematicChain,
        longest_gap: float = np.inf,
        held_until: float = -np.inf,
    ) -> PoseTrack:
        """The track of an arm's joint positions.

        Args:
            times: ``(N,)`` [s]; of those that do not rise, the later in the order given are left out.
            joints: ``(N, n)`` in the order of the chain [rad or m].
            chain: from base frame to gripper point.
            longest_gap: as of the class.
            held_until: as of the class.
        """
        stamps = np.asarray(times, dtype=float)
        rising = rising_only(stamps)
        poses = chain.forward_many(joints[rising])[1] if len(rising) else np.empty((0, 4, 4))
        return cls(stamps[rising], poses[:, :3, 3], poses[:, :3, :3], longest_gap, held_until)

    def at(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions ``(K, 3)`` [m] and rotations ``(K, 3, 3)`` at times ``(K,)`` [s]; NaN where nothing is known."""
        times = np.asarray(times, dtype=float)
        positions, rotations = np.full((len(times), 3), np.nan), np.full((len(times), 3, 3), np.nan)
        if not len(self.times):
            return positions, rotations
        after = np.clip(np.searchsorted(self.times, times), 1, max(len(self.times) - 1, 1))
        before = after - 1
        after = np.minimum(after, len(self.times) - 1)
        span = np.maximum(self.times[after] - self.times[before], 1e-12)
        share = np.clip((times - self.times[before]) / span, 0.0, 1.0)
        last = max(float(self.times[-1]), self.held_until)
        known = (times >= self.times[0] - SAME_TIME) & (times <= last + SAME_TIME)
        on_a_pose = (share < SAME_TIME) | (share > 1.0 - SAME_TIME)
        known &= (span <= self.longest_gap + SAME_TIME) | on_a_pose
        if not known.any():
            return positions, rotations
        before, after, share = before[known], after[known], share[known]
        way = self.positions[after] - self.positions[before]
        positions[known] = self.positions[before] + share[:, None] * way
        start = Rotation.from_matrix(self.rotations[before])
        turn = (Rotation.from_matrix(self.rotations[after]) * start.inv()).as_rotvec()
        rotations[known] = (Rotation.from_rotvec(share[:, None] * turn) * start).as_matrix()
        return positions, rotations

    def steps(self, edges: np.ndarray) -> np.ndarray:
        """Motion ``(K, 6)`` between instants ``(K + 1,)`` [s]: translation [m], rotation vector about base axes [rad].

        NaN where one of the two instants is not known.
        """
        positions, rotations = self.at(edges)
        steps = np.full((len(edges) - 1, 6), np.nan)
        known = np.isfinite(positions).all(axis=1)
        both = known[1:] & known[:-1]
        steps[both, :3] = np.diff(positions, axis=0)[both]
        if both.any():
            start = Rotation.from_matrix(rotations[:-1][both])
            steps[both, 3:] = (Rotation.from_matrix(rotations[1:][both]) * start.inv()).as_rotvec()
        return steps


@dataclass(frozen=True, eq=False)
class OpeningTrack:
    """Gripper openings by time; each lasts until the next.

    Attributes:
        times: ``(N,)`` rising [s].
        openings: ``(N,)`` 0 closed to 1 open.
        longest: how long one lasts at most [s].
    """

    times: np.ndarray  # (N,)
    openings: np.ndarray  # (N,)
    longest: float = np.inf

    def at(self, times: np.ndarray) -> np.ndarray:
        """Openings ``(K,)`` at times ``(K,)`` [s]; NaN where nothing is known."""
        times = np.asarray(times, dtype=float)
        openings = np.full(len(times), np.nan)
        newest = np.searchsorted(self.times, times + SAME_TIME, side="right") - 1
        known = newest >= 0
        known[known] &= times[known] - self.times[newest[known]] <= self.longest + SAME_TIME
        openings[known] = self.openings[newest[known]]
        return openings


def rising_only(times: np.ndarray) -> np.ndarray:
    """Indices ``(M,)`` of those stamps ``(N,)`` [s] that are later than all before them."""
    if not len(times):
        return np.zeros(0, dtype=int)
    newest_before = np.concatenate(([-np.inf], np.maximum.accumulate(times)[:-1]))
    return np.flatnonzero(times > newest_before)
