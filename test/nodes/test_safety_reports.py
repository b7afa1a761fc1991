# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the filter tells while it runs, and what can be changed while it runs: only what makes it stricter."""

import math

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from bench.support.live_graph import Graph
from bench.support.stand_ins import StandInArm, StandInPolicy
from instructvla_ros.msg import ActionChunk, SafetyStatus
from instructvla_ros.nodes import messages

EVERYTHING = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)


@pytest.fixture
def arm(graph: Graph) -> StandInArm:
    """An arm that the filter holds."""
    arm = StandInArm(graph)
    graph.start("safety_filter_node", robot="sim")
    arm.await_state(SafetyStatus.STATE_HOLDING)
    return arm


def set_parameter(graph: Graph, name: str, value: object) -> object:
    wanted: ParameterMessage = Parameter(name, value=value).to_parameter_msg()
    answer = graph.call(SetParameters, "safety_filter_node/set_parameters", SetParameters.Request(parameters=[wanted]))
    return answer.results[0]


def test_what_the_operator_sees_is_never_older_than_a_tenth_of_a_second(graph: Graph, arm: StandInArm) -> None:
    """Judged by the stamps that the filter gives, at rest and in motion; a busy machine may delay one in ten."""
    policy = StandInPolicy(graph.node)
    count = len(arm.statuses)
    graph.wait_until(lambda: len(arm.statuses) > count + 60, "sixty statuses")
    policy.close()
    stamps = [messages.seconds(status.header.stamp) for _, status in list(arm.statuses)[count:]]
    intervals = np.diff(stamps)
    assert np.quantile(intervals, 0.9) <= 0.1 + 0.001
    assert np.median(intervals) <= 0.1
    assert intervals.max() < 0.3, "statuses must not stop"


def test_a_change_of_state_is_told_at_once(graph: Graph, arm: StandInArm) -> None:
    """The status that tells of the stop comes out of turn: its stamp is closer to the one before than the period."""
    intervals = []
    for _ in range(5):
        assert graph.call(Trigger, "safety_filter_node/stop", Trigger.Request()).success
        arm.await_state(SafetyStatus.STATE_STOPPED)
        assert graph.call(Trigger, "safety_filter_node/reset", Trigger.Request()).success
        arm.await_state(SafetyStatus.STATE_HOLDING)
    told = [status for _, status in list(arm.statuses)]
    for before, after in zip(told, told[1:], strict=False):
        if after.state != before.state:
            intervals.append(messages.seconds(after.header.stamp) - messages.seconds(before.header.stamp))
    assert len(intervals) >= 10 and min(intervals) < 0.07


def test_every_change_is_reported_with_asked_allowed_and_how_long(graph: Graph, arm: StandInArm) -> None:
    diagnostics = graph.collect(DiagnosticArray, "/diagnostics", EVERYTHING)
    policy = StandInPolicy(graph.node, speed=1.0)  # four times what the limits allow

    def told() -> list:
        return [entry for _, status in list(arm.statuses) for entry in status.interventions]

    graph.wait_until(lambda: any(entry.duration > 0.5 for entry in told()), "a limit that acts for half a second")
    entry = next(entry for entry in told() if entry.duration > 0.5)
    assert entry.limit and entry.message and entry.asked > entry.allowed
    key = f"limit {entry.limit}"

    def counters() -> dict[str, str]:
        values = {}
        for message in list(diagnostics):
            for status in message.status:
                if status.name.endswith("safety_filter_node"):
                    values = {pair.key: pair.value for pair in status.values}
        return values

    graph.wait_until(lambda: key in counters() and entry.limit in counters()["acting now"], f"{key} in the diagnostics")
    assert int(counters()[key].split()[0]) > 10
    policy.close()
    graph.wait_until(lambda: counters()["acting now"] == "none", "the diagnostics to tell that nothing acts any more")


def test_while_it_runs_the_limits_can_only_be_made_stricter(graph: Graph, arm: StandInArm) -> None:
    for name, value in (("limits", "widowx"), ("rate", 50.0), ("robot", "widowx")):
        refused = set_parameter(graph, name, value)
        assert not refused.successful and "read-only" in refused.reason
    for value in (1.0 + 1e-12, 1.01, 2.0, -0.1, math.nan, math.inf):
        refused = set_parameter(graph, "speed_scale", value)
        assert not refused.successful and refused.reason, value
    assert not set_parameter(graph, "speed_scale", "fast").successful
    assert arm.statuses[-1][1].speed_scale == 1.0
    assert set_parameter(graph, "speed_scale", 0.25).successful
    graph.wait_until(lambda: arm.statuses[-1][1].speed_scale == 0.25, "the new scale in the status")


def test_a_speed_scale_slows_the_arm_while_it_moves_and_zero_brings_it_to_rest(graph: Graph, arm: StandInArm) -> None:
    StandInPolicy(graph.node, speed=0.2)
    arm.await_motion(0.5)
    assert set_parameter(graph, "speed_scale", 0.0).successful
    graph.wait_until(lambda: arm.speed() < 1e-4, "the arm to rest")
    assert set_parameter(graph, "speed_scale", 0.2).successful
    arm.await_motion(0.01)
    since = len(arm.motion)
    graph.wait_until(lambda: len(arm.motion) > since + 100, "a second of slow motion")
    slow = max(float(np.abs(sample.velocities).max()) for sample in list(arm.motion)[since:])
    assert set_parameter(graph, "speed_scale", 1.0).successful
    arm.await_motion(2.0 * slow)


@pytest.mark.parametrize("topic", ["action_chunk", "joint_trajectory", "gripper_command"])
def test_a_second_master_is_a_fault_that_names_it_and_stays_until_a_reset(
    graph: Graph, arm: StandInArm, topic: str
) -> None:
    """The intruder never publishes: to be there is enough."""
    StandInPolicy(graph.node)
    arm.await_state(SafetyStatus.STATE_MOVING)
    arm.await_motion()
    kind = {"action_chunk": ActionChunk, "joint_trajectory": JointTrajectory}.get(topic, Float64MultiArray)
    intruder = graph.node.create_publisher(kind, topic, EVERYTHING)
    arm.await_state(SafetyStatus.STATE_FAULT)
    graph.wait_until(lambda: "/test_probe" in arm.reason and topic in arm.reason, f"who it is, not: {arm.reason}")
    graph.wait_until(lambda: arm.speed() < 1e-4, "the arm to rest")
    refused = graph.call(Trigger, "safety_filter_node/reset", Trigger.Request())
    assert not refused.success and "2 publishers" in refused.message, refused.message
    graph.node.destroy_publisher(intruder)
    graph.wait_until(
        lambda: all(entry.limit != "one_master" for entry in arm.statuses[-1][1].interventions), "the intruder's end"
    )
    assert arm.state == SafetyStatus.STATE_FAULT, "it stays a fault until somebody looks"
    granted = graph.call(Trigger, "safety_filter_node/reset", Trigger.Request())
    assert granted.success, granted.message
    arm.await_state(SafetyStatus.STATE_MOVING)
