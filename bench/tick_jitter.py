#!/usr/bin/env python3
# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How evenly the safety filter's control loop ticks at 100 Hz, on a machine at rest and with every core busy.

    python bench/tick_jitter.py [--seconds 30] [--rate 100]

The filter is a process of its own and follows chunks that come at 10 Hz, with joint states at 100 Hz. Jitter is
``|interval - period|`` between the starts of two ticks, as the filter itself measures it and tells on /diagnostics.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from bench.support.domains import own_domain  # noqa: E402
from bench.support.filter_figures import FilterDiagnostics, TickFigures  # noqa: E402
from bench.support.hardware import hardware  # noqa: E402
from bench.support.live_graph import Graph  # noqa: E402
from bench.support.load import busy_cores  # noqa: E402
from bench.support.stand_ins import StandInArm, StandInPolicy  # noqa: E402
from instructvla_ros.msg import SafetyStatus  # noqa: E402


def measure(seconds: float, rate: float, busy: bool, domain: int, **parameters: object) -> tuple[list, int]:
    """Figures of windows of a thousand ticks, and deadlines missed in all of them."""
    graph = Graph(domain)
    try:
        arm, diagnostics = StandInArm(graph, kept=1000), FilterDiagnostics(graph)
        graph.start("safety_filter_node", robot="sim", rate=rate, **parameters)
        StandInPolicy(graph.node)
        arm.await_state(SafetyStatus.STATE_MOVING)
        graph.wait_until(lambda: diagnostics.count >= 1, "diagnostics")
        with busy_cores(busy):
            window = 1000 / rate
            windows: list[TickFigures] = []
            end = time.monotonic() + window + 1.0  # to warm up: the first window holds the start
            graph.wait_until(lambda: time.monotonic() > end, "the warm-up", timeout=window + 60.0)
            misses = diagnostics.figures().misses
            for _ in range(max(1, round(seconds / window))):
                end = time.monotonic() + window
                count = diagnostics.count
                graph.wait_until(
                    lambda end=end, count=count: time.monotonic() > end and diagnostics.count > count,
                    "diagnostics",
                    timeout=window + 60.0,
                )
                windows.append(diagnostics.figures())
            return windows, windows[-1].misses - misses
    finally:
        graph.close()


def main() -> None:
    """Print one line a case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30.0, help="of each case, after 11 s to warm up")
    parser.add_argument("--rate", type=float, default=100.0, help="of the filter [Hz]")
    parser.add_argument("--domain", type=int, default=own_domain())
    arguments, rest = parser.parse_known_args()
    parameters = dict(text.split(":=", 1) for text in rest)
    print(f"{hardware()}; {arguments.seconds:g} s at {arguments.rate:g} Hz, in windows of 1000 ticks {' '.join(rest)}")
    print("| machine | jitter p50 [ms] | jitter p99 [ms] | longest [ms] | tick takes p99 [ms] | deadlines missed |")
    print("|---|---|---|---|---|---|")
    for name, busy in (("idle", False), ("every core busy", True)):
        windows, misses = measure(arguments.seconds, arguments.rate, busy, arguments.domain, **parameters)
        p50, p99, longest = np.array([figures.jitter for figures in windows]).T
        took = np.median([figures.took[1] for figures in windows])
        ticks = 1000 * len(windows)
        print(
            f"| {name} | {np.median(p50):.3f} | {np.median(p99):.2f} | {longest.max():.2f} | {took:.2f} "
            f"| {misses} of {ticks} |"
        )


if __name__ == "__main__":
    main()
