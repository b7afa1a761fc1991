# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Keeping a rate and measuring it: a fixed-rate thread, a window of latencies, a rate meter."""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable

import numpy as np

NANOSECONDS = 1_000_000_000
"""Of a second."""

_LOGGER = logging.getLogger(__name__)


class FixedRateThread:
    """Calls a function at a fixed rate on a thread of its own.

    Deadlines are absolute: tick k is due at ``start + k * period``, so the rate does not drift however long the ticks
    take. A tick that runs past later deadlines costs them: each deadline passed is counted as a miss, the newest of
    them is served at once and the others never, so that a late loop does not make up for lost ticks in a burst.

    An exception in a tick is counted and handed to ``on_error``; the loop goes on.

    Args:
        name: name of the thread, as debuggers and ``top -H`` show it.
        period: time between ticks [s].
        tick: the function to call.
        clock: monotonic clock [s].
        wait: sleeps for so many seconds and returns True if the thread was told to stop meanwhile; replaced in tests.
        on_error: called with the exception of a failed tick; logs it with its traceback by default.

    Raises:
        ValueError: if the period is not a positive number.
    """

    def __init__(
        self,
        name: str,
        period: float,
        tick: Callable[[], object],
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], bool] | None = None,
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        if not (math.isfinite(period) and period > 0.0):
            raise ValueError(f"the period of {name!r} must be a positive number of seconds, got {period}")
        self.name = name
        self.period = period
        self._tick = tick
        self._clock = clock
        self._stopping = threading.Event()
        self._wait = wait or self._stopping.wait
        self._on_error = on_error or self._log_error
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._ticks = 0
        self._misses = 0
        self._errors = 0

    @property
    def ticks(self) -> int:
        """Ticks run so far, failed ones included."""
        return self._ticks

    @property
    def misses(self) -> int:
        """Deadlines that passed while an earlier tick was still running."""
        return self._misses

    @property
    def errors(self) -> int:
        """Ticks that raised an exception."""
        return self._errors

    @property
    def running(self) -> bool:
        """Whether the thread is alive."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Starts the thread; the first tick comes at once. A thread can be started once."""
        self._thread.start()

    def stop(self, timeout: float | None = None) -> bool:
        """Asks the loop to end after the tick in progress and waits for it.

        Args:
            timeout: longest wait [s]; None waits as long as the tick takes.

        Returns:
            True when the thread has ended. Called from within a tick, it only asks, and returns False.
        """
        self._stopping.set()
        if threading.current_thread() is self._thread:
            return False
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        deadline = self._clock()
        while not self._stopping.is_set():
            self._run_tick()
            periods = (self._clock() - deadline) / self.period
            self._misses += max(0, math.ceil(periods) - 1)  # a tick that ends exactly on the next deadline is in time
            deadline += max(1, math.floor(periods)) * self.period
            remaining = deadline - self._clock()
            if remaining > 0.0 and self._wait(remaining):
                return

    def _run_tick(self) -> None:
        self._ticks += 1
        try:
            self._tick()
        except Exception as error:
            self._errors += 1
            try:
                self._on_error(error)
            except Exception:
                _LOGGER.exception("the error callback of %s failed", self.name)

    def _log_error(self, error: Exception) -> None:
        _LOGGER.error("a tick of %s failed: %s", self.name, error, exc_info=error)


class LatencyWindow:
    """The newest latencies and their percentiles; safe to use from several threads.

    Args:
        capacity: how many latencies are kept; older ones are forgotten.

    Raises:
        ValueError: if the capacity is less than one.
    """

    def __init__(self, capacity: int = 512) -> None:
        if capacity < 1:
            raise ValueError(f"a latency window keeps at least one value, got capacity {capacity}")
        self._lock = threading.Lock()
        self._values: deque[float] = deque(maxlen=capacity)
        self._count = 0

    @property
    def count(self) -> int:
        """Latencies added since the start or the last ``clear``, forgotten ones included."""
        with self._lock:
            return self._count

    def add(self, seconds: float) -> None:
        """Adds one latency [s]."""
        with self._lock:
            self._values.append(seconds)
            self._count += 1

    def clear(self) -> None:
        """Forgets everything, for instance after a warm-up."""
        with self._lock:
            self._values.clear()
            self._count = 0

    def percentiles(self, *percents: float) -> tuple[float, ...]:
        """Percentiles of the latencies kept [s], interpolated linearly; NaN while there are none.

        Args:
            percents: each from 0 to 100.
        """
        with self._lock:
            values = list(self._values)
        if not values:
            return tuple(math.nan for _ in percents)
        return tuple(float(value) for value in np.percentile(values, percents))


class RateMeter:
    """The rate of events achieved lately; safe to use from several threads.

    Args:
        window: how far back events count [s].
        clock: monotonic clock [s].

    Raises:
        ValueError: if the window is not positive.
    """

    def __init__(self, window: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        if not window > 0.0:
            raise ValueError(f"the window of a rate meter must be positive, got {window}")
        self._window = window
        self._clock = clock
        self._lock = threading.Lock()
        self._times: deque[float] = deque()

    def add(self) -> None:
        """Counts one event, now."""
        with self._lock:
            now = self._clock()
            self._times.append(now)
            self._forget(now)

    def rate(self) -> float:
        """Events per second [Hz] over the window; 0 with fewer than two events in it.

        The pause since the last event counts once it exceeds the mean spacing, so the rate sinks when events stop.
        """
        with self._lock:
            now = self._clock()
            self._forget(now)
            intervals = len(self._times) - 1
            if intervals < 1:
                return 0.0
            span = self._times[-1] - self._times[0]
            pause = now - self._times[-1]
            if pause > span / intervals:
                return (intervals + 1) / (span + pause)
            return intervals / span if span > 0.0 else 0.0

    def _forget(self, now: float) -> None:
        while self._times and now - self._times[0] > self._window:
            self._times.popleft()
