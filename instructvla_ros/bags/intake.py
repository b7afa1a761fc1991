# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A thread that takes messages off whoever receives them, so that a slow disk holds nobody up."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable

from instructvla_ros.bags.ring import Message


class Intake:
    """Hands messages to a function on a thread of its own; the queue between is bounded in memory.

    What finds the queue full is lost and counted. An error of the function ends nothing: it is told to ``on_error``,
    and the message it had is lost.

    Args:
        name: of the thread.
        megabytes: bound of the queue [MB].
        handle: called with every message.
        idle: called at least every ``period``, on the same thread.
        on_error: called with what ``handle`` or ``idle`` raised.
        period: [s].
    """

    def __init__(
        self,
        name: str,
        megabytes: float,
        handle: Callable[[Message], None],
        idle: Callable[[], None],
        on_error: Callable[[Exception], None],
        period: float = 0.25,
    ) -> None:
        self._limit = int(megabytes * 1e6)
        self._handle, self._idle, self._on_error = handle, idle, on_error
        self._period = period
        self._queue: deque[Message] = deque()
        self._bytes = 0
        self._ending = False
        self._changed = threading.Condition()
        self.lost: Counter[str] = Counter()
        """Messages lost so far, by topic."""
        self.most = 0
        """The most that the queue has held [bytes]."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, message: Message) -> bool:
        """Queue a message; False where it was lost because the queue is full."""
        with self._changed:
            if self._ending or self._bytes + len(message.data) > self._limit:
                self.lost[message.topic] += 1
                return False
            self._queue.append(message)
            self._bytes += len(message.data)
            self.most = max(self.most, self._bytes)
            if len(self._queue) == 1:
                self._changed.notify()
        return True

    def close(self, timeout: float) -> bool:
        """Handle what is queued, then end; what takes longer than the timeout [s] is counted as lost: then False."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join(timeout)
        if not self._thread.is_alive():
            return True
        with self._changed:
            self.lost.update(message.topic for message in self._queue)
            self._queue.clear()
        self._thread.join(timeout)  # the one in hand: nobody else may touch the bag meanwhile
        return False

    def _run(self) -> None:
        due = time.monotonic() + self._period
        while True:
            with self._changed:
                if not self._queue and not self._ending:
                    self._changed.wait(max(0.0, due - time.monotonic()))
                message = self._queue.popleft() if self._queue else None
                ended = self._ending and message is None
            if message is not None:
                try:
                    self._handle(message)
                except Exception as error:
                    self.lost[message.topic] += 1
                    self._on_error(error)
                with self._changed:
                    self._bytes -= len(message.data)
            if time.monotonic() >= due or ended:
                due = self._look()
            if ended:
                return

    def _look(self) -> float:
        try:
            self._idle()
        except Exception as error:
            self._on_error(error)
        return time.monotonic() + self._period
