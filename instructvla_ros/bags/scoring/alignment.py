# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Predicted chunks beside what was done, step by step, without what was done for another reason."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from instructvla_ros.bags.scoring.references import STEP, Reference, as_steps
from instructvla_ros.bags.scoring.ways import SAME_TIME
from instructvla_ros.robot.action_chunk import ActionChunk


@dataclass(frozen=True)
class Spans:
    """Parts of a recording.

    Attributes:
        instructions: from when on which text held [s]; in order, an empty text for none.
        stopped: from when to when the safety filter was stopping, stopped or in fault [s].
    """

    instructions: tuple[tuple[float, str], ...] = ()
    stopped: tuple[tuple[float, float], ...] = ()

    def instruction_at(self, time: float) -> str:
        """The text that holds at a time [s]; empty before the first."""
        index = bisect_right([start for start, _ in self.instructions], time + SAME_TIME) - 1
        return self.instructions[index][1] if index >= 0 else ""

    def end_of_instruction(self, time: float) -> float:
        """When the instruction that holds at a time [s] is followed by another text; infinity for the last."""
        here = self.instruction_at(time)
        later = (start for start, text in self.instructions if start > time + SAME_TIME and text != here)
        return next(later, np.inf)


@dataclass(frozen=True, eq=False)
class Aligned:
    """Predictions of ``N`` observations beside what was done; NaN where that is not known or does not count.

    Attributes:
        stamps: ``(N,)`` of the observations [s].
        predicted: ``(N, H, 7)`` translation [m], rotation vector [rad], gripper opening.
        recorded: ``(N, H, 7)``.
        left_out: steps that are known and do not count: the arm was stopped, or followed another instruction.
    """

    stamps: np.ndarray
    predicted: np.ndarray
    recorded: np.ndarray
    left_out: int

    @property
    def observations(self) -> int:
        """Observations of which at least one step is known."""
        return int(np.isfinite(self.recorded[:, :, 0]).any(axis=1).sum()) if len(self.stamps) else 0


def align(chunks: Sequence[ActionChunk], reference: Reference, spans: Spans) -> Aligned:
    """Put predicted chunks beside a reference.

    Args:
        chunks: predicted, all of the same length.
        reference: what was done.
        spans: what does not count: steps that reach into a stop, or past the end of the chunk's instruction.
    """
    length = len(chunks[0]) if chunks else 0
    recorded, left_out = np.full((len(chunks), length, STEP), np.nan), 0
    for row, chunk in enumerate(chunks):
        steps, edges = reference.steps(chunk), chunk.edges
        out = edges[1:] > spans.end_of_instruction(chunk.stamp) + SAME_TIME
        for start, end in spans.stopped:
            out |= (edges[1:] > start + SAME_TIME) & (edges[:-1] < end - SAME_TIME)
        left_out += int((out & np.isfinite(steps[:, 0])).sum())
        steps[out] = np.nan
        recorded[row] = steps
    return Aligned(
        stamps=np.array([chunk.stamp for chunk in chunks]),
        predicted=np.array([as_steps(chunk) for chunk in chunks]).reshape(len(chunks), length, STEP),
        recorded=recorded,
        left_out=left_out,
    )


def joined(parts: Sequence[Aligned]) -> Aligned:
    """Alignments of several bags as one; chunks must be of the same length."""
    filled = [part for part in parts if len(part.stamps)] or list(parts[:1])
    if not filled:
        return Aligned(np.zeros(0), np.zeros((0, 0, STEP)), np.zeros((0, 0, STEP)), 0)
    return Aligned(
        np.concatenate([part.stamps for part in filled]),
        np.concatenate([part.predicted for part in filled]),
        np.concatenate([part.recorded for part in filled]),
        sum(part.left_out for part in parts),
    )
