# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What happens on the robot's machine of test_safety_two_machines.py: filter, arm, and a judge of what they do.

A process of its own, because Fast DDS looks at the network interfaces once in a process. It does one scenario, with the
policy on the other machine, and ends with 0 if all went as it should, or with ``SKIPPED``.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time

import numpy as np

from bench.support.command_watch import CommandWatch
from bench.support.live_graph import Graph, Process
from bench.support.stand_ins import STEP_PERIOD, STEPS, StandInArm
from instructvla_ros.msg import SafetyStatus
from instructvla_ros.safety import SafetyLimits

SKIPPED = 77
LIMITS = SafetyLimits.load("sim")
CHUNK = STEPS * STEP_PERIOD  # [s]
SCHEDULING = 0.15  # [s]; for signals and messages under way on a busy machine


class Cable:
    """The link to the policy's machine, by the end that is over there."""

    def __init__(self, machine: str, end: str) -> None:
        self.machine, self.end = machine, end

    def connect(self, up: bool) -> None:
        """Join the link, or cut it."""
        words = ["ip", "-n", self.machine, "link", "set", self.end, "up" if up else "down"]
        subprocess.run(words, check=True)

    def shape(self, rule: str) -> None:
        """Shape what the policy's machine sends, by a queueing discipline of tc."""
        words = ["tc", "-n", self.machine, "qdisc", "replace", "dev", self.end, "root", *rule.split()]
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        if done.returncode:
            print(f"this kernel cannot slow a link by {rule.split()[0]}: {done.stderr.strip()}")
            sys.exit(SKIPPED)

    def start_policy(self, graph: Graph) -> Process:
        """A policy on the other machine, which does not share this one's memory either."""
        command = f"mount -t tmpfs tmpfs /dev/shm && exec '{sys.executable}' -m bench.support.stand_ins --speed 0.15"
        return graph.run("stand_in_policy", ["ip", "netns", "exec", self.machine, "sh", "-c", command])


def cut(arm: StandInArm, cable: Cable) -> None:
    """When the link is cut the arm finishes its chunk and rests; when it is joined the arm goes on."""
    for _ in range(2):
        since = time.monotonic()
        cable.connect(up=False)
        arm.await_state(SafetyStatus.STATE_HOLDING)
        arm.await_rest()
        took = arm.rest_since() - since
        print(f"at rest {took:.3f} s after the link was cut")
        assert took <= CHUNK + 2 * LIMITS.horizon + SCHEDULING, f"{took:.3f} s"
        cable.connect(up=True)
        arm.await_state(SafetyStatus.STATE_MOVING)
        arm.await_motion(0.3)


def flap(arm: StandInArm, cable: Cable) -> None:
    """A link that comes and goes at random."""
    moments = random.Random(0)
    for up in [False, True] * 8:
        cable.connect(up)
        due = time.monotonic() + moments.uniform(0.05, 0.6)
        arm.graph.wait_until(lambda due=due: time.monotonic() > due, "the next change of the link", poll=0.02)
    arm.await_state(SafetyStatus.STATE_MOVING)
    arm.await_motion(0.3)


def delay(arm: StandInArm, cable: Cable) -> None:
    """A link that takes 0.3 s, more or less."""
    _slow(arm, cable, "netem delay 300ms 100ms")


def narrow(arm: StandInArm, cable: Cable) -> None:
    """A link that is too narrow for the chunks, so that they queue."""
    _slow(arm, cable, "tbf rate 50kbit burst 3kb latency 3s")


def _slow(arm: StandInArm, cable: Cable, rule: str) -> None:
    cable.shape(rule)
    count = len(arm.statuses)
    arm.graph.wait_until(lambda: len(arm.statuses) > count + 60, "six seconds of statuses")
    ages = np.array([status.chunk_age for _, status in list(arm.statuses)[count + 20 :]])
    print(
        f"slowed by {rule}: a chunk is followed {np.isfinite(ages).mean():.0%} of the time, "
        f"age at most {np.nanmax(ages, initial=0.0):.3f} s"
    )
    assert not (ages > LIMITS.chunk_age + 0.1).any(), "a chunk must not be followed when it is too old"
    cable.shape("pfifo limit 1000")
    arm.graph.wait_until(lambda: arm.statuses[-1][1].chunk_age < 0.2, "young chunks again")
    arm.await_motion(0.3)


SCENARIOS = {scenario.__name__: scenario for scenario in (cut, flap, delay, narrow)}


def main() -> int:
    """Let the policy move the arm, do the scenario, and judge every command of it."""
    name, machine, end, domain = sys.argv[1:]
    cable = Cable(machine, end)
    graph = Graph(int(domain), discovery_range="SUBNET")
    try:
        arm = StandInArm(graph)
        graph.start("safety_filter_node", robot="sim")
        cable.start_policy(graph)
        arm.await_state(SafetyStatus.STATE_MOVING)
        arm.await_motion(0.3)
        SCENARIOS[name](arm, cable)
        faults = {status.reason for _, status in list(arm.statuses) if status.state == SafetyStatus.STATE_FAULT}
        assert not faults, faults
        watch = CommandWatch(LIMITS, arm.chain, jump_tolerance=5e-3, every=3)
        for command in list(arm.commands):
            watch.judge(command.arrival, command.trajectory)
        assert not watch.broken, watch.examples
    finally:
        graph.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
