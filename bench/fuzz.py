#!/usr/bin/env python3
# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Hostile input to the safety filter for many steps, every command audited from outside.

    python bench/fuzz.py [--steps 1000000] [--seed 0] [--worlds 20] [--workers 2] [--robot sim]

Hypothesis plays policies, people, drivers and clocks that do what they please (bench/support/hostile_world.py), in runs
of one seed each. A broken promise ends the run with the seed, the moves that led to it, and exit code 1; the same seed
finds it again. Without one, the closest that the commands came to each limit is printed.
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from hypothesis import HealthCheck, Phase, seed, settings  # noqa: E402
from hypothesis.stateful import run_state_machine_as_test  # noqa: E402

from bench.support.arm_urdfs import ARMS, chain_of, ready_of  # noqa: E402
from bench.support.hardware import hardware  # noqa: E402
from bench.support.hostile_world import PLACES, HostileWorld, places_of  # noqa: E402
from bench.support.rig import READY, Rig  # noqa: E402
from instructvla_ros.robot.kinematics import KinematicChain  # noqa: E402
from instructvla_ros.safety import SafetyLimits  # noqa: E402

_CLEARANCES = ("workspace", "table", "keep_out", "self_collision", "singularity")
_REPORT_EVERY = 30.0  # [s]


class CountingRig(Rig):
    """Counts its steps and keeps the closest approach to every limit, over all rigs of the process."""

    steps = 0
    audited = 0
    worst: dict[str, float] = {}  # noqa: RUF012

    def step(self, *arguments: Any, **keywords: Any) -> Any:
        """As of the rig."""
        CountingRig.steps += 1
        before = self.audit.looked_at
        report = super().step(*arguments, **keywords)
        CountingRig.audited += self.audit.looked_at - before
        for name, value in self.audit.worst.items():
            pick: Callable[[float, float], float] = min if name in _CLEARANCES else max
            CountingRig.worst[name] = pick(value, CountingRig.worst.get(name, value))
        return report


def fuzz(number: int, robot: str, worlds: int) -> str:
    """One seed of so many worlds; returns what went wrong, empty if nothing."""
    limits = SafetyLimits.load(robot)
    places: dict[str, Any] = PLACES
    if robot in ARMS:
        chain = chain_of(robot)
        places = places_of(limits, chain, ready_of(robot))
    else:
        urdf = (REPOSITORY / "test" / "robot" / "six_joint_arm.urdf").read_text(encoding="utf-8")
        chain = KinematicChain.from_urdf(urdf, "base_link", "gripper_link")

    def make_rig(start: np.ndarray = READY, lag: float = 0.0) -> Rig:
        return CountingRig(limits, chain, start, lag)

    machine = seed(number)(type("World", (HostileWorld,), {"make_rig": staticmethod(make_rig), "places": places}))
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=worlds,
                stateful_step_count=30,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
    except Exception as error:
        notes = "\n".join(getattr(error, "__notes__", []))
        return f"seed {number}: {type(error).__name__}: {error}\n{notes}"
    return ""


def _work(first: int, stride: int, robot: str, worlds: int, results: Any, enough: Any) -> None:
    number = first
    while not enough.is_set():
        before = CountingRig.steps, CountingRig.audited
        broken = fuzz(number, robot, worlds)
        results.put((CountingRig.steps - before[0], CountingRig.audited - before[1], broken, dict(CountingRig.worst)))
        number += stride
    results.put(None)


def main() -> int:
    """Fuzz until enough steps were made or a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0, help="the first seed; the others follow")
    parser.add_argument(
        "--worlds", type=int, default=20, help="of each seed; only with the same number it finds the same"
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--robot", default="sim", help="whose limits: a name in config/limits/, or a path")
    arguments = parser.parse_args()
    print(f"{hardware()}; {arguments.workers} workers, from seed {arguments.seed}", flush=True)
    context = multiprocessing.get_context("spawn")
    results, enough = context.Queue(), context.Event()
    workers = [
        context.Process(
            target=_work,
            args=(arguments.seed + index, arguments.workers, arguments.robot, arguments.worlds, results, enough),
            daemon=True,
        )
        for index in range(arguments.workers)
    ]
    for worker in workers:
        worker.start()
    steps, audited, seeds, broken = 0, 0, 0, []
    worst: dict[str, float] = {}
    begin = last = time.monotonic()
    working = len(workers)
    while working:
        result = results.get()
        if result is None:
            working -= 1
            continue
        steps, audited, seeds = steps + result[0], audited + result[1], seeds + 1
        for name, value in result[3].items():
            pick: Callable[[float, float], float] = min if name in _CLEARANCES else max
            worst[name] = pick(value, worst.get(name, value))
        if result[2]:
            broken.append(result[2])
        if steps >= arguments.steps or broken:
            enough.set()
        if time.monotonic() - last > _REPORT_EVERY:
            last = time.monotonic()
            print(f"{steps} steps, {seeds} seeds, {steps / (last - begin):.0f} steps/s", flush=True)
    took = time.monotonic() - begin
    print(f"{steps} steps in {seeds} seeds, {audited} new trajectories audited, {took:.0f} s")
    for name in sorted(worst):
        print(f"  {name:26s} {'least distance' if name in _CLEARANCES else 'highest use   '} {worst[name]:9.5f}")
    print("\n".join(broken) if broken else "no promise broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
