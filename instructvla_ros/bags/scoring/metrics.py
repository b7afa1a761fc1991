# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How far predictions are from what was done, by dimension and by step of the chunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from instructvla_ros.bags.scoring.alignment import Aligned
from instructvla_ros.bags.scoring.references import as_steps, way_of
from instructvla_ros.bags.scoring.ways import SAME_TIME
from instructvla_ros.robot.action_chunk import ActionChunk

DIMENSIONS = ("x", "y", "z", "rx", "ry", "rz")
"""Translation along base axes [mm], rotation vector about them [mrad]."""

_OPEN = 0.5  # openings from here on count as open


@dataclass(frozen=True)
class Spread:
    """Mean and percentiles; NaN without values."""

    mean: float
    p50: float
    p95: float
    largest: float

    @classmethod
    def of(cls, values: np.ndarray) -> Spread:
        """Of all values that are not NaN."""
        values = np.asarray(values, dtype=float)
        values = values[np.isfinite(values)]
        if not values.size:
            return cls(np.nan, np.nan, np.nan, np.nan)
        p50, p95 = np.percentile(values, (50, 95))
        return cls(float(values.mean()), float(p50), float(p95), float(values.max()))


@dataclass(frozen=True)
class DimensionError:
    """Error of one dimension over all steps [mm or mrad].

    Attributes:
        mean: of the absolute error.
        bias: mean of predicted minus recorded.
        p95: of the absolute error.
        moved: mean of the absolute recorded motion, to compare with.
    """

    mean: float
    bias: float
    p95: float
    moved: float


@dataclass(frozen=True)
class StepError:
    """Error of one step of the chunk, over all observations.

    Attributes:
        count: observations of which it is known.
        translation: mean length of the error of this step [mm].
        rotation: likewise [mrad].
        end_translation: mean distance between where the chunk and the recording are at the end of this step [mm].
        end_rotation: likewise [mrad].
        still_translation: ``translation`` of a policy that does not move [mm].
        still_end_translation: ``end_translation`` of a policy that does not move [mm].
        gripper_agreement: share of observations in which both have the gripper open, or both closed.
    """

    count: int
    translation: float
    rotation: float
    end_translation: float
    end_rotation: float
    still_translation: float
    still_end_translation: float
    gripper_agreement: float


@dataclass(frozen=True)
class Errors:
    """All of it.

    Attributes:
        observations: of which at least one step is known.
        steps: that are known.
        translation: length of a step's error [mm].
        rotation: likewise [mrad].
        still_translation: mean of the same for a policy that does not move [mm].
        still_rotation: likewise [mrad].
        dimensions: by name, see ``DIMENSIONS``.
        horizon: by step of the chunk, first to last.
        gripper_steps: of which both openings are known.
        gripper_agreement: share of them in which both are open or both closed.
        gripper_agreement_closed: the same of those in which the recorded one is closed.
        gripper_agreement_open: the same of those in which it is open.
    """

    observations: int
    steps: int
    translation: Spread
    rotation: Spread
    still_translation: float
    still_rotation: float
    dimensions: dict[str, DimensionError]
    horizon: tuple[StepError, ...]
    gripper_steps: int
    gripper_agreement: float
    gripper_agreement_closed: float
    gripper_agreement_open: float


def errors_of(aligned: Aligned) -> Errors:
    """Compute all errors; NaN where nothing is known."""
    predicted, recorded = 1e3 * aligned.predicted[:, :, :6], 1e3 * aligned.recorded[:, :, :6]  # mm, mrad
    difference = predicted - recorded
    known = np.isfinite(difference[:, :, 0])
    lengths = [np.linalg.norm(difference[:, :, part], axis=2) for part in (slice(0, 3), slice(3, 6))]
    still = [np.linalg.norm(recorded[:, :, part], axis=2) for part in (slice(0, 3), slice(3, 6))]
    agree = _agreement(aligned)
    recorded_open = aligned.recorded[:, :, 6] >= _OPEN
    return Errors(
        observations=aligned.observations,
        steps=int(known.sum()),
        translation=Spread.of(lengths[0]),
        rotation=Spread.of(lengths[1]),
        still_translation=_mean(still[0]),
        still_rotation=_mean(still[1]),
        dimensions={
            name: DimensionError(
                mean=_mean(np.abs(difference[:, :, axis])),
                bias=_mean(difference[:, :, axis]),
                p95=Spread.of(np.abs(difference[:, :, axis])).p95,
                moved=_mean(np.abs(recorded[:, :, axis])),
            )
            for axis, name in enumerate(DIMENSIONS)
        },
        horizon=_horizon(difference, recorded, lengths, still[0], agree),
        gripper_steps=int(np.isfinite(agree).sum()),
        gripper_agreement=_mean(agree),
        gripper_agreement_closed=_mean(agree[~recorded_open]),
        gripper_agreement_open=_mean(agree[recorded_open]),
    )


def error_by_observation(aligned: Aligned) -> np.ndarray:
    """Mean error of the known steps of each observation ``(N,)`` [mm]; NaN where none is known."""
    lengths = 1e3 * np.linalg.norm(aligned.predicted[:, :, :3] - aligned.recorded[:, :, :3], axis=2)
    known = np.isfinite(lengths)
    count = known.sum(axis=1)
    total = np.where(known, lengths, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def joins_of(chunks: Sequence[ActionChunk]) -> np.ndarray:
    """How each chunk departs from the one before it.

    Args:
        chunks: in the order of their stamps.

    Returns:
        ``(J, 2)`` for each pair of an epoch that overlaps: difference between the first step of the newer chunk and
        what the older one said about that time [m, rad].
    """
    jumps = []
    for before, after in zip(chunks, chunks[1:], strict=False):
        if before.epoch != after.epoch or after.stamp - before.stamp < SAME_TIME:
            continue
        said = np.diff(way_of(before, np.array([after.stamp, after.stamp + after.period])), axis=0)[0]
        change = as_steps(after)[0, :6] - said
        if np.isfinite(change).all():
            jumps.append((float(np.linalg.norm(change[:3])), float(np.linalg.norm(change[3:]))))
    return np.array(jumps).reshape(-1, 2)


def _horizon(
    difference: np.ndarray, recorded: np.ndarray, lengths: list[np.ndarray], still: np.ndarray, agree: np.ndarray
) -> tuple[StepError, ...]:
    ends, way = np.cumsum(difference, axis=1), np.cumsum(recorded, axis=1)  # unknown from the first unknown step on
    return tuple(
        StepError(
            count=int(np.isfinite(lengths[0][:, step]).sum()),
            translation=_mean(lengths[0][:, step]),
            rotation=_mean(lengths[1][:, step]),
            end_translation=_mean(np.linalg.norm(ends[:, step, :3], axis=1)),
            end_rotation=_mean(np.linalg.norm(ends[:, step, 3:], axis=1)),
            still_translation=_mean(still[:, step]),
            still_end_translation=_mean(np.linalg.norm(way[:, step, :3], axis=1)),
            gripper_agreement=_mean(agree[:, step]),
        )
        for step in range(difference.shape[1])
    )


def _agreement(aligned: Aligned) -> np.ndarray:
    """1 where both grippers are open or both closed, 0 where not ``(N, H)``; NaN where that is not known."""
    predicted, recorded = aligned.predicted[:, :, 6], aligned.recorded[:, :, 6]
    same = ((predicted >= _OPEN) == (recorded >= _OPEN)).astype(float)
    return np.where(np.isfinite(predicted) & np.isfinite(recorded), same, np.nan)


def _mean(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(values.mean()) if values.size else float("nan")
