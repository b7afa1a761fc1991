# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The whole chain on a live graph: every node a process of its own, the model a tiny untrained one."""

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Float64MultiArray, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from instructvla_ros.msg import ActionChunk, Reasoning, SafetyStatus
from instructvla_ros.nodes import qos
from instructvla_ros.sim.arm_model import ARM_JOINTS, GRIPPER_JOINT, HOME, urdf
from instructvla_ros.srv import Ask

EVERYTHING = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture
def running(graph, untrained_checkpoint):
    """Arm, filter and policy, with collected topics as attributes of the graph."""
    graph.chunks = graph.collect(ActionChunk, "action_chunk", EVERYTHING)
    graph.reasonings = graph.collect(Reasoning, "reasoning", EVERYTHING)
    graph.commands = graph.collect(JointTrajectory, "joint_trajectory", EVERYTHING)
    graph.gripper_commands = graph.collect(Float64MultiArray, "gripper_command", EVERYTHING)
    graph.statuses = graph.collect(SafetyStatus, "safety_status", LATCHED)
    graph.joint_states = graph.collect(JointState, "joint_states", qos.SENSOR)
    graph.diagnostics = graph.collect(DiagnosticArray, "/diagnostics", EVERYTHING)
    graph.instruction = graph.node.create_publisher(String, "instruction", LATCHED)
    graph.emergency = graph.node.create_publisher(Bool, "emergency_stop", EVERYTHING)
    graph.start("sim_arm_node", image_width=64, image_height=48, image_rate=10.0)
    graph.start("safety_filter_node", robot="sim")
    graph.start("policy_node", robot="sim", checkpoint=str(untrained_checkpoint), autostart=True, device="cpu", seed=1)
    return graph


def state(graph) -> int:
    return graph.statuses[-1].state if graph.statuses else -1


def diagnosis(graph, node: str) -> str:
    texts = [s.message for array in graph.diagnostics for s in array.status if s.name.endswith(node)]
    return texts[-1] if texts else ""


def test_words_become_motion_and_a_stop_ends_it_until_a_reset(running) -> None:
    graph = running
    graph.instruction.publish(String(data="Pick up the red cube"))
    graph.wait_until(lambda: len(graph.chunks) >= 5, "five action chunks")
    graph.wait_until(lambda: any(r.final for r in graph.reasonings), "a finished reasoning")
    opening, first = graph.chunks[0], graph.chunks[1]
    assert not opening.actions and opening.epoch == first.epoch, "an empty chunk opens an epoch"
    assert first.instruction == "Pick up the red cube"
    assert first.header.frame_id == "base_link"
    assert len(first.actions) == 16 and first.period == pytest.approx(0.2)
    assert [c.sequence for c in graph.chunks[:5]] == [0, 1, 2, 3, 4]
    assert {c.epoch for c in graph.chunks[:5]} == {first.epoch}
    assert graph.reasonings[-1].epoch == first.epoch

    graph.wait_until(lambda: bool(graph.joint_states), "joint states")
    start = np.array(graph.joint_states[0].position)
    graph.wait_until(
        lambda: np.abs(np.array(graph.joint_states[-1].position) - start).max() > 0.05, "joints that move by 0.05 rad"
    )
    graph.wait_until(lambda: bool(graph.commands), "a command")
    assert all(point.positions for point in graph.commands[-1].points)
    assert not np.any(graph.commands[-1].points[-1].velocities), "every trajectory ends at rest"
    graph.wait_until(lambda: bool(graph.gripper_commands), "a gripper command")

    graph.instruction.publish(String(data="push the blue ball"))
    graph.wait_until(lambda: graph.chunks[-1].instruction == "push the blue ball", "a chunk of the new instruction")
    assert graph.chunks[-1].epoch > first.epoch

    graph.emergency.publish(Bool(data=True))
    graph.wait_until(lambda: state(graph) == SafetyStatus.STATE_STOPPED, "the arm stopped")
    refused = graph.call(Trigger, "safety_filter_node/reset", Trigger.Request())
    assert not refused.success and "still wanted" in refused.message
    graph.emergency.publish(Bool(data=False))
    count = len(graph.statuses)
    graph.wait_until(lambda: len(graph.statuses) > count + 5, "more statuses")
    assert state(graph) == SafetyStatus.STATE_STOPPED, "releasing the stop must not set the arm in motion"
    assert graph.call(Trigger, "safety_filter_node/reset", Trigger.Request()).success
    graph.wait_until(lambda: state(graph) == SafetyStatus.STATE_MOVING, "motion after the reset")

    graph.instruction.publish(String(data=""))
    graph.wait_until(lambda: "no instruction" in diagnosis(graph, "policy_node"), "the policy to be idle")
    graph.wait_until(lambda: state(graph) == SafetyStatus.STATE_HOLDING, "the arm to rest")

    answer = graph.call(Ask, "policy_node/ask", Ask.Request(question="what is on the table?"))
    assert answer.success, answer.message
    assert answer.inference_time > 0.0
    assert answer.stamp.sec > 0
    refused = graph.call(Ask, "policy_node/ask", Ask.Request(question="  "))
    assert not refused.success and "empty" in refused.message

    for process in graph.processes:
        assert process.alive, f"{process.name} died:\n{process.output}"
        assert process.stop() == 0, f"{process.name} did not end cleanly:\n{process.output}"
        assert "Traceback" not in process.output and "never retrieved" not in process.output, process.output


def test_a_killed_policy_leaves_the_arm_at_rest_and_a_new_one_moves_it_again(running, untrained_checkpoint) -> None:
    graph = running
    graph.instruction.publish(String(data="pick up the red cube"))
    graph.wait_until(lambda: state(graph) == SafetyStatus.STATE_MOVING, "motion")
    graph.processes[-1].kill()
    graph.wait_until(lambda: state(graph) == SafetyStatus.STATE_HOLDING, "the arm to rest without its policy")
    last = graph.chunks[-1]
    graph.start("policy_node", robot="sim", checkpoint=str(untrained_checkpoint), autostart=True, device="cpu", seed=2)
    graph.wait_until(lambda: graph.chunks[-1].epoch > last.epoch, "a chunk of a newer epoch")
    graph.wait_until(lambda: state(graph) == SafetyStatus.STATE_MOVING, "motion again")


def test_the_stop_service_latches_until_reset(running) -> None:
    graph = running
    graph.instruction.publish(String(data="pick up the red cube"))
    graph.wait_until(lambda: state(graph) == SafetyStatus.STATE_MOVING, "motion")
    assert graph.call(Trigger, "safety_filter_node/stop", Trigger.Request()).success
    graph.wait_until(lambda: state(graph) == SafetyStatus.STATE_STOPPED, "the arm stopped")
    chunks = len(graph.chunks)
    graph.wait_until(lambda: len(graph.chunks) > chunks + 2, "chunks that the policy goes on to make")
    assert state(graph) == SafetyStatus.STATE_STOPPED


def test_an_arm_that_does_not_follow_is_a_fault_until_a_reset_that_tells_what_it_did(graph) -> None:
    """The test plays an arm that is pushed away by 0.4 rad."""
    statuses = graph.collect(SafetyStatus, "safety_status", LATCHED)
    commands = graph.collect(JointTrajectory, "joint_trajectory", EVERYTHING)
    diagnostics = graph.collect(DiagnosticArray, "/diagnostics", EVERYTHING)
    joints = {name: float(value) for name, value in zip(ARM_JOINTS, HOME, strict=True)} | {GRIPPER_JOINT: 0.02}
    publisher = graph.node.create_publisher(JointState, "joint_states", qos.SENSOR)
    stamped = [True]

    def publish() -> None:
        message = JointState(name=list(joints), position=list(joints.values()))
        if stamped[0]:
            message.header.stamp = graph.node.get_clock().now().to_msg()
        publisher.publish(message)

    process = graph.start("safety_filter_node", robot="sim")
    graph.wait_until(lambda: bool(statuses), "a status before there is a robot description")
    assert statuses[-1].state == SafetyStatus.STATE_INACTIVE and "robot_description" in statuses[-1].reason
    early = graph.call(Trigger, "safety_filter_node/reset", Trigger.Request())
    assert not early.success and "robot_description" in early.message

    graph.node.create_publisher(String, "robot_description", LATCHED).publish(String(data=urdf()))
    graph.node.create_timer(0.02, publish)
    graph.wait_until(lambda: statuses[-1].state == SafetyStatus.STATE_HOLDING, "the filter to hold the arm")
    joints["waist"] += 0.4
    graph.wait_until(lambda: statuses[-1].state == SafetyStatus.STATE_FAULT, "the fault in the status")
    assert "waist" in statuses[-1].reason
    graph.wait_until(
        lambda: any(
            s.level == DiagnosticStatus.ERROR and "waist" in s.message
            for array in diagnostics[-1:]
            for s in array.status
        ),
        "the fault in the diagnostics",
    )
    graph.wait_until(
        lambda: bool(commands) and commands[-1].points[-1].positions[0] == pytest.approx(joints["waist"]),
        "the arm held where it is",
    )

    stamped[0] = False
    graph.wait_until(lambda: statuses[-1].joint_state_age > 0.3, "joint states that are too old")
    stale = graph.call(Trigger, "safety_filter_node/reset", Trigger.Request())
    assert not stale.success and "joint state" in stale.message
    stamped[0] = True
    graph.wait_until(lambda: statuses[-1].joint_state_age < 0.1, "joint states that are fresh")
    granted = graph.call(Trigger, "safety_filter_node/reset", Trigger.Request())
    assert granted.success, granted.message
    graph.wait_until(lambda: statuses[-1].state == SafetyStatus.STATE_HOLDING, "the filter to hold the arm again")
    assert process.stop() == 0 and "Traceback" not in process.output, process.output
