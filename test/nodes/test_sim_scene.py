# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The simulated arm lays scenes by their number, tells the truth about them, and does so under a running filter."""

import numpy as np
import pytest
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, JointState, MultiDOFJointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from instructvla_ros.msg import ActionChunk, SafetyStatus
from instructvla_ros.nodes import messages, qos
from instructvla_ros.nodes.scene_reset import SceneReset
from instructvla_ros.nodes.table_truth import state_from_message, truth_to_message
from instructvla_ros.parameters import DEMO_SCENE
from instructvla_ros.robot.action_chunk import ActionChunk as Chunk
from instructvla_ros.robot.poses import pose, rotation_from_vector
from instructvla_ros.safety import SafetyState
from instructvla_ros.sim.realtime import TableTruth
from instructvla_ros.sim.task_sampling import numbered_scene

EVERYTHING = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
OTHER_SCENE = 2_000_057


def test_the_truth_survives_the_wire() -> None:
    turned = pose(np.array([0.1, -0.2, 0.3]), rotation_from_vector(np.array([0.3, -0.2, 0.9])))
    truth = TableTruth(12.5, turned, {"red cube": turned, "blue ball": np.eye(4)}, {"red cube": np.array([0, 0, 0.4])})
    state = state_from_message(truth_to_message(truth, messages.time_message(12.5)), 0.5)
    assert (state.time, state.opening, state.touched) == (12.5, 0.5, {"red cube"})
    np.testing.assert_allclose(state.gripper, turned, atol=1e-12)
    assert list(state.objects) == ["red cube", "blue ball"]
    np.testing.assert_allclose(state.objects["red cube"], turned, atol=1e-12)


@pytest.mark.parametrize("fault", ["no gripper", "short", "not finite"])
def test_a_broken_truth_is_refused(fault: str) -> None:
    message = truth_to_message(TableTruth(0.0, np.eye(4), {"red cube": np.eye(4)}, {}), messages.time_message(0.0))
    if fault == "no gripper":
        message.joint_names = ["a", "b"]
    elif fault == "short":
        message.wrench = []
    else:
        message.transforms[0].translation.x = float("nan")
    with pytest.raises(ValueError):
        state_from_message(message, 1.0)


def names(truths: list) -> set[str]:
    return set(truths[-1].joint_names[1:]) if truths else set()


def test_the_demo_s_scene_is_there_and_another_one_is_laid_when_asked(graph) -> None:
    truths = graph.collect(MultiDOFJointState, "sim_arm_node/truth", qos.SENSOR)
    images = graph.collect(Image, "image", qos.SENSOR)
    graph.start("sim_arm_node", image_width=64, image_height=48)
    graph.wait_until(lambda: names(truths) == set(numbered_scene(DEMO_SCENE).things), "the demo's scene")
    assert "red cube" in names(truths)
    graph.wait_until(lambda: bool(images), "a picture")
    answer = graph.call(Trigger, "sim_arm_node/reset_scene", Trigger.Request())
    assert answer.success and f"scene {DEMO_SCENE}: " in answer.message


def test_a_new_scene_under_a_running_filter_is_no_fault_and_sets_nothing_in_motion(graph) -> None:
    """The gripper was commanded to close: that must not be repeated in the new scene, where it stands open."""
    truths = graph.collect(MultiDOFJointState, "sim_arm_node/truth", qos.SENSOR)
    states = graph.collect(JointState, "joint_states", qos.SENSOR)
    statuses = graph.collect(SafetyStatus, "safety_status", qos.LATCHED)
    instruction = graph.node.create_publisher(String, "instruction", qos.LATCHED)
    chunks = graph.node.create_publisher(ActionChunk, "action_chunk", qos.LEASED_COMMAND)
    reset = SceneReset(graph.node, instruction)
    graph.start("sim_arm_node", image_width=64, image_height=48)
    graph.start("safety_filter_node", robot="sim")
    sequence = iter(range(1000))

    def finger() -> float:
        return states[-1].position[6] if states else 1.0

    def closing() -> bool:
        move = np.tile([0.0, 0.02, 0.0], (8, 1))
        chunk = Chunk(
            messages.ros_now(graph.node), "base_link", 1, next(sequence), 0.2, move, np.zeros((8, 3)), np.zeros(8)
        )
        chunks.publish(messages.chunk_to_message(chunk))
        return finger() < 0.005

    graph.wait_until(closing, "a closed gripper on an arm in motion")
    graph.wait_until(lambda: not reset.absent(), "services of arm and filter")
    ends: list[str] = []
    reset.start(OTHER_SCENE, ends.append)
    graph.wait_until(lambda: bool(ends), "the end of the reset")
    assert ends == [""]
    since = len(statuses)
    graph.wait_until(lambda: len(statuses) >= since + 5, "half a second of safety statuses")
    assert {SafetyState(status.state) for status in statuses[since + 1 :]} == {SafetyState.HOLDING}
    assert not any(status.state == SafetyState.FAULT for status in statuses)
    graph.wait_until(lambda: names(truths) == set(numbered_scene(OTHER_SCENE).things), "the other scene")
    assert finger() == pytest.approx(0.037, abs=1e-3)


def test_a_reset_without_a_simulated_arm_says_so(graph) -> None:
    instruction = graph.node.create_publisher(String, "instruction", qos.LATCHED)
    ends: list[str] = []
    SceneReset(graph.node, instruction).start(1, ends.append)
    assert "reset_scene is not there" in ends[0]
