# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Adaptive ensembling: what past chunks predicted for an instant is averaged with what the newest one predicts for it.

The weight of a past prediction is ``exp(alpha * cos)``, where cos is the cosine similarity of its action to the newest
action for the same instant, over all seven numbers. Predictions that agree with the newest weigh more; with the
published alpha of 0.1 the weights differ by 22 % at most.
"""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

# Keeps the cosine defined for an all-zero action; the value is part of the published computation.
_NORM_FLOOR = 1e-7


@dataclass(frozen=True, eq=False)
class _Prediction:
    stamp: float
    actions: np.ndarray  # (H, A)


class AdaptiveEnsemble:
    """Averages overlapping action chunks, aligned by time.

    A chunk of stamp s predicts step i for the time ``s + i * period``. A chunk that is k periods older than the newest
    one therefore speaks of the newest one's step j with its own step ``j + k``. k is the time between the stamps,
    rounded to whole periods: missed ticks, late frames and camera jitter below half a period shift nothing.

    On exact ticks the first action equals that of the published ensembler; the others are the same average for the
    later instants, made of fewer chunks the further ahead they lie.

    Args:
        window: how many chunks are averaged, the newest included; also, in periods, the age at which one is forgotten.
        alpha: how much agreement with the newest prediction counts.
        period: time between the steps of a chunk [s].

    Raises:
        ValueError: if window is less than one, alpha is not finite, or the period is not positive.
    """

    def __init__(self, window: int, alpha: float, period: float) -> None:
        if window < 1:
            raise ValueError(f"the ensembling window counts the newest chunk and is at least 1, got {window}")
        if not math.isfinite(alpha):
            raise ValueError(f"the ensembling weight alpha must be a finite number, got {alpha}")
        if not (math.isfinite(period) and period > 0.0):
            raise ValueError(f"the ensembling period must be a positive number of seconds, got {period}")
        self._window = window
        self._alpha = alpha
        self._period = period
        self._predictions: deque[_Prediction] = deque(maxlen=window)

    def reset(self) -> None:
        """Forgets all past chunks."""
        self._predictions.clear()

    def add(self, stamp: float, actions: np.ndarray) -> np.ndarray:
        """Takes in the newest chunk and returns its ensembled form.

        Stamps that run backwards by half a period or more mean that the clock was set back: the past is forgotten.

        Args:
            stamp: time of the chunk's first step [s].
            actions: ``(H, A)``, in any units, the same for all chunks.

        Returns:
            ``(H, A)``, the average over the predictions for each instant; within their minimum and maximum.

        Raises:
            ValueError: if the actions are no matrix or have another width than the chunks before.
        """
        actions = np.asarray(actions, dtype=np.float64)
        if actions.ndim != 2:
            raise ValueError(f"a chunk of actions is a matrix (H, A), got shape {actions.shape}")
        if self._predictions:
            newest = self._predictions[-1]
            if actions.shape[1] != newest.actions.shape[1]:
                raise ValueError(
                    f"actions of {actions.shape[1]} numbers cannot be averaged with {newest.actions.shape[1]} numbers"
                )
            if self._periods_between(newest.stamp, stamp) < 0:
                self.reset()
        self._predictions.append(_Prediction(stamp, actions))

        shifts = [self._periods_between(prediction.stamp, stamp) for prediction in self._predictions]
        recent = [
            prediction.actions[shift:]
            for prediction, shift in zip(self._predictions, shifts, strict=True)
            if 0 <= shift < self._window
        ]
        ensembled = np.empty_like(actions)
        for step, newest_action in enumerate(actions):
            candidates = np.array([chunk[step] for chunk in recent if step < len(chunk)])  # (N, A)
            ensembled[step] = self._average(candidates, newest_action)
        return ensembled

    def _average(self, candidates: np.ndarray, newest: np.ndarray) -> np.ndarray:
        norms = np.linalg.norm(candidates, axis=1) * np.linalg.norm(newest)  # (N,)
        cosines = candidates @ newest / (norms + _NORM_FLOOR)
        weights = np.exp(self._alpha * cosines)
        weights /= weights.sum()
        return weights @ candidates

    def _periods_between(self, earlier: float, later: float) -> int:
        return round((later - earlier) / self._period)
