#!/usr/bin/env python3
# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How long one step of the safety filter takes, in microseconds.

    python bench/safety_step.py [--steps 20000] [--warm-up 2000]

A perfect arm follows the filter; a new chunk of random direction comes every 0.2 s, often too fast and into walls, so
that limits act and trajectories are refused. Time passes only in name: steps follow each other without sleeping.
"""

import argparse
import gc
import sys
import time
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from bench.support.hardware import hardware  # noqa: E402
from instructvla_ros.robot.action_chunk import ActionChunk  # noqa: E402
from instructvla_ros.robot.joint_state import JointState  # noqa: E402
from instructvla_ros.robot.kinematics import KinematicChain  # noqa: E402
from instructvla_ros.safety import SafetyFilter, SafetyLimits, SafetyState, Stops  # noqa: E402

PERIOD = 0.01
START = np.array([0.2, -0.3, 0.3, 0.0, 1.2, 0.0])


def measure(steps: int, warm_up: int, speed: float) -> tuple[np.ndarray, float, float]:
    """Times steps.

    Args:
        steps: how many are counted.
        warm_up: how many before are not.
        speed: typical speed that chunks ask for [m/s]; 0 for an arm that only holds.

    Returns:
        ``(steps,)`` durations [us], share of steps in motion, share of steps in which a limit acted.
    """
    urdf = (REPOSITORY / "test" / "robot" / "six_joint_arm.urdf").read_text(encoding="utf-8")
    chain = KinematicChain.from_urdf(urdf, "base_link", "gripper_link")
    safety_filter = SafetyFilter(SafetyLimits.load("sim"), chain, "base_link", period=PERIOD)
    random = np.random.default_rng(0)
    positions, durations, moving, limited = START, np.empty(steps), 0, 0
    for index in range(-warm_up, steps):
        now = 100.0 + (index + warm_up) * PERIOD
        chunks = []
        if speed and index % 20 == 0:
            chunks = [_chunk(now, index + warm_up, random, 0.2 * speed)]
        joint_state = JointState(now, chain.joint_names, positions)
        begin = time.perf_counter_ns()
        command, report = safety_filter.step(now, joint_state, chunks, Stops())
        took = time.perf_counter_ns() - begin
        positions, _ = command.trajectory.sample(PERIOD)
        if index >= 0:
            durations[index] = took * 1e-3
            moving += report.state is SafetyState.MOVING
            limited += bool(report.interventions)
    return durations, moving / steps, limited / steps


def _chunk(now: float, sequence: int, random: np.random.Generator, step: float) -> ActionChunk:
    translation, rotation = step * random.normal(size=3) / 3**0.5, 0.05 * random.normal(size=3)
    return ActionChunk(
        now, "base_link", 0, sequence, 0.2, np.tile(np.clip(translation, -0.05, 0.05), (16, 1)),
        np.tile(rotation, (16, 1)), random.uniform(size=16),
    )


def main() -> None:
    """Prints one line a case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--warm-up", type=int, default=2_000)
    arguments = parser.parse_args()
    print(f"{hardware()}; {arguments.steps} steps after {arguments.warm_up} to warm up")
    gc.collect()
    gc.freeze()  # as the node does
    for name, speed in (("holding", 0.0), ("moving within limits", 0.05), ("moving into limits", 0.3)):
        durations, moving, limited = measure(arguments.steps, arguments.warm_up, speed)
        p50, p99 = np.percentile(durations, [50, 99])
        print(
            f"{name:22s} p50 {p50:6.0f} us   p99 {p99:6.0f} us   max {durations.max():6.0f} us   "
            f"in motion {moving:4.0%}   a limit acted {limited:4.0%}"
        )


if __name__ == "__main__":
    main()
