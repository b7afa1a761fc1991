# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where a policy wanted the gripper lately: the steps of its chunks that time went through, laid end to end. No ROS."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from instructvla_ros.robot.action_chunk import ActionChunk


@dataclass(frozen=True)
class Extent:
    """How far a way went: twice the largest distance from the middle of the box around it.

    Attributes:
        translation: [m].
        rotation: [rad].
        gripper: change of the opening, 0 to 1.
    """

    translation: float
    rotation: float
    gripper: float


class AskedWay:
    """Follows chunks by their time lines, each until the next one comes.

    A single chunk of a policy that has arrived still asks for some motion, to and fro; laid end to end these cancel,
    and only a way that leads somewhere grows.

    Args:
        span: how far back the way is known [s].
    """

    def __init__(self, span: float) -> None:
        self._span = span
        self._chunk: ActionChunk | None = None
        self._since = 0.0
        self._at = np.zeros(6)  # translation [m], rotation vector [rad], both since the beginning
        self._way: deque[tuple[float, np.ndarray, float]] = deque()

    def add(self, now: float, chunk: ActionChunk) -> None:
        """A chunk came.

        Args:
            now: [s].
            chunk: with one step at least; its stamp is on the clock of ``now``. One that holds what is no number makes
                the way begin anew.
        """
        if self._chunk is not None:
            self._at = self._at + _gone(self._chunk, self._since, now)
        self._chunk, self._since = chunk, now
        if not (np.isfinite(self._at).all() and _is_finite(chunk)):
            self._chunk, self._at = None, np.zeros(6)
            self._way.clear()
            return
        place = min(max(0, int((now - chunk.stamp) / chunk.period)), len(chunk) - 1)
        self._way.append((now, self._at, float(chunk.grippers[place])))
        while len(self._way) > 1 and self._way[1][0] <= now - self._span:
            self._way.popleft()

    def extent(self, window: float = 0.0) -> Extent | None:
        """How far the way went lately.

        Args:
            window: how far back [s]; 0: as far as is known.

        Returns:
            None before the first chunk, and as long as the way is shorter than the window.
        """
        if not self._way:
            return None
        newest = self._way[-1][0]
        if newest - self._way[0][0] < window:
            return None
        recent = [each for each in self._way if not window or each[0] >= newest - window]
        points = np.array([point for _, point, _ in recent])  # (n, 6)
        spread = np.abs(points - 0.5 * (points.min(axis=0) + points.max(axis=0)))
        grippers = [gripper for _, _, gripper in recent]
        return Extent(
            2.0 * float(np.linalg.norm(spread[:, :3], axis=1).max()),
            2.0 * float(np.linalg.norm(spread[:, 3:], axis=1).max()),
            max(grippers) - min(grippers),
        )


def _is_finite(chunk: ActionChunk) -> bool:
    times = math.isfinite(chunk.stamp) and math.isfinite(chunk.period) and chunk.period > 0.0
    numbers = (chunk.translations, chunk.rotations, chunk.grippers)
    return times and all(bool(np.isfinite(each).all()) for each in numbers)


def _gone(chunk: ActionChunk, start: float, end: float) -> np.ndarray:
    """``(6,)`` what the steps of a chunk between two instants come to."""
    edges = chunk.edges
    return np.array([np.interp(end, edges, each) - np.interp(start, edges, each) for each in chunk.travelled.T])
