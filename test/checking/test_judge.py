# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Planted faults in what was seen of a graph: each is found, by name, with what to do."""

import math
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from instructvla_ros.checking.findings import Finding, Level
from instructvla_ros.checking.judge import judge
from instructvla_ros.checking.seen import CameraStream, Command, Endpoint, JointStream, Seen, Stream
from instructvla_ros.checking.words import in_words
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.policy.profile_interface import Camera
from instructvla_ros.safety import SafetyLimits
from instructvla_ros.sim.arm_model import ARM_JOINTS, GRIPPER_JOINT, HOME, urdf

PROFILE = RobotProfile.load("sim")
LIMITS = SafetyLimits.load("sim")
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"


def heard(stream: Stream, rate: float, age: float = 0.01, seconds: float = 5.0) -> None:
    """Fill in regular arrivals."""
    count = int(rate * seconds)
    stream.arrivals = [100.0 + n / rate for n in range(count)]
    stream.ages = [age] * count
    stream.stamps = [1e9 + n / rate - age for n in range(count)]


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def camera(topic: str, frame: str, seed: int) -> CameraStream:
    stream = CameraStream(topic, IMAGE, (Endpoint("/camera_driver", IMAGE),), frame=frame, encoding="rgb8")
    stream.width, stream.height, stream.first, stream.last = 64, 48, picture(seed), picture(seed)
    heard(stream, 10.0)
    return stream


def graph() -> Seen:
    """A graph in which all is well."""
    joints = JointStream(
        "/joint_states", "sensor_msgs/msg/JointState", (Endpoint("/arm", "sensor_msgs/msg/JointState"),)
    )
    joints.names = [*ARM_JOINTS, GRIPPER_JOINT]
    joints.positions = dict(zip(joints.names, [*map(float, HOME), 0.02], strict=True))
    joints.first = dict(joints.positions)
    heard(joints, 50.0)
    cameras = {"primary": camera("/image", "front_camera", 1), "wrist": camera("/wrist_image", "wrist_camera", 2)}
    trajectory, numbers = "trajectory_msgs/msg/JointTrajectory", "std_msgs/msg/Float64MultiArray"
    return Seen(
        5.0,
        cameras,
        joints,
        urdf(),
        description_publishers=(Endpoint("/robot_state_publisher", "std_msgs/msg/String", latched=True),),
        commands=[
            Command("/joint_trajectory", trajectory, (Endpoint("/arm", trajectory),)),
            Command("/gripper_command", numbers, (Endpoint("/arm", numbers),)),
        ],
        topics={"/image": (IMAGE,), "/wrist_image": (IMAGE,)},
        clock_offsets={"/safety_filter_node": (0.001, 0.002)},
    )


def bad(seen: Seen, profile: RobotProfile = PROFILE) -> list[Finding]:
    return [finding for finding in judge(profile, LIMITS, seen) if finding.level is not Level.GOOD]


def test_a_graph_without_faults_is_good_in_every_part() -> None:
    findings = judge(PROFILE, LIMITS, graph())
    assert [finding for finding in findings if finding.level is not Level.GOOD] == []
    assert {"/joint_states", "/image", "/wrist_image", "/robot_description", "/joint_trajectory"} <= {
        finding.subject for finding in findings
    }


def wrong_joint(seen: Seen) -> None:
    seen.joints.names[1] = "shoulder_lift"
    seen.joints.positions["shoulder_lift"] = seen.joints.positions.pop("shoulder")


def no_gripper(seen: Seen) -> None:
    seen.joints.names.remove(GRIPPER_JOINT)


def no_joint_states(seen: Seen) -> None:
    seen.joints.arrivals, seen.joints.ages, seen.joints.publishers = [], [], ()


def slow_joints(seen: Seen) -> None:
    heard(seen.joints, 4.0)


def degrees(seen: Seen) -> None:
    seen.joints.positions["elbow"] = 45.0


def no_urdf(seen: Seen) -> None:
    seen.description, seen.description_publishers = None, ()


def urdf_not_latched(seen: Seen) -> None:
    seen.description = None
    seen.description_publishers = (Endpoint("/my_publisher", "std_msgs/msg/String"),)


def other_urdf(seen: Seen) -> None:
    seen.description = urdf().replace("gripper_link", "tool_link")


def renamed_urdf(seen: Seen) -> None:
    seen.description = urdf().replace('"elbow"', '"elbow_joint"')


def future(seen: Seen) -> None:
    heard(seen.cameras["primary"], 10.0, age=-0.4)


def late(seen: Seen) -> None:
    heard(seen.joints, 50.0, age=0.9)


def unstamped(seen: Seen) -> None:
    seen.joints.ages = [math.inf] * len(seen.joints.ages)


def slow_camera(seen: Seen) -> None:
    heard(seen.cameras["primary"], 1.0)


def rather_slow_camera(seen: Seen) -> None:
    heard(seen.cameras["primary"], 3.0)


def cameras_apart(seen: Seen) -> None:
    seen.cameras["wrist"].stamps = [stamp - 3.0 for stamp in seen.cameras["wrist"].stamps][:10]


def only_compressed(seen: Seen) -> None:
    stream = seen.cameras["primary"]
    stream.arrivals, stream.publishers = [], ()
    seen.topics = {"/image/compressed": (COMPRESSED,)}


def other_camera_topic(seen: Seen) -> None:
    stream = seen.cameras["primary"]
    stream.arrivals, stream.publishers = [], ()
    seen.topics = {"/front/image_raw": (IMAGE,)}


def wrong_type(seen: Seen) -> None:
    stream = seen.cameras["primary"]
    stream.arrivals, stream.publishers = [], (Endpoint("/camera_driver", COMPRESSED),)


def silent_camera(seen: Seen) -> None:
    seen.cameras["primary"].arrivals = []


def covered_lens(seen: Seen) -> None:
    seen.cameras["primary"].fault = "it is one flat colour (red 0, green 0, blue 0) and shows nothing"


def swapped_by_name(seen: Seen) -> None:
    primary, wrist = seen.cameras["primary"], seen.cameras["wrist"]
    primary.frame, wrist.frame = wrist.frame, primary.frame


def swapped_by_urdf(seen: Seen) -> None:
    seen.cameras["primary"].frame = "gripper_link"


def wrist_on_the_base(seen: Seen) -> None:
    seen.cameras["wrist"].frame = "base_link"


def swapped_by_motion(seen: Seen) -> None:
    seen.joints.first["waist"] -= 0.3
    seen.cameras["primary"].last = picture(7) // 2


def same_picture(seen: Seen) -> None:
    seen.cameras["wrist"].last = seen.cameras["primary"].last


def clock_ahead(seen: Seen) -> None:
    seen.clock_offsets = {"/safety_filter_node": (0.8, 0.003)}


def clock_slightly_ahead(seen: Seen) -> None:
    seen.clock_offsets = {"/safety_filter_node": (0.07, 0.003)}


def no_driver(seen: Seen) -> None:
    seen.commands[0].listeners = ()


def other_driver(seen: Seen) -> None:
    seen.commands[0].listeners = (Endpoint("/forward_controller", "std_msgs/msg/Float64MultiArray"),)


def second_master(seen: Seen) -> None:
    seen.commands[0].masters = (Endpoint("/rqt_joint_trajectory_controller", "trajectory_msgs/msg/JointTrajectory"),)


PLANTED: list[tuple[Callable[[Seen], None], Level, str, str]] = [
    (wrong_joint, Level.ERROR, "no joint 'shoulder' (do you mean 'shoulder_lift'?)", "joints of the profile"),
    (no_gripper, Level.ERROR, f"no joint '{GRIPPER_JOINT}'", "joint_state_publisher"),
    (no_joint_states, Level.ERROR, "nobody publishes the joint states", "start its driver"),
    (slow_joints, Level.ERROR, "comes at 4 Hz", "raise the driver's rate"),
    (degrees, Level.ERROR, "elbow is at 45.000", "radians"),
    (no_urdf, Level.ERROR, "no URDF came", "robot_state_publisher"),
    (urdf_not_latched, Level.ERROR, "not latched", "transient local"),
    (other_urdf, Level.ERROR, "gripper_link", "tip_frame"),
    (renamed_urdf, Level.ERROR, "elbow_joint", "name these joints"),
    (future, Level.ERROR, "in the future", "chrony"),
    (late, Level.ERROR, "0.900 s old", "chrony"),
    (unstamped, Level.ERROR, "no time stamp", "stamp them"),
    (slow_camera, Level.ERROR, "comes at 1 Hz", "camera's rate"),
    (rather_slow_camera, Level.WARNING, "the policy acts at 5 Hz", "control_rate"),
    (cameras_apart, Level.ERROR, "apart", "synchronise"),
    (only_compressed, Level.ERROR, "/image/compressed is there", "image_transport:=compressed"),
    (other_camera_topic, Level.ERROR, "/front/image_raw", "cameras.primary.topic"),
    (wrong_type, Level.ERROR, f"carries {COMPRESSED}", "cameras.primary.topic"),
    (silent_camera, Level.ERROR, "nothing arrives", "ROS_DOMAIN_ID"),
    (covered_lens, Level.ERROR, "one flat colour", "lens"),
    (swapped_by_name, Level.WARNING, "look swapped", "exchange the topics"),
    (swapped_by_urdf, Level.ERROR, "'gripper_link' moves with the arm", "exchange the topics"),
    (wrist_on_the_base, Level.ERROR, "does not move with the arm", "exchange the topics"),
    (swapped_by_motion, Level.ERROR, "they look swapped", "exchange the topics"),
    (same_picture, Level.ERROR, "the very same picture", "own camera"),
    (clock_ahead, Level.ERROR, "0.800 s ahead", "chrony"),
    (clock_slightly_ahead, Level.WARNING, "0.070 s ahead", "chrony"),
    (no_driver, Level.WARNING, "no driver listens", "list_controllers"),
    (other_driver, Level.ERROR, "wants std_msgs/msg/Float64MultiArray", "output"),
    (second_master, Level.ERROR, "rqt_joint_trajectory_controller sends commands here too", "end it"),
]


@pytest.mark.parametrize(("plant", "level", "said", "to_do"), PLANTED, ids=[each[0].__name__ for each in PLANTED])
def test_a_planted_fault_is_found_and_it_says_what_to_do(
    plant: Callable[[Seen], None], level: Level, said: str, to_do: str
) -> None:
    seen = graph()
    plant(seen)
    matching = [finding for finding in bad(seen) if said in finding.text]
    assert matching, [str(finding) for finding in bad(seen)]
    assert matching[0].level is level and to_do in matching[0].remedy
    assert all(finding.remedy for finding in bad(seen))


def test_an_arm_of_hardware_without_a_driver_is_an_error() -> None:
    hardware = replace(PROFILE, interface=replace(PROFILE.interface, simulation=False))
    seen = graph()
    no_driver(seen)
    assert [finding.level for finding in bad(seen, hardware)] == [Level.ERROR]


def test_an_encoding_other_than_the_profile_s_is_found() -> None:
    cameras = {"primary": Camera("image", encoding="bgr8"), "wrist": Camera("wrist_image")}
    profile = replace(PROFILE, interface=replace(PROFILE.interface, cameras=cameras))
    (finding,) = bad(graph(), profile)
    assert "encoded as rgb8" in finding.text and "cameras.primary.encoding" in finding.remedy


def test_a_wrist_camera_that_changes_more_than_the_other_is_good() -> None:
    seen = graph()
    seen.joints.first["waist"] -= 0.3
    seen.cameras["wrist"].last = picture(8) // 2
    assert bad(seen) == []


def test_limits_that_are_looser_than_the_urdf_are_found() -> None:
    seen = graph()
    seen.description = re.sub(r'velocity="[^"]*"', 'velocity="0.1"', urdf())
    assert any("limits sim" in finding.text for finding in bad(seen))


@pytest.mark.parametrize("name", ["sim", "widowx"])
def test_the_words_name_what_the_profile_names(name: str) -> None:
    profile, limits = RobotProfile.load(name), SafetyLimits.load(name)
    text = "\n".join(in_words(profile, limits))
    interface = profile.interface
    for word in (*profile.joints, profile.tip_frame, profile.gripper.joint, profile.dataset, interface.output.topic):
        assert word in text
    for camera in interface.cameras.values():
        assert camera.topic in text
    assert ("arm:=true" in text) is not interface.simulation
