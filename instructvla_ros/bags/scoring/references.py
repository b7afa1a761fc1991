# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What was done in a recording, cut into the steps of a predicted chunk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from instructvla_ros.bags.scoring.ways import SAME_TIME, OpeningTrack, PoseTrack
from instructvla_ros.robot.action_chunk import ActionChunk

STEP = 7
"""Numbers of a step: translation [m], rotation vector [rad], gripper opening 0 to 1 at its end."""


class Reference(Protocol):
    """What predictions are held against."""

    name: str
    """What it is, for people."""

    def steps(self, chunk: ActionChunk) -> np.ndarray:
        """``(H, 7)`` what was done during each step of a predicted chunk; NaN where that is not known."""
        ...


class WayReference:
    """Where the gripper went, or was told to go.

    Args:
        name: what it is, for people.
        poses: of the gripper.
        openings: of the gripper; None where nothing is known of them.
    """

    def __init__(self, name: str, poses: PoseTrack, openings: OpeningTrack | None) -> None:
        self.name, self.poses, self.openings = name, poses, openings

    def steps(self, chunk: ActionChunk) -> np.ndarray:
        """See :class:`Reference`."""
        edges = chunk.edges
        steps = self.poses.steps(edges)
        openings = np.full(len(chunk), np.nan) if self.openings is None else self.openings.at(edges[1:])
        return np.column_stack((steps, np.where(np.isfinite(steps[:, 0]), openings, np.nan)))


class ChunkReference:
    """Action chunks that were recorded: the one made from an observation, else the nearest within half a step, else the
    newest before it that still tells what to do, as where several steps of each chunk are followed.

    Args:
        chunks: in any order; empty ones are left out.
    """

    def __init__(self, chunks: Sequence[ActionChunk]) -> None:
        self.name = "recorded action chunks"
        self._chunks = sorted((chunk for chunk in chunks if len(chunk)), key=lambda chunk: chunk.stamp)
        self._stamps = np.array([chunk.stamp for chunk in self._chunks])

    def steps(self, chunk: ActionChunk) -> np.ndarray:
        """See :class:`Reference`."""
        steps = np.full((len(chunk), STEP), np.nan)
        recorded = self._nearest(chunk)
        if recorded is None:
            return steps
        same = abs(recorded.stamp - chunk.stamp) < SAME_TIME and abs(recorded.period - chunk.period) < SAME_TIME
        if same:
            count = min(len(chunk), len(recorded))
            steps[:count] = as_steps(recorded)[:count]
            return steps
        edges, ends = chunk.edges, recorded.edges
        way = way_of(recorded, edges)
        steps[:, :6] = np.diff(way, axis=0)
        openings = OpeningTrack(ends[:-1], recorded.grippers).at(edges[1:] - 0.5 * chunk.period)
        steps[:, 6] = np.where(np.isfinite(steps[:, 0]), openings, np.nan)
        return steps

    def _nearest(self, chunk: ActionChunk) -> ActionChunk | None:
        if not self._chunks:
            return None
        reach = 0.5 * chunk.period + SAME_TIME
        first = int(np.searchsorted(self._stamps, chunk.stamp - reach))
        last = int(np.searchsorted(self._stamps, chunk.stamp + reach, side="right"))
        fitting = [other for other in self._chunks[first:last] if _told_the_same(other, chunk)]
        if fitting:
            return min(fitting, key=lambda other: abs(other.stamp - chunk.stamp))
        before = self._chunks[first - 1] if first else None
        follows = before is not None and before.edges[-1] > chunk.stamp and _told_the_same(before, chunk)
        return before if follows else None


def _told_the_same(one: ActionChunk, other: ActionChunk) -> bool:
    return not (one.instruction and other.instruction) or one.instruction == other.instruction


def as_steps(chunk: ActionChunk) -> np.ndarray:
    """A chunk as ``(H, 7)``."""
    return np.column_stack((chunk.translations, chunk.rotations, chunk.grippers))


def way_of(chunk: ActionChunk, times: np.ndarray) -> np.ndarray:
    """How far a chunk has gone ``(K, 6)`` [m, rad] at times ``(K,)`` [s]; NaN before and after it."""
    ends, way = chunk.edges, chunk.travelled
    inside = (times >= ends[0] - SAME_TIME) & (times <= ends[-1] + SAME_TIME)
    columns = [np.interp(times, ends, way[:, axis]) for axis in range(6)]
    return np.where(inside[:, None], np.column_stack(columns), np.nan)
