#!/usr/bin/env python3
# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The safety filter for half an hour with every core busy: memory, deadlines, and promises judged from the outside.

    python bench/soak.py [--minutes 30] [--load] [--chunk-rate 100]

The filter is a process of its own. This process plays the arm and a policy that publishes chunks at 100 Hz, and judges
every command that it hears: each begins on the one before it, and every tenth is audited from end to end for all that
the filter promises of commands. The exit code is 1 where a promise was broken, the filter's step failed, the filter was
in fault, or its memory grew after the warm-up by more than `--growth`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from bench.support.command_watch import CONTINUITY, CommandWatch  # noqa: E402
from bench.support.domains import own_domain  # noqa: E402
from bench.support.filter_figures import FilterDiagnostics  # noqa: E402
from bench.support.hardware import hardware  # noqa: E402
from bench.support.live_graph import Graph, Process  # noqa: E402
from bench.support.load import busy_cores, resident_bytes  # noqa: E402
from bench.support.stand_ins import DRIVER_PRIORITY, StandInArm, StandInPolicy  # noqa: E402
from instructvla_ros.msg import SafetyStatus  # noqa: E402
from instructvla_ros.nodes.realtime import keep_ticks_on_time  # noqa: E402
from instructvla_ros.safety import SafetyLimits, SafetyState  # noqa: E402

MEGABYTE = 1e6  # [B]
AUDIT_EVERY = 10  # commands; one after another would leave this process no time to play a driver


class Soak:
    """Filter, arm and policy, with what is measured of them while they run."""

    def __init__(self, graph: Graph, chunk_rate: float) -> None:
        self.diagnostics = FilterDiagnostics(graph)
        self.states: Counter[str] = Counter()
        self.memory: list[tuple[float, int]] = []  # monotonic time [s], resident memory of the filter [B]
        self.jitter: list[tuple[float, ...]] = []
        self.took: list[tuple[float, ...]] = []
        self._graph = graph
        self._arm = StandInArm(graph, kept=100, on_command=lambda c: self.watch.judge(c.arrival, c.trajectory))
        self.watch = CommandWatch(SafetyLimits.load("sim"), self._arm.chain, every=AUDIT_EVERY)
        self.filter: Process = graph.start("safety_filter_node", robot="sim")
        self._policy = StandInPolicy(graph.node, rate=chunk_rate, speed=0.2, where=self._arm.gripper)
        self._arm.await_state(SafetyStatus.STATE_MOVING)
        graph.wait_until(lambda: self.diagnostics.count >= 1, "diagnostics")

    def run(self, seconds: float) -> None:
        """Look once a second."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            count = self.diagnostics.count
            self._graph.wait_until(lambda count=count: self.diagnostics.count > count, "diagnostics of the filter")
            self.memory.append((time.monotonic(), resident_bytes(self.filter.process.pid)))
            figures = self.diagnostics.figures()
            self.jitter.append(figures.jitter)
            self.took.append(figures.took)
            self.states[SafetyState(self._arm.state).name.lower()] += 1


def growth(memory: list[tuple[float, int]]) -> tuple[float, float]:
    """Straight line through the memory over time: what it gained over the whole time [B], and in an hour [B/h]."""
    times, sizes = np.array(memory, dtype=float).T
    slope = float(np.polyfit(times - times[0], sizes, 1)[0]) if len(times) > 1 else 0.0
    return slope * float(times[-1] - times[0]), slope * 3600.0


def main() -> int:
    """Run, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--warm-up", type=float, default=30.0, help="that does not count [s]")
    parser.add_argument("--load", action="store_true", help="keep every core busy with processes that only count")
    parser.add_argument("--chunk-rate", type=float, default=100.0, help="[Hz]")
    parser.add_argument("--growth", type=float, default=2.0, help="of memory that is accepted [MB]")
    parser.add_argument("--domain", type=int, default=own_domain())
    arguments = parser.parse_args()
    before = hardware()
    graph = Graph(arguments.domain)
    try:
        soak = Soak(graph, arguments.chunk_rate)
        keep_ticks_on_time(DRIVER_PRIORITY)  # a driver that is held up loses commands, and cannot judge what it lost
        with busy_cores(arguments.load):
            soak.run(arguments.warm_up)
            misses, commands, start = soak.diagnostics.figures().misses, soak.watch.commands, time.monotonic()
            sent = int(soak.diagnostics.values["commands"])
            for kept in (soak.memory, soak.jitter, soak.took, soak.states):
                kept.clear()
            soak.run(60.0 * arguments.minutes)
            span = time.monotonic() - start
        values = dict(soak.diagnostics.values)
    finally:
        graph.close()
    grown, hourly = growth(soak.memory)
    sizes = [size / MEGABYTE for _, size in soak.memory]
    jitter, took = np.array(soak.jitter), np.array(soak.took)
    broken = dict(soak.watch.broken)
    commands, missed = soak.watch.commands - commands, soak.diagnostics.figures().misses - misses
    lost = max(0, int(values["commands"]) - sent - commands)
    if broken.get(CONTINUITY, 0) <= lost:  # the command after a lost one does not begin on the one before that
        broken.pop(CONTINUITY, None)
    print(f"{before}; {arguments.minutes:g} min after {arguments.warm_up:g} s, chunks at {arguments.chunk_rate:g} Hz, ")
    print(f"{'every core busy' if arguments.load else 'no load added'}, scheduling {values['scheduling']}")
    print("| what | figure |\n|---|---|")
    print(f"| filter's memory, first, last [MB] | {sizes[0]:.2f}, {sizes[-1]:.2f} |")
    print(f"| its slope, over the run [MB], in an hour [MB/h] | {grown / MEGABYTE:+.3f}, {hourly / MEGABYTE:+.2f} |")
    print(f"| commands heard, a second [Hz], lost on the way | {commands}, {commands / span:.1f}, {lost} |")
    print(f"| promises broken, commands audited from end to end | {broken or 'none'}, {soak.watch.audit.looked_at} |")
    print(f"| deadlines missed | {missed} |")
    print(f"| failed steps | {values['failed steps']} |")
    print(f"| jitter of ticks p50, p99 (worst window of 1000), longest [ms] | {_three(jitter)} |")
    print(f"| a tick takes p50, p99 (worst window of 1000), longest [ms] | {_three(took)} |")
    print(f"| states, looked at once a second | {dict(soak.states)} |")
    for limit in sorted(key for key in values if key.startswith("limit ")):
        print(f"| {limit} | {values[limit]} |")
    for promise, example in soak.watch.examples.items():
        print(f"first case of {promise}: {example}")
    bad = bool(broken) or values["failed steps"] != "0" or "fault" in soak.states
    if grown > arguments.growth * MEGABYTE:
        print(f"the filter's memory grew by {grown / MEGABYTE:.2f} MB, accepted are {arguments.growth:g} MB")
        bad = True
    return 1 if bad else 0


def _three(windows: np.ndarray) -> str:
    return f"{np.median(windows[:, 0]):.3f}, {windows[:, 1].max():.2f}, {windows[:, 2].max():.2f}"


if __name__ == "__main__":
    sys.exit(main())
