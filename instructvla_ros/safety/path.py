# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The path that a chunk asks for: its time line, and the pose commanded along it."""

import numpy as np

from instructvla_ros.robot.action_chunk import ActionChunk
from instructvla_ros.robot.poses import length, pose_error, rotation_from_vector

# Rate at which the joints close in on the commanded pose [1/s]: an offset shrinks to a twentieth within the 0.2 s that
# the end of a chunk leaves, and accelerations stay far below what the tests' arms are allowed.
_CATCH_UP_RATE = 15.0
# Share of a speed limit that catching up may always use, however fast the chunk wants to go.
_CATCH_UP_SHARE = 0.1
# Corners between steps are rounded over this time, and over no more than this many steps: the arm begins to turn before
# the corner, and to brake before the end, as its accelerations need; it strays from the corner by an eighth of the
# change of velocity times this time.
_ROUNDING_TIME = 0.1  # [s]
_ROUNDING_STEPS = 1.0
# Time constant with which the path gives up what the arm lags beyond half the limits.
_FORGETTING = 0.3  # [s]


class CommandedPath:
    """Follows chunks by their time line, with a pose that advances only as far as the limits let it.

    Step i of a chunk covers ``[stamp + i * period, stamp + (i + 1) * period)``. What is asked of an instant is the
    step's displacement divided by the period, rounded at the corners; the commanded pose integrates the share of it
    that the limits allow, so that it waits for an arm that cannot follow instead of running away from it. All times are
    on the :class:`~instructvla_ros.safety.path_clock.PathClock`, which passes more slowly where the speed is scaled.

    Args:
        lag_limits: longest lag of the arm behind the commanded pose, translation [m] and rotation [rad].
        speed_limits: translation [m/s] and rotation [rad/s], as the motion is aimed at.
    """

    def __init__(self, lag_limits: tuple[float, float], speed_limits: tuple[float, float]) -> None:
        self._lag_limits = lag_limits
        self._speed_limits = speed_limits
        self.chunk: ActionChunk | None = None
        self._begin = 0.0
        self._pose = np.eye(4)
        self._travelled = np.zeros((1, 6))  # (H + 1, 6)
        self._summed = np.zeros((1, 6))  # (H + 1, 6), integral of what is travelled over time
        self._rounding = _ROUNDING_TIME
        self._covered = 0.0
        self._owed = np.zeros(6)

    @property
    def end(self) -> float:
        """When the last step of the chunk ends [s]."""
        assert self.chunk is not None
        return self._begin + len(self.chunk) * self.chunk.period

    def take(self, chunk: ActionChunk, begin: float, start: np.ndarray | None, now: float) -> None:
        """Follows a chunk from now on.

        Args:
            chunk: a chunk that passed the gate.
            begin: its stamp, on the clock of the path [s].
            start: ``(4, 4)`` pose to go on from; None for the pose commanded so far.
            now: time [s].
        """
        covered = now if self.chunk is None else self._covered
        ahead = -self._ahead(covered) if self.chunk is not None and start is None else np.zeros(6)
        self._travelled = chunk.travelled  # (H + 1, 6)
        means = 0.5 * chunk.period * (self._travelled[:-1] + self._travelled[1:])
        self._summed = np.concatenate((np.zeros((1, 6)), np.cumsum(means, axis=0)))
        self._rounding = min(_ROUNDING_TIME, _ROUNDING_STEPS * chunk.period)
        if start is not None:
            self._pose, self._owed = start.copy(), np.zeros(6)
        self._covered = covered
        self.chunk, self._begin = chunk, begin
        # What rounding brings forward across this moment is neither lost nor done twice.
        self._owed = self._owed + ahead + self._ahead(covered)

    def drop(self) -> None:
        """Follows nothing any more."""
        self.chunk = None

    def gripper(self, now: float) -> float:
        """Opening asked for at an instant."""
        assert self.chunk is not None
        index = int((now - self._begin) / self.chunk.period)
        return float(self.chunk.grippers[min(max(index, 0), len(self.chunk) - 1)])

    def asked(self, now: float, until: float) -> tuple[np.ndarray, float]:
        """Mean twist that the chunk asks for from where the path was left, at most one tick ago, to an instant.

        Args:
            now: time [s].
            until: when the motion that is planned now will be over [s].

        Returns:
            ``(6,)`` twist in base-frame axes [m/s, rad/s], and the time it covers [s].
        """
        start = max(self._covered, 2.0 * now - until)
        span = until - start
        if span <= 0.0:
            return np.zeros(6), 0.0
        reached, left = self._travelled_at(until, start)
        return (reached - left) / span, span

    def advance(
        self, asked: np.ndarray, share: float, span: float, until: float, low: np.ndarray, high: np.ndarray
    ) -> None:
        """Moves the commanded pose on.

        Args:
            asked: ``(6,)`` twist asked for [m/s, rad/s].
            share: what the limits have left of it, 0 to 1.
            span: for how long [s].
            until: the time that is covered now [s].
            low: ``(3,)`` lowest position of the commanded pose [m].
            high: ``(3,)`` highest [m].
        """
        self._covered = max(self._covered, until)
        displacement = share * (span * asked + self._owed)
        self._owed = np.zeros(6)
        self._pose[:3, 3] = np.minimum(np.maximum(self._pose[:3, 3] + displacement[:3], low), high)
        self._pose[:3, :3] = rotation_from_vector(displacement[3:]) @ self._pose[:3, :3]

    def lag(self, pose: np.ndarray) -> np.ndarray:
        """From a pose to the commanded one, ``(6,)`` [m, rad]."""
        return pose_error(self._pose, pose)

    def lag_share(self, asked: np.ndarray, lag: np.ndarray) -> tuple[float, int]:
        """Share of the asked twist that keeps the arm within the lag limits, and of what: 0 translation, 1 rotation.

        Full speed up to half the limit, then falling to none at the limit; a twist that shortens the lag is free.
        """
        shares = []
        for part, limit in zip((slice(0, 3), slice(3, 6)), self._lag_limits, strict=True):
            away = float(asked[part] @ lag[part]) > 0.0
            share = 2.0 - 2.0 * length(lag[part]) / limit if away else 1.0
            shares.append(min(max(share, 0.0), 1.0))
        return min(shares), int(shares[1] < shares[0])

    def forget(self, lag: np.ndarray, span: float) -> None:
        """Lets go of what the arm lags beyond half the limits: a path that cannot be followed shall not bind it.

        Args:
            lag: ``(6,)`` of :meth:`lag`.
            span: time that passes [s].
        """
        left = np.zeros(6)
        for part, limit in zip((slice(0, 3), slice(3, 6)), self._lag_limits, strict=True):
            size = length(lag[part])
            if size > 0.5 * limit:
                left[part] = lag[part] * (min(span / _FORGETTING, 1.0) * (size - 0.5 * limit) / size)
        if left.any():
            self.give_up(left)

    def give_up(self, lag: np.ndarray) -> None:
        """Brings the commanded pose back by a part ``(6,)`` of what the arm lags [m, rad]."""
        self._pose[:3, 3] -= lag[:3]
        self._pose[:3, :3] = rotation_from_vector(-lag[3:]) @ self._pose[:3, :3]

    def catch_up(self, asked: np.ndarray, lag: np.ndarray) -> np.ndarray:
        """Twist ``(6,)`` that closes the lag, within what the asked twist leaves of the speed limits."""
        twist = _CATCH_UP_RATE * lag
        for part, limit in zip((slice(0, 3), slice(3, 6)), self._speed_limits, strict=True):
            budget = max(limit - length(asked[part]), _CATCH_UP_SHARE * limit)
            speed = length(twist[part])
            if speed > budget:
                twist[part] *= budget / speed
        return twist

    def _ahead(self, time: float) -> np.ndarray:
        """By how much rounding has run ahead of the steps themselves, ``(6,)`` [m, rad]."""
        assert self.chunk is not None
        steps = len(self._travelled) - 1
        progress = min(max((time - self._begin) / self.chunk.period, 0.0), float(steps))
        index = min(int(progress), steps - 1)
        before = self._travelled[index]
        return self._travelled_at(time)[0] - before - (progress - index) * (self._travelled[index + 1] - before)

    def _travelled_at(self, *times: float) -> np.ndarray:
        """Displacements ``(k, 6)`` since the start of the chunk, corners rounded by a moving mean [m, rad]."""
        half = 0.5 * self._rounding
        sums = self._summed_at(np.array([time + half for time in times] + [time - half for time in times]))
        return (sums[: len(times)] - sums[len(times) :]) / self._rounding

    def _summed_at(self, times: np.ndarray) -> np.ndarray:
        """Integrals ``(k, 6)`` of the displacement until some times ``(k,)`` [m s, rad s]."""
        assert self.chunk is not None
        progress = np.maximum((times - self._begin) / self.chunk.period, 0.0)
        index = np.minimum(progress.astype(int), len(self._travelled) - 2)
        left = (progress - index)[:, None]  # steps since the beginning of step `index`, beyond 1 after the last one
        within = np.minimum(left, 1.0)
        before, after = self._travelled[index], self._travelled[index + 1]
        mean = within * before + (0.5 * within * within) * (after - before) + (left - within) * after
        return self._summed[index] + self.chunk.period * mean
