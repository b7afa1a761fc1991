# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fixed-rate thread, latency window and rate meter, on clocks that move when told to."""

import logging
import math
import threading

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from instructvla_ros.timing import FixedRateThread, LatencyWindow, RateMeter

PATIENCE = 10.0  # [s] after which a hanging thread fails the test


class TickingClock:
    """A clock that ticks and waits move; tick number k takes ``durations[k]``, then the thread is told to stop."""

    def __init__(self, durations, period=1.0, name="ticker", on_error=None):
        self.now = 100.0
        self.durations = durations
        self.started = []
        self.finished = threading.Event()
        self.thread = FixedRateThread(
            name, period, self.tick, clock=lambda: self.now, wait=self.wait, on_error=on_error
        )

    def tick(self):
        self.started.append(self.now - 100.0)
        duration = self.durations[len(self.started) - 1]
        if len(self.started) == len(self.durations):
            self.thread.stop()
            self.finished.set()
        if isinstance(duration, Exception):
            raise duration
        self.now += duration

    def wait(self, seconds):
        assert seconds > 0.0
        self.now += seconds
        return False

    def run(self):
        self.thread.start()
        assert self.finished.wait(PATIENCE)
        assert self.thread.stop(PATIENCE)
        return self.started


def test_ticks_start_on_the_grid_however_long_they_take():
    clock = TickingClock([0.1, 0.9, 0.3, 0.99, 0.0, 0.5])
    assert clock.run() == pytest.approx([0, 1, 2, 3, 4, 5])
    assert clock.thread.misses == 0
    assert clock.thread.ticks == 6


def test_a_tick_that_ends_on_its_deadline_is_no_miss():
    clock = TickingClock([1.0, 1.0, 1.0])
    assert clock.run() == [0, 1, 2]
    assert clock.thread.misses == 0


def test_a_long_tick_costs_its_deadlines_and_is_not_made_up_for_in_a_burst():
    clock = TickingClock([3.5, 0.1, 0.1, 0.1])
    assert clock.run() == pytest.approx([0, 3.5, 4, 5])
    assert clock.thread.misses == 3


def test_ticks_that_are_always_too_long_run_back_to_back_and_each_is_counted():
    clock = TickingClock([1.1] * 8)
    assert clock.run() == pytest.approx([1.1 * index for index in range(8)])
    assert clock.thread.misses == 8


eighths = st.integers(0, 48).map(lambda count: count / 8)  # exact in binary, so that deadlines are met exactly


@given(st.lists(eighths, min_size=1, max_size=40), eighths.filter(bool))
@example(durations=[2.0, 0.0, 0.0], period=1.0)
def test_no_two_ticks_serve_the_same_deadline_and_every_other_deadline_is_a_miss(durations, period):
    clock = TickingClock([*durations, 0.0], period)
    slots = [math.floor(started / period) for started in clock.run()]
    assert slots == sorted(set(slots))
    late = sum(started % period > 0.0 for started in clock.started)
    assert clock.thread.misses == slots[-1] + 1 - len(slots) + late


def test_an_exception_is_counted_and_reported_and_the_loop_goes_on():
    errors = []
    clock = TickingClock([0.1, ValueError("bad"), 0.1], on_error=errors.append)
    assert clock.run() == pytest.approx([0, 1, 2])
    assert [str(error) for error in errors] == ["bad"]
    assert clock.thread.errors == 1
    assert clock.thread.ticks == 3


def test_an_exception_is_logged_by_default(caplog):
    with caplog.at_level(logging.ERROR):
        TickingClock([ValueError("no bananas"), 0.1], name="fruit").run()
    assert "a tick of fruit failed: no bananas" in caplog.text
    assert "Traceback" in caplog.text


def test_a_failing_error_callback_does_not_end_the_loop(caplog):
    def fail(error):
        raise RuntimeError("worse")

    clock = TickingClock([ValueError("bad"), 0.1], on_error=fail)
    assert len(clock.run()) == 2
    assert "the error callback of ticker failed" in caplog.text


def test_stop_wakes_a_waiting_thread_and_waits_for_it():
    ticked = threading.Event()
    thread = FixedRateThread("slow", 3600.0, ticked.set)
    thread.start()
    assert ticked.wait(PATIENCE)
    assert thread.stop(PATIENCE)
    assert not thread.running
    assert thread.ticks == 1


def test_stop_gives_up_on_a_tick_that_hangs_and_says_so():
    entered, release = threading.Event(), threading.Event()
    thread = FixedRateThread("stuck", 1.0, lambda: (entered.set(), release.wait(PATIENCE)))
    thread.start()
    assert entered.wait(PATIENCE)
    assert not thread.stop(timeout=0.0)
    release.set()
    assert thread.stop(PATIENCE)


def test_a_thread_stopped_before_its_start_never_ticks():
    thread = FixedRateThread("never", 1.0, lambda: pytest.fail("ticked"))
    assert thread.stop()
    thread.start()
    assert thread.stop(PATIENCE)
    assert thread.ticks == 0


@pytest.mark.parametrize("period", [0.0, -1.0, math.nan, math.inf])
def test_a_period_that_makes_no_sense_is_refused(period):
    with pytest.raises(ValueError, match="the period of 'x' must be a positive number"):
        FixedRateThread("x", period, print)


@given(st.lists(st.floats(0.0, 10.0), min_size=1, max_size=60), st.integers(1, 20))
def test_percentiles_are_those_of_the_newest_latencies(latencies, capacity):
    window = LatencyWindow(capacity)
    for latency in latencies:
        window.add(latency)
    assert window.percentiles(50, 95, 99) == pytest.approx(tuple(np.percentile(latencies[-capacity:], (50, 95, 99))))
    assert window.count == len(latencies)


def test_a_window_without_latencies_has_no_percentiles():
    window = LatencyWindow(4)
    assert all(math.isnan(value) for value in window.percentiles(50, 99))
    window.add(1.0)
    window.clear()
    assert math.isnan(window.percentiles(50)[0])
    assert window.count == 0


def test_a_window_loses_no_latency_of_several_threads():
    window = LatencyWindow(10)
    start = threading.Barrier(4)

    def add():
        start.wait(PATIENCE)
        for _ in range(2000):
            window.add(0.5)
            window.percentiles(50)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert window.count == 8000


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_window_that_keeps_nothing_is_refused(capacity):
    with pytest.raises(ValueError, match="at least one"):
        LatencyWindow(capacity)


class StillClock:
    def __init__(self):
        self.now = 50.0

    def __call__(self):
        return self.now


def test_a_rate_meter_measures_a_steady_rate_and_forgets_old_events():
    clock = StillClock()
    meter = RateMeter(window=2.0, clock=clock)
    rates = []
    for spacing in [0.1] * 100 + [0.5] * 20:
        clock.now += spacing
        meter.add()
        rates.append(meter.rate())
    assert rates[99] == pytest.approx(10.0)
    assert rates[-1] == pytest.approx(2.0)


def test_the_rate_sinks_to_nothing_when_events_stop():
    clock = StillClock()
    meter = RateMeter(window=2.0, clock=clock)
    assert meter.rate() == 0.0
    for _ in range(21):
        clock.now += 0.1
        meter.add()
    clock.now += 1.0
    assert meter.rate() < 10.0
    clock.now += 1.1
    assert meter.rate() == 0.0


def test_one_event_makes_no_rate():
    meter = RateMeter(window=2.0, clock=StillClock())
    meter.add()
    assert meter.rate() == 0.0


@pytest.mark.parametrize("window", [0.0, -1.0, math.nan])
def test_a_rate_window_that_makes_no_sense_is_refused(window):
    with pytest.raises(ValueError, match="must be positive"):
        RateMeter(window)
