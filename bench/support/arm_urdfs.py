# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Robot descriptions of the arms that have a profile, from the makers' published numbers, for tests and measurements.

They hold the joints from the base to the gripper point and the gripper's joint: origins, axes, ranges and speeds. No
shapes, no masses. Lengths in metres, angles in radians. Sources:

- widowx: Interbotix/interbotix_ros_manipulators, interbotix_xsarm_descriptions/urdf/wx250s.urdf.xacro
- fr3, panda: frankaemika/franka_description, robots/fer/kinematics.yaml (both arms have these lengths),
  robots/fr3/joint_limits.yaml, end_effectors/common/franka_hand.xacro; the Panda's ranges and speeds:
  https://frankaemika.github.io/docs/control_parameters.html
- ur5e: UniversalRobots/Universal_Robots_ROS2_Description, config/ur5e/joint_limits.yaml and the default kinematics,
  which are the DH parameters that the maker publishes (d1 0.1625, a2 -0.425, a3 -0.3922, d4 0.1333, d5 0.0997,
  d6 0.0996)
- xarm7: xArm-Developer/xarm_ros2, xarm_description/urdf/xarm7/xarm7.urdf.xacro and gripper/xarm_gripper.urdf.xacro
- so101: TheRobotStudio/SO-ARM100, Simulation/SO101/so101_new_calib.urdf
"""

from dataclasses import dataclass
from math import pi, radians

import numpy as np

from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.robot.kinematics import KinematicChain


@dataclass(frozen=True)
class Joint:
    """One joint; without limits it is fixed.

    Attributes:
        name: its name.
        child: the link it carries; it hangs on the child of the one before.
        xyz: of its origin [m].
        rpy: of its origin [rad].
        axis: in its own frame.
        limits: lowest, highest [rad] and speed [rad/s]; None for a fixed one.
    """

    name: str
    child: str
    xyz: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rpy: tuple[float, float, float] = (0.0, 0.0, 0.0)
    axis: tuple[float, float, float] = (0.0, 0.0, 1.0)
    limits: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Arm:
    """An arm.

    Attributes:
        base: the link that it stands on.
        joints: from there on.
        gripper: name, lowest and highest position of the gripper's joint [rad or m].
        ready: positions of the moving joints with the gripper above the table [rad].
    """

    base: str
    joints: tuple[Joint, ...]
    gripper: tuple[str, float, float]
    ready: tuple[float, ...]


def _turning(name: str, child: str, xyz: tuple, rpy: tuple, limits: tuple) -> Joint:
    return Joint(name, child, xyz, rpy, (0.0, 0.0, 1.0), limits)


def _widowx() -> Arm:
    link, most = "wx250s/{}".format, pi - 0.00001
    x, y, z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
    joints = (
        Joint("waist", link("shoulder_link"), (0, 0, 0.072), axis=z, limits=(-most, most, pi)),
        Joint("shoulder", link("upper_arm_link"), (0, 0, 0.03865), axis=y, limits=(radians(-108), radians(114), pi)),
        Joint("elbow", link("upper_forearm_link"), (0.04975, 0, 0.25), axis=y, limits=(radians(-123), radians(92), pi)),
        Joint("forearm_roll", link("lower_forearm_link"), (0.175, 0, 0), axis=x, limits=(-most, most, pi)),
        Joint("wrist_angle", link("wrist_link"), (0.075, 0, 0), axis=y, limits=(radians(-100), radians(123), pi)),
        Joint("wrist_rotate", link("gripper_link"), (0.065, 0, 0), axis=x, limits=(-most, most, pi)),
        Joint("ee_arm", link("ee_arm_link"), (0.043, 0, 0)),
        Joint("gripper_bar", link("gripper_bar_link")),
        Joint("ee_bar", link("fingers_link"), (0.023, 0, 0)),
        Joint("ee_gripper", link("ee_gripper_link"), (0.027575, 0, 0)),
    )
    return Arm(link("base_link"), joints, ("left_finger", 0.015, 0.037), (0.0, -0.3, 0.3, 0.0, 1.2, 0.0))


def _franka(prefix: str, ranges: tuple, speeds: tuple) -> Arm:
    quarter = pi / 2
    origins = (
        ((0, 0, 0.333), (0, 0, 0)),
        ((0, 0, 0), (-quarter, 0, 0)),
        ((0, -0.316, 0), (quarter, 0, 0)),
        ((0.0825, 0, 0), (quarter, 0, 0)),
        ((-0.0825, 0.384, 0), (-quarter, 0, 0)),
        ((0, 0, 0), (quarter, 0, 0)),
        ((0.088, 0, 0), (quarter, 0, 0)),
    )
    joints = [
        _turning(f"{prefix}_joint{i}", f"{prefix}_link{i}", *origins[i - 1], (*ranges[i - 1], speeds[i - 1]))
        for i in range(1, 8)
    ]
    joints += [
        Joint(f"{prefix}_joint8", f"{prefix}_link8", (0, 0, 0.107)),
        Joint(f"{prefix}_hand_joint", f"{prefix}_hand", rpy=(0, 0, -pi / 4)),
        Joint(f"{prefix}_hand_tcp_joint", f"{prefix}_hand_tcp", (0, 0, 0.1034)),
    ]
    ready = (0.0, -pi / 4, 0.0, -3 * pi / 4, 0.0, pi / 2, pi / 4)
    return Arm(f"{prefix}_link0", tuple(joints), (f"{prefix}_finger_joint1", 0.0, 0.04), ready)


def _fr3() -> Arm:
    ranges = (
        (-2.7437, 2.7437), (-1.7837, 1.7837), (-2.9007, 2.9007), (-3.0421, -0.1518), (-2.8065, 2.8065),
        (0.5445, 4.5169), (-3.0159, 3.0159),
    )  # fmt: skip
    return _franka("fr3", ranges, (2.62, 2.62, 2.62, 2.62, 5.26, 4.18, 5.26))


def _panda() -> Arm:
    ranges = (
        (-2.8973, 2.8973), (-1.7628, 1.7628), (-2.8973, 2.8973), (-3.0718, -0.0698), (-2.8973, 2.8973),
        (-0.0175, 3.7525), (-2.8973, 2.8973),
    )  # fmt: skip
    return _franka("panda", ranges, (2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61))


def _ur5e() -> Arm:
    quarter, full, half = pi / 2, (-2 * pi, 2 * pi, pi), (-pi, pi, pi)
    joints = (
        Joint("base_link-base_link_inertia", "base_link_inertia", rpy=(0, 0, pi)),
        _turning("shoulder_pan_joint", "shoulder_link", (0, 0, 0.1625), (0, 0, 0), full),
        _turning("shoulder_lift_joint", "upper_arm_link", (0, 0, 0), (quarter, 0, 0), full),
        _turning("elbow_joint", "forearm_link", (-0.425, 0, 0), (0, 0, 0), half),
        _turning("wrist_1_joint", "wrist_1_link", (-0.3922, 0, 0.1333), (0, 0, 0), full),
        _turning("wrist_2_joint", "wrist_2_link", (0, -0.0997, 0), (quarter, 0, 0), full),
        _turning("wrist_3_joint", "wrist_3_link", (0, 0.0996, 0), (quarter, pi, pi), full),
        Joint("wrist_3-flange", "flange", rpy=(0, -quarter, -quarter)),
        Joint("flange-tool0", "tool0", rpy=(quarter, 0, quarter)),
    )
    return Arm("base_link", joints, ("robotiq_85_left_knuckle_joint", 0.0, 0.7929), (0.0, -1.9, 2.1, -1.77, -1.57, 0.0))


def _xarm7() -> Arm:
    right, around = 1.5708, (-2 * pi, 2 * pi, 3.14)
    joints = (
        _turning("joint1", "link1", (0, 0, 0.267), (0, 0, 0), around),
        _turning("joint2", "link2", (0, 0, 0), (-right, 0, 0), (-2.059, 2.0944, 3.14)),
        _turning("joint3", "link3", (0, -0.293, 0), (right, 0, 0), around),
        _turning("joint4", "link4", (0.0525, 0, 0), (right, 0, 0), (-0.19198, 3.927, 3.14)),
        _turning("joint5", "link5", (0.0775, -0.3425, 0), (right, 0, 0), around),
        _turning("joint6", "link6", (0, 0, 0), (right, 0, 0), (-1.69297, pi, 3.14)),
        _turning("joint7", "link7", (0.076, 0.097, 0), (-right, 0, 0), around),
        Joint("joint_eef", "link_eef"),
        Joint("gripper_fix", "xarm_gripper_base_link"),
        Joint("joint_tcp", "link_tcp", (0, 0, 0.172)),
    )
    return Arm("link_base", joints, ("drive_joint", 0.0, 0.85), (0.0, -0.3, 0.0, 1.0, 0.0, 1.3, 0.0))


def _so101() -> Arm:
    right = 1.5708
    joints = (
        _turning("shoulder_pan", "shoulder_link", (0.0207909, -0.0230745, 0.0948817), (-3.14159, 0, right),
                 (-1.91986, 1.91986, 10.0)),
        _turning("shoulder_lift", "upper_arm_link", (-0.0303992, -0.0182778, -0.0542), (-right, -right, 0),
                 (-1.74533, 1.74533, 10.0)),
        _turning("elbow_flex", "lower_arm_link", (-0.11257, -0.028, 0), (0, 0, right), (-1.69, 1.69, 10.0)),
        _turning("wrist_flex", "wrist_link", (-0.1349, 0.0052, 0), (0, 0, -right), (-1.65806, 1.65806, 10.0)),
        _turning("wrist_roll", "gripper_link", (0, -0.0611, 0.0181), (right, 0, 3.14159), (-2.79253, 2.79253, 10.0)),
        Joint("gripper_frame_joint", "gripper_frame_link", (-0.0079, -0.000218121, -0.0981274), (0, 3.14159, 0)),
    )  # fmt: skip
    return Arm("base_link", joints, ("gripper", -0.174533, 1.74533), (0.0, -0.4, 0.3, 1.2, 0.0))


ARMS = {
    "fr3": _fr3(),
    "panda": _panda(),
    "so101": _so101(),
    "ur5e": _ur5e(),
    "widowx": _widowx(),
    "xarm7": _xarm7(),
}
"""By the names of their profiles."""


def urdf_of(name: str) -> str:
    """Text of the URDF of an arm."""
    arm = ARMS[name]
    links, joints, parent = [arm.base], [], arm.base
    for joint in arm.joints:
        kind = "fixed" if joint.limits is None else "revolute"
        limit = ""
        if joint.limits is not None:
            lower, upper, velocity = joint.limits
            limit = f'<limit lower="{lower!r}" upper="{upper!r}" velocity="{velocity!r}" effort="10"/>'
        joints.append(
            f'<joint name="{joint.name}" type="{kind}"><parent link="{parent}"/><child link="{joint.child}"/>'
            f'<origin xyz="{_spaced(joint.xyz)}" rpy="{_spaced(joint.rpy)}"/><axis xyz="{_spaced(joint.axis)}"/>'
            f"{limit}</joint>"
        )
        links.append(joint.child)
        parent = joint.child
    finger, lower, upper = arm.gripper
    joints.append(
        f'<joint name="{finger}" type="revolute"><parent link="{parent}"/><child link="finger"/>'
        f'<limit lower="{lower!r}" upper="{upper!r}" velocity="2" effort="10"/></joint>'
    )
    text = "\n".join([*(f'<link name="{link}"/>' for link in [*links, "finger"]), *joints])
    return f'<robot name="{name}">\n{text}\n</robot>\n'


def chain_of(name: str) -> KinematicChain:
    """Kinematics as the arm's profile sees them."""
    return RobotProfile.load(name).chain(urdf_of(name))


def ready_of(name: str) -> np.ndarray:
    """Positions ``(n,)`` of the moving joints with the gripper above the table [rad]."""
    return np.array(ARMS[name].ready)


def _spaced(numbers: tuple[float, ...]) -> str:
    return " ".join(repr(float(number)) for number in numbers)
