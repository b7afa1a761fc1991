# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Motion only while a button is held: its messages must keep coming, else the arm comes to rest."""

import math
import threading

from instructvla_ros.safety.report import Intervention

LIMIT = "hold_to_run"


class HoldToRun:
    """Remembers when the button was last told to be held; may be told from any thread.

    Args:
        timeout: how long it counts as held after a message [s].
        subject: topic of the button, for reports.
    """

    def __init__(self, timeout: float, subject: str) -> None:
        self._timeout = timeout
        self._subject = subject
        self._lock = threading.Lock()
        self._held_at = -math.inf

    def put(self, held: bool, now: float) -> None:
        """A message of the button came at an instant [s] of a monotonic clock; one that says no lets go at once."""
        with self._lock:
            self._held_at = now if held else -math.inf

    def released(self, now: float) -> Intervention | None:
        """Why the arm must rest at an instant [s]; None while the button is held."""
        with self._lock:
            age = now - self._held_at
        if 0.0 <= age <= self._timeout:
            return None
        silent = "" if math.isinf(age) else f": its last message came {age:.2f} s ago, allowed {self._timeout:g} s"
        return Intervention(
            LIMIT, self._subject, age if math.isfinite(age) else math.nan, self._timeout, "s",
            f"the button on {self._subject} is not held{silent}",
        )
