# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One operator at a time: who holds control, and how it goes from one viewer to another."""

from __future__ import annotations

import time
from collections.abc import Callable

GRACE = 10.0
"""How long a page that was loaded anew may have control back, where nobody has taken it meanwhile [s]."""


class ControlDesk:
    """Who operates. Whether a viewer may operate at all is decided elsewhere.

    Args:
        clock: monotonic [s].
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._operator: int | None = None
        self._last_session = ""
        self._lost_at = 0.0

    @property
    def operator(self) -> int | None:
        """The viewer who operates, if any does."""
        return self._operator

    def take(self, viewer: int, over: bool = False) -> bool:
        """Take control.

        Args:
            viewer: who wants it.
            over: whether to take it from another one.

        Returns:
            Whether the viewer operates now.
        """
        if self._operator is None or over:
            self._operator = viewer
        return self._operator == viewer

    def hand_over(self, viewer: int) -> None:
        """Give control up, so that anybody entitled can take it."""
        if self._operator == viewer:
            self._operator, self._last_session = None, ""

    def leave(self, viewer: int, session: str) -> bool:
        """A viewer's connection is gone; whether it was the operator's."""
        if self._operator != viewer:
            return False
        self._operator, self._last_session, self._lost_at = None, session, self._clock()
        return True

    def come_back(self, viewer: int, session: str) -> bool:
        """Give control back to the page that lost its connection while it had it; whether it was this one."""
        same = bool(session) and session == self._last_session and self._clock() - self._lost_at <= GRACE
        if not same or self._operator is not None:
            return False
        self._operator, self._last_session = viewer, ""
        return True
