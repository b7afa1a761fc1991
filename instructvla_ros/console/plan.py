# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a chunk still holds: the way ahead of the gripper, and the same in words."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from instructvla_ros.robot.action_chunk import ActionChunk

_NOTABLE = 0.002  # [m] what is less is no motion worth a word
_NOTABLE_TURN = math.radians(3.0)
_DIRECTIONS = (("forward", "back"), ("left", "right"), ("up", "down"))  # REP-103: x forward, y left, z up


@dataclass(frozen=True, eq=False)
class Step:
    """The step of a chunk that covers an instant.

    Attributes:
        speed: asked of the gripper point [m/s].
        opening: asked at its end, 0 closed to 1 open.
    """

    speed: float
    opening: float


def step_at(chunk: ActionChunk | None, now: float) -> Step | None:
    """The step that covers an instant; None before the first, after the last, and of a chunk that is no chunk.

    Args:
        chunk: its stamp is on the clock of ``now``.
        now: [s].
    """
    if chunk is None or not _usable(chunk):
        return None
    index = math.floor((now - chunk.stamp) / chunk.period)
    if not 0 <= index < len(chunk):
        return None
    return Step(
        float(np.linalg.norm(chunk.translations[index])) / chunk.period,
        float(chunk.grippers[index]),
    )


def way_ahead(chunk: ActionChunk | None, now: float, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the steps that are left lead, from where the gripper is.

    Args:
        chunk: its stamp is on the clock of ``now``; steps whose time has passed are skipped, as the filter does.
        now: [s].
        start: ``(3,)`` the gripper point in the base frame [m].

    Returns:
        ``(n,)`` times from now on [s], ``(n, 3)`` points in the base frame [m], the start first, and ``(n,)`` openings.
        All empty where no step is left.
    """
    if chunk is None or not _usable(chunk):
        return np.zeros(0), np.zeros((0, 3)), np.zeros(0)
    passed = max(0.0, (now - chunk.stamp) / chunk.period)
    first = math.floor(passed)
    if first >= len(chunk):
        return np.zeros(0), np.zeros((0, 3)), np.zeros(0)
    steps = chunk.translations[first:].copy()
    steps[0] *= 1.0 - (passed - first)
    ends = chunk.edges[first + 1 :] - now
    points = np.vstack([start, start + np.cumsum(steps, axis=0)])
    return np.append(0.0, ends), points, np.append(chunk.grippers[first], chunk.grippers[first:])


def in_words(chunk: ActionChunk | None, now: float) -> str:
    """What a chunk is about to do, for those who cannot see the picture."""
    times, points, openings = way_ahead(chunk, now, np.zeros(3))
    if chunk is None or len(times) == 0:
        return "nothing is planned"
    parts = []
    for axis, (plus, minus) in enumerate(_DIRECTIONS):
        distance = float(points[-1, axis])
        if abs(distance) >= _NOTABLE:
            parts.append(f"{plus if distance > 0 else minus} {abs(distance) * 1000:.0f} mm")
    # the front camera faces the robot, so its picture has left and right the other way round
    seen = ", seen from the robot" if parts else ""
    turn = float(np.linalg.norm(chunk.rotations[len(chunk) - len(times) + 1 :].sum(axis=0)))
    if turn >= _NOTABLE_TURN:
        parts.append(f"turn {math.degrees(turn):.0f} degrees")
    if openings[0] >= 0.5 > openings[-1]:
        parts.append("close the gripper")
    elif openings[0] < 0.5 <= openings[-1]:
        parts.append("open the gripper")
    return f"within {times[-1]:.1f} s{seen}: {', '.join(parts) or 'stay in place'}"


def _usable(chunk: ActionChunk) -> bool:
    """Whether numbers can be shown; what is wrong with the others the safety filter says."""
    shapes = chunk.translations.shape == chunk.rotations.shape == (len(chunk), 3)
    if not (shapes and len(chunk) and math.isfinite(chunk.period) and chunk.period > 0.0):
        return False
    finite = np.isfinite(chunk.translations).all() and np.isfinite(chunk.rotations).all()
    return bool(finite and np.isfinite(chunk.grippers).all() and math.isfinite(chunk.stamp))
