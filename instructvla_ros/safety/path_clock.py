# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The time of the path, which passes more slowly than the world's where the speed is scaled."""

from collections import deque


class PathClock:
    """Scales the time along chunks, so that a slower arm makes the same way and closes its gripper in the same place.

    One second of the world is as much of the path's time as the scale says. An instant of the past keeps the path's
    time that it had, so that the steps of a chunk that were not made since its observation are not skipped.

    Args:
        memory: how far back instants are looked up [s]; further back the time passes as it did then.
    """

    def __init__(self, memory: float) -> None:
        self._memory = memory
        self._changes: deque[tuple[float, float, float]] = deque()  # world's time, path's time, scale from there on

    @property
    def scale(self) -> float:
        """Path's seconds in a second of the world's time now."""
        return self._changes[-1][2] if self._changes else 1.0

    def set(self, now: float, scale: float) -> None:
        """From now [s] on the path's time passes at this rate.

        A clock of the world that goes backward makes the path's time begin anew.
        """
        if not self._changes or now < self._changes[-1][0]:
            self._changes.clear()
            self._changes.append((now, now, scale))
        elif scale != self._changes[-1][2]:
            self._changes.append((now, self.at(now), scale))
        while len(self._changes) > 1 and self._changes[1][0] < now - self._memory:
            self._changes.popleft()

    def at(self, instant: float) -> float:
        """The path's time [s] at an instant of the world's [s], past or to come."""
        for since, time, scale in reversed(self._changes):
            if instant >= since:
                return time + scale * (instant - since)
        if not self._changes:
            return instant
        since, time, scale = self._changes[0]
        return time + scale * (instant - since)
