#!/usr/bin/env python3
# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a stop pressed to the first braking command, and to rest, over many presses at random moments.

    python bench/stop_presses.py [--presses 1000] [--seed 0]

The filter is a process of its own. This process plays the arm, a policy that draws circles, and whoever presses: it
publishes true on `emergency_stop`, waits for rest, publishes false and asks for a reset. A press counts as missed when
the arm is not stopped, or not at rest, after `MISSED` seconds; the exit code is then 1. Latencies are from just before
the publish call to the callback of the command, so both ends of the way between the processes are in them.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from rclpy.qos import QoSProfile, ReliabilityPolicy  # noqa: E402
from std_msgs.msg import Bool  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402

from bench.support.domains import own_domain  # noqa: E402
from bench.support.hardware import hardware  # noqa: E402
from bench.support.live_graph import AwaitedInVain, Graph  # noqa: E402
from bench.support.stand_ins import DRIVER_PRIORITY, STANDING_STILL, Command, StandInArm, StandInPolicy  # noqa: E402
from instructvla_ros.msg import SafetyStatus  # noqa: E402
from instructvla_ros.nodes.realtime import keep_ticks_on_time  # noqa: E402

MISSED = 2.0  # [s]
TICK = 0.01  # [s]
EVENT = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
STOPPED = (SafetyStatus.STATE_STOPPING, SafetyStatus.STATE_STOPPED, SafetyStatus.STATE_FAULT)


@dataclass(frozen=True)
class Press:
    """One press: latency to the first braking command [s], from that to rest [s], fastest joint then [rad/s]."""

    latency: float
    braking: float
    speed: float


class Presser:
    """Presses stops, resets them, and measures what the commands did."""

    def __init__(self, graph: Graph, speed: float) -> None:
        self._graph = graph
        self._arm = StandInArm(graph, kept=4000)
        self._stop = graph.node.create_publisher(Bool, "emergency_stop", EVENT)
        self._reset = graph.node.create_client(Trigger, "safety_filter_node/reset")
        graph.start("safety_filter_node", robot="sim")
        self._policy = StandInPolicy(graph.node, rate=20.0, speed=speed, where=self._arm.gripper)
        self._arm.await_state(SafetyStatus.STATE_MOVING)
        graph.wait_until(lambda: self._stop.get_subscription_count() >= 1, "the filter to hear of stops")

    def press(self, delay: float) -> Press | None:
        """Press after so many seconds of motion, and reset; None where the stop was missed."""
        arm, graph = self._arm, self._graph
        arm.await_state(SafetyStatus.STATE_MOVING)
        arm.await_motion()
        due = time.monotonic() + delay
        graph.wait_until(lambda: time.monotonic() >= due, "the moment to press", poll=0.001)
        arm.statuses.clear()
        speed, pressed = arm.speed(), time.monotonic()
        self._stop.publish(Bool(data=True))
        result = None
        try:
            graph.wait_until(lambda: arm.state == SafetyStatus.STATE_STOPPED, "the stop", MISSED)
            result = self._judge(pressed, speed)
        except AwaitedInVain as error:
            print(f"missed: {error}", file=sys.stderr)
        self._stop.publish(Bool(data=False))
        granted = False
        while not granted:
            future = self._reset.call_async(Trigger.Request())
            graph.wait_until(future.done, "the answer to a reset")
            granted = future.result().success
        return result

    def _judge(self, pressed: float, speed: float) -> Press:
        """The status that tells of the stop follows the first braking command in the same tick."""
        told = next(when for when, status in list(self._arm.statuses) if when >= pressed and status.state in STOPPED)
        commands = list(self._arm.commands)
        first = min(range(len(commands)), key=lambda index: abs(commands[index].arrival - told))
        end = commands[first].trajectory.positions[-1]
        if any(np.abs(command.trajectory.positions[-1] - end).max() > 1e-4 for command in commands[first + 1 :]):
            raise AwaitedInVain("the arm was sent further after the first braking command")
        return Press(commands[first].arrival - pressed, _time_to_rest(commands[first]), speed)


def _time_to_rest(command: Command) -> float:
    moving = np.abs(command.trajectory.velocities).max(axis=1) > STANDING_STILL  # (points,)
    if not moving.any():
        return 0.0
    return float(command.trajectory.times[min(int(np.flatnonzero(moving)[-1]) + 1, len(moving) - 1)])


def main() -> int:
    """Press, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presses", type=int, default=1000)
    parser.add_argument("--warm-up", type=int, default=5, help="presses that are not counted")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--speed", type=float, default=0.2, help="of the gripper along its circle [m/s]")
    parser.add_argument("--domain", type=int, default=own_domain())
    arguments = parser.parse_args()
    moments = random.Random(arguments.seed)
    graph = Graph(arguments.domain)
    try:
        presser = Presser(graph, arguments.speed)
        scheduling = keep_ticks_on_time(DRIVER_PRIORITY)  # as a driver has, or its own lateness would be measured
        presses = [presser.press(moments.uniform(0.0, 0.3)) for _ in range(arguments.warm_up + arguments.presses)]
    finally:
        graph.close()
    counted = presses[arguments.warm_up :]
    good = [press for press in counted if press is not None]
    print(f"{hardware()}; {len(counted)} presses after {arguments.warm_up} to warm up, seed {arguments.seed}")
    print(f"scheduling of this process: {scheduling}")
    print("| | p50 | p95 | p99 | max |")
    print("|---|---|---|---|---|")
    for name, values in (
        ("stop published to first braking command [ms]", [1e3 * press.latency for press in good]),
        ("first braking command to rest [ms]", [1e3 * press.braking for press in good]),
        ("fastest joint when pressed [rad/s]", [press.speed for press in good]),
    ):
        figures = np.percentile(values, (50, 95, 99, 100)) if values else np.full(4, np.nan)
        print(f"| {name} | {' | '.join(f'{figure:.2f}' for figure in figures)} |")
    late = sum(press.latency > TICK + 0.002 for press in good)
    missed = len(counted) - len(good)
    print(f"missed {missed} of {len(counted)}; {late} later than one tick and 2 ms")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
