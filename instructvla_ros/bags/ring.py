# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The memory of the flight recorder, and what makes it be written."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from instructvla_ros.safety import SafetyState
from instructvla_ros.timing import NANOSECONDS


@dataclass(frozen=True)
class Message:
    """One serialized message.

    Attributes:
        topic: full name.
        stamp: when it came [ns since the epoch].
        data: in CDR, as it came over the wire.
    """

    topic: str
    stamp: int
    data: bytes


class Ring:
    """The newest messages of all topics, bounded in time and in memory; safe to use from several threads.

    The newest message of a latched topic is never forgotten: without the robot's description and the instruction, the
    rest could not be played. It counts for the memory too.

    Args:
        seconds: how far back it reaches [s], counted by the stamps.
        megabytes: how much it holds at most [MB].
        latched: topics whose newest message is kept for good.

    Raises:
        ValueError: a bound is not positive.
    """

    def __init__(self, seconds: float, megabytes: float, latched: frozenset[str] = frozenset()) -> None:
        if not (seconds > 0.0 and megabytes > 0.0):
            raise ValueError(f"a ring needs positive bounds, got {seconds:g} s and {megabytes:g} MB")
        self._span = int(seconds * NANOSECONDS)
        self._limit = int(megabytes * 1e6)
        self._latched = latched
        self._lock = threading.Lock()
        self._messages: deque[Message] = deque()
        self._kept: dict[str, Message] = {}
        self._bytes = 0

    @property
    def megabytes(self) -> float:
        """What it holds now [MB]."""
        with self._lock:
            return self._bytes / 1e6

    @property
    def seconds(self) -> float:
        """How far back it reaches now [s]."""
        with self._lock:
            if not self._messages:
                return 0.0
            return (self._messages[-1].stamp - self._messages[0].stamp) / NANOSECONDS

    def add(self, message: Message) -> None:
        """Add the newest message and forget the oldest ones. A clock that was set back empties the ring."""
        with self._lock:
            if self._messages and message.stamp < self._messages[-1].stamp - self._span:
                self._messages.clear()
                self._bytes = sum(len(kept.data) for kept in self._kept.values())
            self._messages.append(message)
            self._bytes += len(message.data)
            oldest = message.stamp - self._span
            while self._messages and (self._messages[0].stamp < oldest or self._bytes > self._limit):
                self._forget(self._messages.popleft())

    def _forget(self, message: Message) -> None:
        self._bytes -= len(message.data)
        if message.topic in self._latched:
            before = self._kept.get(message.topic)
            self._bytes += len(message.data) - (len(before.data) if before else 0)
            self._kept[message.topic] = message

    def snapshot(self) -> list[Message]:
        """All that it holds, oldest first; what is kept of latched topics comes first, with the stamp of the oldest."""
        with self._lock:
            messages = list(self._messages)
            kept = list(self._kept.values())
        if not messages:
            return kept
        start = messages[0].stamp
        return [Message(k.topic, start, k.data) for k in kept] + sorted(messages, key=lambda message: message.stamp)


class Triggers:
    """Decides by the safety status when the flight recorder writes.

    A stop is told by the state that begins it, a fault likewise; a burst by how many interventions came within a while.

    Args:
        burst: how many interventions are a burst; 0: never one.
        window: within which time [s].
    """

    def __init__(self, burst: int, window: float) -> None:
        self._burst = burst
        self._window = window
        self._state: int | None = None
        self._counts: deque[tuple[float, int]] = deque()

    def see(self, now: float, state: int, reason: str, interventions: int) -> str:
        """Look at a status.

        Args:
            now: monotonic time [s].
            state: a :class:`SafetyState`, or its number.
            reason: the status's words.
            interventions: how many the filter has counted since its start.

        Returns:
            Why to write now, for people; empty: no reason.
        """
        before, self._state = self._state, state
        stopped = (SafetyState.STOPPING, SafetyState.STOPPED)
        if state == SafetyState.FAULT and before != SafetyState.FAULT:
            return f"fault: {reason}"
        if state in stopped and before not in (*stopped, SafetyState.FAULT):
            return f"stop: {reason}"
        if self._counts and interventions < self._counts[-1][1]:
            self._counts.clear()  # another filter
        self._counts.append((now, interventions))
        while self._counts and now - self._counts[0][0] > self._window:
            self._counts.popleft()
        fresh = interventions - self._counts[0][1]
        if self._burst and fresh >= self._burst:
            self._counts.clear()
            self._counts.append((now, interventions))
            return f"{fresh} interventions within {self._window:g} s"
        return ""
