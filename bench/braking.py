#!/usr/bin/env python3
# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How long and how far the safety filter brakes, against the theoretical minimum.

    python bench/braking.py [--stops 500] [--warm-up 20]

An arm follows chunks of random direction; at a random moment a stop is asked for. Two minima are known for the state at
which it comes: no joint can rest sooner than by the quickest jerk-limited stop of its own (what ruckig computes), and
no arm sooner than that along the line of its motion. Braking within limits and along the path cannot be quicker than
the larger of the two. The distance is that of the gripper point; its minimum is that of the quickest stop along the
line, with the gripper going straight on.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from bench.support.hardware import hardware  # noqa: E402
from bench.support.rig import READY, Rig  # noqa: E402
from instructvla_ros.robot.kinematics import KinematicChain  # noqa: E402
from instructvla_ros.safety import SafetyLimits, Stops  # noqa: E402
from instructvla_ros.safety.braking import joined, shortest_stops  # noqa: E402


def minima(rig: Rig, velocities: np.ndarray, accelerations: np.ndarray) -> tuple[float, float, float]:
    """The shortest time to rest [s] of the slowest joint by itself, and of all along the line of the velocities.

    The third is how far the latter leads per speed at the stop [s].
    """
    bounds = rig.filter.bounds
    alone = shortest_stops(velocities, accelerations, bounds.accelerations, bounds.jerks).sum(axis=1).max()
    speeds = np.maximum(np.abs(velocities), 1e-9)
    gain = float(accelerations @ velocities) / float(velocities @ velocities)
    highest, jerk = (bounds.accelerations / speeds).min(), (bounds.jerks / speeds).min()
    phases = shortest_stops(np.ones(1), np.array([gain]), np.array([highest]), np.array([jerk]))[0]
    peak = gain - jerk * phases[0]
    kept = phases > 0.0
    line = joined(np.zeros(1), np.ones(1), np.array([gain]), phases[kept], np.array([[peak], [peak], [0.0]])[kept])
    return float(alone), float(phases.sum()), float(line.positions[-1, 0])


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stops", type=int, default=500)
    parser.add_argument("--warm-up", type=int, default=20)
    arguments = parser.parse_args()
    urdf = (REPOSITORY / "test" / "robot" / "six_joint_arm.urdf").read_text(encoding="utf-8")
    chain = KinematicChain.from_urdf(urdf, "base_link", "gripper_link")
    limits = SafetyLimits.load("sim")
    random = np.random.default_rng(0)
    rows = []
    for count in range(arguments.warm_up + arguments.stops):
        rig = Rig(limits, chain, READY + random.uniform(-0.2, 0.2, 6))
        rig.step()
        step, turn = random.normal(size=3), random.normal(size=3)
        step *= random.uniform(0.004, 0.05) / np.linalg.norm(step)
        turn *= random.uniform(0.0, 0.15) / np.linalg.norm(turn)
        for index in range(int(random.integers(5, 80))):
            rig.step([rig.chunk(step, turn)] if index % 20 == 0 else [])
        rig.step(stops=Stops(requested=True))
        trajectory = rig.command.trajectory
        _, velocities, accelerations = trajectory.state(0.0)
        if count < arguments.warm_up or np.abs(velocities).max() < 0.02:
            continue
        alone, along, way = minima(rig, velocities, accelerations)
        times = np.linspace(0.0, trajectory.duration, 40)
        points = [chain.forward(trajectory.sample(time)[0])[:3, 3] for time in times]
        distance = float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
        tip = float(np.linalg.norm((chain.jacobian(trajectory.positions[0]) @ velocities)[:3]))
        took = trajectory.duration
        rows.append((took, took / max(alone, along), took / alone, distance, distance / (tip * way), tip))
    table = np.array(rows)
    print(f"{hardware()}; {len(rows)} stops in motion after {arguments.warm_up} to warm up, limits sim")
    print(f"{'':58s}    p50     p95     p99     max")
    names = (
        ("time to rest [ms]", 1e3 * table[:, 0]),
        ("over the minimum of joints and of the line of motion", table[:, 1]),
        ("over the minimum of the slowest joint by itself", table[:, 2]),
        ("distance of the gripper point [mm]", 1e3 * table[:, 3]),
        ("over that of the quickest stop along the line", table[:, 4]),
        ("speed of the gripper point at the stop [mm/s]", 1e3 * table[:, 5]),
    )
    for name, values in names:
        print(f"{name:58s} " + " ".join(f"{value:7.3f}" for value in np.percentile(values, [50, 95, 99, 100])))


if __name__ == "__main__":
    main()
