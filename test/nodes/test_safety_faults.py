# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Policy, filter and arm die, freeze and come back in mid-motion: the arm rests in time, and goes on without a jump.

Every process is real. Times to rest are judged on what a perfect driver executed of the commands that it had, with
``SCHEDULING`` granted to a busy machine for signals and messages under way.
"""

import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pytest
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from bench.support.command_watch import CommandWatch
from bench.support.live_graph import ROOT, Graph, Process
from bench.support.stand_ins import STEP_PERIOD, STEPS, StandInArm
from instructvla_ros.msg import SafetyStatus
from instructvla_ros.nodes import messages, qos
from instructvla_ros.safety import SafetyLimits
from instructvla_ros.sim.arm_model import ARM_JOINTS

LIMITS = SafetyLimits.load("sim")
DRIVER_TICK = 0.01  # [s]
SCHEDULING = 0.15  # [s]
CHUNK = STEPS * STEP_PERIOD  # [s]
NO_JUMP = 5e-3  # [rad]; on a busy machine a command may be lost, and the next begins a period's change of speed off
EVERYTHING = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)


def start_policy(graph: Graph, speed: float = 0.15) -> Process:
    return graph.run("stand_in_policy", [sys.executable, "-m", "bench.support.stand_ins", "--speed", str(speed)])


def start_filter(graph: Graph) -> Process:
    return graph.start("safety_filter_node", robot="sim")


@pytest.fixture
def arm(graph: Graph) -> Iterator[StandInArm]:
    """An arm in motion by policy and filter, each a process of its own; its commands are audited at the end."""
    arm = StandInArm(graph)
    arm.filter = start_filter(graph)
    arm.policy = start_policy(graph)
    arm.await_state(SafetyStatus.STATE_MOVING)
    arm.await_motion(0.4)
    yield arm
    watch = CommandWatch(LIMITS, arm.chain, jump_tolerance=np.inf, every=5)
    for command in list(arm.commands):
        watch.judge(command.arrival, command.trajectory)
    assert not watch.broken, watch.examples


def never_a_fault(arm: StandInArm) -> bool:
    return all(status.state != SafetyStatus.STATE_FAULT for _, status in list(arm.statuses))


def time_to_rest(arm: StandInArm, since: float) -> float:
    """How long the arm was in motion after an instant [s], from the samples of a driver at 100 Hz."""
    arm.await_rest()
    count = len(arm.motion)
    arm.graph.wait_until(lambda: len(arm.motion) > count + 10, "the driver to go on for a while")
    moving = [s.time for s in list(arm.motion) if np.abs(s.velocities).max() > 1e-3]
    assert moving and moving[-1] > since, "it must have been in motion"
    assert arm.speed() < 1e-4
    return moving[-1] - since


@pytest.mark.parametrize("how", ["kill", "freeze"])
def test_an_arm_whose_policy_dies_or_freezes_finishes_its_chunk_rests_and_can_go_on(graph, arm, how: str) -> None:
    since = time.monotonic()
    getattr(arm.policy, how)()
    took = time_to_rest(arm, since)
    print(f"policy, {how}: at rest after {took:.3f} s")
    assert took <= CHUNK + 2 * LIMITS.horizon + DRIVER_TICK + SCHEDULING
    arm.await_state(SafetyStatus.STATE_HOLDING)
    if how == "kill":
        start_policy(graph)
    else:
        arm.policy.thaw()
    arm.await_state(SafetyStatus.STATE_MOVING)
    arm.await_motion()
    assert never_a_fault(arm), "a policy that is started again after a crash is one master, not two"
    assert arm.largest_jump() < NO_JUMP


def test_a_frozen_policy_that_thaws_beside_its_successor_is_a_fault(graph, arm) -> None:
    arm.policy.freeze()
    arm.await_state(SafetyStatus.STATE_HOLDING)
    start_policy(graph)
    arm.await_state(SafetyStatus.STATE_MOVING)
    assert never_a_fault(arm), "a frozen master commands nothing"
    arm.policy.thaw()
    arm.await_state(SafetyStatus.STATE_FAULT)
    # discovery may tell the name of the one that thawed a little later
    graph.wait_until(lambda: arm.reason.count("/stand_in_policy") == 2, "both masters to be named")


def test_a_policy_that_is_ended_and_started_again_is_no_fault(graph, arm) -> None:
    assert arm.policy.stop() == 0
    start_policy(graph)
    count = len(arm.statuses)
    arm.await_state(SafetyStatus.STATE_HOLDING, SafetyStatus.STATE_MOVING)
    graph.wait_until(
        lambda: any(s.state == SafetyStatus.STATE_MOVING and s.chunk_age < 0.2 for _, s in list(arm.statuses)[count:]),
        "chunks of the new policy",
    )
    assert never_a_fault(arm)


@pytest.mark.parametrize("how", ["kill", "freeze"])
def test_an_arm_whose_filter_dies_or_freezes_rests_within_the_horizon_and_goes_on_without_a_jump(
    graph, arm, how: str
) -> None:
    since = time.monotonic()
    getattr(arm.filter, how)()
    took = time_to_rest(arm, since)
    print(f"filter, {how}: at rest after {took:.3f} s, horizon {LIMITS.horizon} s")
    assert took <= LIMITS.horizon + DRIVER_TICK + SCHEDULING
    where, again, commands = arm.sample().positions, time.monotonic(), len(arm.commands)
    if how == "kill":
        start_filter(graph)
    else:
        arm.filter.thaw()
    graph.wait_until(lambda: len(arm.commands) > commands, "a command of the new filter")
    first = arm.commands[commands].trajectory
    assert np.abs(first.positions[0] - where).max() < NO_JUMP, "the first command is where the arm is"
    assert np.abs(first.velocities[0]).max() < 0.05, "and it is at rest"
    graph.wait_until(lambda: arm.speed() > 0.05 and arm.commands[-1].arrival > again, "the arm to move again")
    assert arm.largest_jump(since=again) < NO_JUMP
    assert never_a_fault(arm)


@pytest.mark.parametrize("how", ["lost", "late"])
def test_an_arm_whose_joint_states_are_lost_or_late_rests_in_time_and_goes_on(graph, arm, how: str) -> None:
    since = time.monotonic()
    if how == "lost":
        arm.publishing = False
    else:
        arm.stamp_offset = -2 * LIMITS.joint_state_age
    arm.await_state(SafetyStatus.STATE_HOLDING)
    assert "joint state" in arm.reason
    took = time_to_rest(arm, since)
    print(f"joint states {how}: at rest after {took:.3f} s")
    assert took <= LIMITS.joint_state_age + LIMITS.horizon + 2 * DRIVER_TICK + SCHEDULING
    arm.publishing, arm.stamp_offset = True, 0.0
    arm.await_state(SafetyStatus.STATE_MOVING)
    arm.await_motion()
    assert arm.largest_jump() < NO_JUMP
    assert never_a_fault(arm)


def test_joint_states_that_stay_the_same_while_the_command_moves_are_a_fault(graph, arm) -> None:
    arm.frozen_at = arm.sample().positions
    arm.await_state(SafetyStatus.STATE_FAULT)
    assert "from where it was commanded" in arm.reason
    since = next(when for when, status in list(arm.statuses) if status.state == SafetyStatus.STATE_FAULT)
    graph.wait_until(lambda: arm.speed() < 1e-4, "the arm to rest")
    moved = np.abs(arm.sample().positions - arm.frozen_at).max()
    assert moved < LIMITS.tracking_tolerance + 1.5 * LIMITS.horizon, "it stops close beyond the tolerance"
    assert arm.rest_since() - since <= LIMITS.horizon + 2 * DRIVER_TICK + SCHEDULING


def test_a_frozen_arm_is_noticed_and_the_command_rests(graph) -> None:
    """The arm is the simulated one, frozen with its whole process."""
    statuses = graph.collect(SafetyStatus, "safety_status", EVERYTHING)
    joint_states = graph.collect(JointState, "joint_states", qos.SENSOR)
    commands: list[tuple[float, JointTrajectory]] = []
    graph.listen(JointTrajectory, "joint_trajectory", EVERYTHING, lambda m: commands.append((time.monotonic(), m)))
    arm = graph.start("sim_arm_node", image_width=32, image_height=24, image_rate=0.2, wrist_camera=False)
    start_filter(graph)
    start_policy(graph)

    def command_moves() -> bool:
        return bool(commands) and np.abs(commands[-1][1].points[0].velocities).max() > 0.05

    graph.wait_until(command_moves, "motion")
    since = time.monotonic()
    arm.freeze()
    graph.wait_until(lambda: statuses and "joint state" in statuses[-1].reason, "the filter to miss the joint states")
    graph.wait_until(lambda: not np.any(commands[-1][1].points[0].velocities), "the command to rest")
    moving = [when for when, message in list(commands) if np.any(message.points[0].velocities)]
    print(f"arm frozen: command at rest after {moving[-1] - since:.3f} s")
    assert moving[-1] - since <= LIMITS.joint_state_age + LIMITS.horizon + 2 * DRIVER_TICK + SCHEDULING

    count = len(joint_states)
    arm.thaw()
    graph.wait_until(lambda: len(joint_states) > count + 50, "the arm to go on")
    heard = list(joint_states)[count:]  # best effort: on a busy machine some are lost, so speeds are looked at
    true = np.array([messages.joint_state_from_message(m, 0.0).positions[: len(ARM_JOINTS)] for m in heard])
    stamps = np.array([messages.seconds(m.header.stamp) for m in heard])
    speeds = np.abs(np.diff(true, axis=0)) / np.diff(stamps)[:, None]
    assert speeds.max() < 3.14, "a thawed arm must not jump"
    graph.wait_until(command_moves, "motion after it")


def test_no_stop_pressed_at_a_random_moment_is_missed() -> None:
    """The measurement in small; bench/stop_presses.py does a thousand."""
    command = [sys.executable, "bench/stop_presses.py", "--presses", "20", "--seed", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "missed 0 of 20" in done.stdout, done.stdout
