# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Turns at one model for two threads, in the order of their coming: who acts waits for one word at most."""

import threading
from collections import deque
from types import TracebackType


class Turns:
    """A lock that goes to whoever has waited longest.

    With Python's own lock a thread that releases and takes again wins nearly always, and the other starves. Here a
    thread that speaks word by word calls :meth:`give_way` between words: a thread that wants to act then waits for the
    rest of one word, and the speaker for one act.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Event] = deque()

    def __enter__(self) -> "Turns":
        with self._guard:
            if not self._taken:
                self._taken = True
                return self
            ticket = threading.Event()
            self._waiting.append(ticket)
        ticket.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()  # stays taken: handed over
            else:
                self._taken = False

    @property
    def waiting(self) -> int:
        """Threads that wait for their turn."""
        return len(self._waiting)

    def give_way(self) -> None:
        """Let those who wait have their turn first; to be called by who has the turn."""
        if self.waiting:
            self.__exit__(None, None, None)
            self.__enter__()
