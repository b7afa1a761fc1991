# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the model is shown of a camera, and where the measured pose of the end effector comes from."""

import numpy as np
import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Pose, PoseStamped, Quaternion
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String

from instructvla_ros.nodes import messages, qos
from instructvla_ros.nodes.image_decoding import to_message, to_rgb
from instructvla_ros.policy.profile import ROBOTS_FOLDER
from instructvla_ros.shared_files import shared_folder
from instructvla_ros.sim.arm_model import ARM_JOINTS, GRIPPER_JOINT, HOME, urdf


def test_a_pose_message_becomes_a_matrix_and_one_that_is_none_is_refused():

    pose = Pose(orientation=Quaternion(x=0.0, y=0.0, z=1.0, w=0.0))
    pose.position.x = 0.3
    matrix = messages.pose_matrix(pose)
    np.testing.assert_allclose(matrix[:3, :3], np.diag([-1.0, -1.0, 1.0]), atol=1e-12)
    assert matrix[0, 3] == 0.3
    with pytest.raises(ValueError, match="expected 1"):
        messages.pose_matrix(Pose(orientation=Quaternion(x=0.0, y=0.0, z=0.0, w=0.0)))
    pose.position.y = float("nan")
    with pytest.raises(ValueError, match="not finite"):
        messages.pose_matrix(pose)


def test_the_model_s_view_is_cut_and_turned_and_a_missing_pose_is_waited_for(graph, untrained_checkpoint, tmp_path):
    content = yaml.safe_load((shared_folder(ROBOTS_FOLDER) / "sim.yaml").read_text())
    content["cameras"] = {"primary": {"topic": "image", "crop": [0.0, 0.0, 0.5, 1.0], "rotate": 90}}
    content["end_effector_pose"] = {"from": "topic", "topic": "end_effector_pose"}
    robot = tmp_path / "mine.yaml"
    robot.write_text(yaml.safe_dump(content))
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32] = [200, 10, 10]
    picture[:, 32:] = [0, 0, 255]
    diagnostics = graph.collect(DiagnosticArray, "/diagnostics", qos.TEXT)
    seen = graph.collect(Image, "model_view", qos.SENSOR)
    images = graph.node.create_publisher(Image, "image", qos.SENSOR)
    joints = graph.node.create_publisher(JointState, "joint_states", qos.SENSOR)
    poses = graph.node.create_publisher(PoseStamped, "end_effector_pose", qos.SENSOR)
    instruction = graph.node.create_publisher(String, "instruction", qos.LATCHED)
    graph.node.create_publisher(String, "robot_description", qos.LATCHED).publish(String(data=urdf()))
    told = [False]

    def publish() -> None:
        stamp = graph.node.get_clock().now().to_msg()
        message = to_message(picture)
        message.header.stamp = stamp
        images.publish(message)
        state = JointState(name=[GRIPPER_JOINT, *ARM_JOINTS], position=[0.02, *map(float, HOME)])
        state.header.stamp = stamp
        pose = PoseStamped()
        pose.header.stamp, pose.header.frame_id = stamp, "base_link"
        pose.pose.position.x = 0.3
        if told[0]:
            poses.publish(pose)
        joints.publish(state)

    graph.node.create_timer(0.05, publish)
    graph.start("policy_node", robot=str(robot), checkpoint=str(untrained_checkpoint), autostart=True, device="cpu")
    graph.wait_until(lambda: bool(seen), "a picture of what the model sees")
    view = to_rgb(seen[-1])
    assert view.shape == (32, 48, 3), "the left half, a quarter turned"
    assert (view[:, 24:] == [200, 10, 10]).all() and not view[:, :24].any()
    assert seen[-1].header.stamp.sec > 0
    instruction.publish(String(data="pick up the red cube"))

    def said(words: str) -> bool:
        return any(words in s.message for array in diagnostics for s in array.status if "policy_node" in s.name)

    graph.wait_until(lambda: said("no pose of the end effector on end_effector_pose"), "the pose to be missed")
    told[0] = True
    graph.wait_until(
        lambda: [s.message for a in diagnostics for s in a.status if "policy_node" in s.name][-1:] == ["acting"],
        "the policy to act",
    )
