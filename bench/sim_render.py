# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Milliseconds per picture and per physics step of the simulated table-top.

Run ``python bench/sim_render.py``; ``--count`` and ``--warm-up`` set how much is measured and what is thrown away.
"""

import argparse
import functools
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import mujoco
import numpy as np

from instructvla_ros.sim.rendering import choose_backend
from instructvla_ros.sim.table_top import TableTop

SIZES = ((128, 128), (224, 224), (448, 448), (640, 480))
LOOKS = (("plain", False, False), ("smooth edges", True, False), ("smooth edges and shadows", True, True))


def processor() -> str:
    """Name of the processor."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def measure(action: Callable[[], object], warm_up: int, count: int) -> np.ndarray:
    """Durations of an action, ``(count,)`` [ms]."""
    for _ in range(warm_up):
        action()
    durations = np.empty(count)
    for index in range(count):
        start = time.perf_counter()
        action()
        durations[index] = 1e3 * (time.perf_counter() - start)
    return durations


def row(what: str, durations: np.ndarray) -> str:
    """A line of the table."""
    mean = durations.mean()
    p50, p95, p99 = np.percentile(durations, [50, 95, 99])
    return f"| {what} | {p50:.2f} | {p95:.2f} | {p99:.2f} | {mean:.2f} |"


def main() -> None:
    """Measures and prints a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="measured repetitions")
    parser.add_argument("--warm-up", type=int, default=20, help="repetitions before that, not measured")
    arguments = parser.parse_args()
    table_top = TableTop(0)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{processor()}, {os.cpu_count()} CPUs, load {load}; MuJoCo {mujoco.__version__}, {choose_backend()}")
    print(f"{arguments.count} repetitions after {arguments.warm_up} to warm up; milliseconds\n")
    print("| | p50 | p95 | p99 | mean |\n|---|---|---|---|---|")
    for looks, smooth_edges, shadows in LOOKS:
        drawn = TableTop(0, smooth_edges=smooth_edges)
        for width, height in SIZES:
            draw = functools.partial(drawn.render, "front", width, height, shadows=shadows)
            print(row(f"{width}x{height}, {looks}", measure(draw, arguments.warm_up, arguments.count)))
        drawn.close_renderer()
    steps = 10
    durations = measure(lambda: table_top.step(steps * table_top.timestep), arguments.warm_up, arguments.count)
    print(row(f"{steps} physics steps of {1e3 * table_top.timestep:g} ms", durations))


if __name__ == "__main__":
    main()
