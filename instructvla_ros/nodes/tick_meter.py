# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How evenly a control loop ticks, and how long its ticks take."""

from __future__ import annotations

import math
import time

from instructvla_ros.timing import LatencyWindow, RateMeter

WINDOW = 1000  # ticks


class TickMeter:
    """Measures a loop from within; told on the diagnostics for the newest thousand ticks.

    Args:
        period: time between ticks, as it should be [s].
    """

    def __init__(self, period: float) -> None:
        self._period = period
        self._rate = RateMeter()
        self._jitter, self._took = LatencyWindow(WINDOW), LatencyWindow(WINDOW)
        self._start = math.nan

    def start(self) -> float:
        """A tick starts; the monotonic time of it [s]."""
        now = time.monotonic()
        self._rate.add()
        if math.isfinite(self._start):
            self._jitter.add(abs(now - self._start - self._period))
        self._start = now
        return now

    def end(self) -> None:
        """The tick ends."""
        self._took.add(time.monotonic() - self._start)

    def values(self) -> dict[str, object]:
        """Lines for the diagnostics; jitter is ``|interval - period|`` between the starts of two ticks."""
        return {
            "rate [Hz]": f"{self._rate.rate():.1f}",
            "tick jitter p50, p99, max [ms]": _milliseconds(self._jitter),
            "tick takes p50, p99, max [ms]": _milliseconds(self._took),
        }


def _milliseconds(window: LatencyWindow) -> str:
    return ", ".join(f"{1e3 * value:.2f}" for value in window.percentiles(50, 99, 100))
