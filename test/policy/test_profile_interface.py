# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a profile says about topics, cameras and the driver is read as it stands; a slip is refused with its line."""

from pathlib import Path

import numpy as np
import pytest

from instructvla_ros.policy.profile import ROBOTS_FOLDER, ProfileError, RobotProfile
from instructvla_ros.policy.profile_interface import ArmOutput, Camera, GripperOutput, PoseSource
from instructvla_ros.robot import description
from instructvla_ros.shared_files import shared_folder

ARM = Path(__file__).resolve().parents[1] / "robot" / "six_joint_arm.urdf"


@pytest.fixture
def load(tmp_path):
    """Loads the simulator's profile with some of its keys written otherwise; tells the line of the last one."""

    def load(**keys):
        text = (shared_folder(ROBOTS_FOLDER) / "sim.yaml").read_text()
        lines = [line for line in text.splitlines() if not line.startswith(tuple(keys))]
        if "cameras" in keys:
            lines = [line for line in lines if not line.startswith(("  primary:", "  wrist:"))]
        lines += [f"{key}: {value}" for key, value in keys.items()]
        path = tmp_path / "mine.yaml"
        path.write_text("\n".join(lines))
        try:
            return RobotProfile.load(path)
        except ProfileError as error:
            assert f"mine.yaml, line {len(lines)}: " in str(error), error
            raise

    return load


def test_limits_are_a_name_or_a_path_beside_the_profile(load, tmp_path):
    assert load(limits="widowx").interface.limits == "widowx"
    assert load(limits="mine_limits.yaml").interface.limits == str(tmp_path / "mine_limits.yaml")
    assert load(limits="/somewhere/limits.yaml").interface.limits == "/somewhere/limits.yaml"


def test_what_is_left_out_is_what_most_robots_do(load):
    interface = load(output="{kind: joint_trajectory, topic: /arm/joint_trajectory, command_timeout: 0}").interface
    assert interface.output == ArmOutput("joint_trajectory", "/arm/joint_trajectory", 0.0, False)
    assert interface.robot_description.kind == "topic" and interface.robot_description.topic == "robot_description"
    assert interface.joint_states == "joint_states"
    assert interface.end_effector_pose == PoseSource("kinematics")
    assert np.array_equal(interface.tool_offset, np.eye(4))
    assert interface.cameras["primary"] == Camera("image")


def test_every_key_says_what_it_says(load, tmp_path):
    profile = load(
        robot_description="{from: file, path: arm.urdf}",
        joint_states="/arm/joint_states",
        tool_offset="{xyz: [0, 0, 0.1], rpy: [0, 0, 1.5707963267948966]}",
        end_effector_pose="{from: topic, topic: /arm/pose}",
        cameras="{primary: {topic: /c/image, transport: compressed, encoding: bgr8, "
        "crop: [0.1, 0, 1, 0.9], rotate: 90}}",
        output="{kind: twist, topic: /servo/delta_twist_cmds, command_timeout: 0.1}",
        gripper_output="{kind: gripper_command, topic: /hand/gripper_cmd, max_effort: 20}",
        limits="/my/limits.yaml",
    )
    interface = profile.interface
    assert interface.robot_description.path == tmp_path / "arm.urdf", "paths begin at the profile"
    assert interface.joint_states == "/arm/joint_states"
    assert interface.tool_offset[:3, 3] == pytest.approx([0.0, 0.0, 0.1])
    assert interface.tool_offset[:3, 0] == pytest.approx([0.0, 1.0, 0.0])
    assert interface.end_effector_pose == PoseSource("topic", "/arm/pose")
    assert interface.cameras == {"primary": Camera("/c/image", "compressed", "bgr8", (0.1, 0.0, 1.0, 0.9), 90)}
    assert interface.output == ArmOutput("twist", "/servo/delta_twist_cmds", 0.1, False)
    assert interface.gripper_output == GripperOutput("gripper_command", "/hand/gripper_cmd", 20.0)
    assert interface.limits == "/my/limits.yaml"


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("cameras", "{}", "the primary camera is missing"),
        ("cameras", "{front: {topic: image}}", "'cameras.front': no camera of a model; there are primary, wrist"),
        ("cameras", "{primary: {topc: image}}", "unknown key 'cameras.primary.topc' (did you mean 'topic'?)"),
        ("cameras", "{primary: {topic: 'my image'}}", "'my image' is no name of a topic"),
        ("cameras", "{primary: {topic: image, transport: theora}}", "must be one of raw, compressed"),
        ("cameras", "{primary: {topic: image, rotate: 45}}", "must be one of 0, 90, 180, 270"),
        ("cameras", "{primary: {topic: image, crop: [0, 0, 640, 480]}}", "four numbers in brackets from 0 to 1"),
        ("cameras", "{primary: {topic: image, crop: [0.5, 0, 0.5, 1]}}", "left must be below right"),
        ("output", "{kind: torque, topic: t, command_timeout: 0}", "must be one of joint_trajectory"),
        ("output", "{kind: joint_position, topic: t}", "missing output.command_timeout"),
        (
            "output",
            "{kind: joint_velocity, topic: t, command_timeout: 0}",
            "it must stop by itself within 1 s, got 0 s",
        ),
        ("output", "{kind: twist, topic: t, command_timeout: 5}", "it must stop by itself within 1 s, got 5 s"),
        ("output", "{kind: pose, topic: t, command_timeout: 0, stamped: true}", "only trajectories begin at a time"),
        ("output", "{kind: joint_trajectory, topic: t, command_timeout: 0, lead: 0.01}", "add stamped: true"),
        ("gripper_output", "{kind: suction, topic: t}", "one of position_array, trajectory, gripper_command, none"),
        ("gripper_output", "{kind: gripper_command, topic: t}", "missing gripper_output.max_effort"),
        ("robot_description", "{from: web}", "must be a mapping with from: one of topic, file, xacro"),
        ("robot_description", "{from: xacro, path: a.xacro, arguments: big}", "'big' is no name:=value"),
        ("end_effector_pose", "{from: topic}", "missing end_effector_pose.topic"),
        ("end_effector_pose", "{from: tf}", "missing end_effector_pose.frame"),
        ("tool_offset", "{xyz: [0, 0], rpy: [0, 0, 0]}", "'tool_offset.xyz' must be three numbers"),
        ("simulation", "perhaps", "true or false"),
    ],
)
def test_a_slip_is_refused_with_its_line_and_what_is_allowed(key, value, allowed, load):
    with pytest.raises(ProfileError) as refusal:
        load(**{key: value})
    assert allowed in str(refusal.value)


def test_a_tool_offset_moves_the_gripper_point(load):
    six_joint_urdf = ARM.read_text(encoding="utf-8")
    straight = load().chain(six_joint_urdf)
    moved = load(tool_offset="{xyz: [0.05, 0, 0], rpy: [0, 0, 0]}").chain(six_joint_urdf)
    positions = np.array([0.2, -0.3, 0.3, 0.1, 1.2, 0.4])
    before, after = straight.forward(positions), moved.forward(positions)
    assert after[:3, 3] == pytest.approx(before[:3, 3] + 0.05 * before[:3, 0])
    assert moved.reach == pytest.approx(straight.reach + 0.05, abs=0.06)


def test_a_description_comes_from_a_file_and_one_that_is_missing_is_an_error_that_names_it(load, tmp_path):
    profile = load(robot_description="{from: file, path: arm.urdf}")
    with pytest.raises(ProfileError, match=r"robot sim: .*arm\.urdf"):
        profile.urdf()
    (tmp_path / "arm.urdf").write_text("<robot name='arm'/>")
    assert profile.urdf() == "<robot name='arm'/>"
    assert load().urdf() is None


def test_xacro_is_run_with_its_arguments_and_its_absence_says_what_to_install(load, tmp_path, monkeypatch):
    profile = load(robot_description="{from: xacro, path: arm.xacro, arguments: 'a:=1 b:=2'}")
    (tmp_path / "arm.xacro").write_text("<robot/>")
    monkeypatch.setattr(description.shutil, "which", lambda _: None)
    with pytest.raises(ProfileError, match=r"apt install ros-\$ROS_DISTRO-xacro"):
        profile.urdf()
    program = tmp_path / "xacro"
    program.write_text('#!/bin/sh\necho "<robot $2 $3/>"\n')
    program.chmod(0o755)
    monkeypatch.setattr(description.shutil, "which", lambda _: str(program))
    assert profile.urdf() == "<robot a:=1 b:=2/>\n"
    program.write_text("#!/bin/sh\necho 'no such macro' >&2\nexit 2\n")
    with pytest.raises(ProfileError, match="failed: no such macro"):
        profile.urdf()
