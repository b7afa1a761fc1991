# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Joining chunks that are made while the arm moves: where the new one finds the arm, and what is owed until then.

A chunk is a plan from the instant of its observation. By the time it is there, the arm has gone on along the chunk
before. The new chunk is entered at the step that belongs to now; what the steps before it would have moved and what the
arm has really been told to move in that time differ, and the next few steps make up for it:

    owed = new plan's way from stamp to now  -  commanded way from stamp to now

So the arm ends where the new plan wants it, whatever the inference took, and its command never jumps. Nothing is
estimated: the commanded way is remembered, and the time that has passed is measured.
"""

import numpy as np


class ChunkSplicer:
    """Remembers the commanded way, and corrects each new chunk for it.

    Rotation vectors of single steps are small and count as additive.

    Args:
        period: time between the steps of a chunk [s].
        blend: over how many steps what is owed is made up for.

    Raises:
        ValueError: if the period is not positive or there is no step to blend over.
    """

    def __init__(self, period: float, blend: int) -> None:
        if not period > 0.0:
            raise ValueError(f"the period of steps must be positive, got {period}")
        if blend < 1:
            raise ValueError(f"what is owed is made up for over one step at least, got {blend}")
        self._period, self._blend = period, blend
        self.reset()

    def reset(self) -> None:
        """Forgets the commanded way: the arm rests."""
        self._times = np.zeros(1)  # (n,) [s]
        self._way = np.zeros((1, 6))  # (n, 6) [m, rad]

    def join(self, stamp: float, now: float, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fits a new chunk to the way that is being followed.

        Args:
            stamp: of the chunk's observation [s].
            now: when the chunk takes over, on the same clock [s].
            steps: ``(H, 6)`` its steps: translation [m], rotation vector [rad].

        Returns:
            ``(H, 6)`` the steps to publish, and ``(6,)`` what was owed [m, rad]. Where all steps but the last have
            passed, the last one makes up for everything; where all have, nothing is changed.
        """
        count = len(steps)
        ends = stamp + self._period * np.arange(count + 1)  # (H + 1,)
        planned = np.concatenate((np.zeros((1, 6)), np.cumsum(steps, axis=0)))  # (H + 1, 6)
        owed = _at(ends, planned, now) - (_at(self._times, self._way, now) - _at(self._times, self._way, stamp))
        first = int(np.ceil(max(now - stamp, 0.0) / self._period - 1e-9))  # the first step that has not begun
        joined = np.array(steps, dtype=float)
        first = min(first, count - 1) if now < ends[-1] else count
        span = slice(first, min(first + self._blend, count))
        if first < count:
            joined[span] += owed / (span.stop - span.start)
        self._remember(ends, joined, now)
        return joined, owed

    def _remember(self, ends: np.ndarray, joined: np.ndarray, now: float) -> None:
        """The commanded way: as it was until now, then along the new chunk."""
        here = _at(self._times, self._way, now)
        planned = np.concatenate((np.zeros((1, 6)), np.cumsum(joined, axis=0)))
        coming = ends > now
        way = here + planned[coming] - _at(ends, planned, now)
        past = self._times < now
        # what lies before the point that the next observation may be stamped with is not needed any more
        past &= self._times >= now - 2.0 * self._period * len(ends)
        self._times = np.concatenate((self._times[past], [now], ends[coming]))
        self._way = np.concatenate((self._way[past], here[None], way))


def _at(times: np.ndarray, way: np.ndarray, time: float) -> np.ndarray:
    """Point ``(6,)`` of a way at a time; before its beginning and after its end it rests."""
    return np.array([np.interp(time, times, way[:, axis]) for axis in range(way.shape[1])])
