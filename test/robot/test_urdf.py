# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reading robot descriptions: what is right is read, what is wrong is named."""

import math

import numpy as np
import pytest

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.robot.urdf import UrdfError

BASE, TIP = "base_link", "gripper_link"


def test_moving_joints_are_found_in_order_and_fixed_ones_folded(six_joint_urdf):
    chain = KinematicChain.from_urdf(six_joint_urdf, BASE, TIP)
    assert chain.joint_names == ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate")
    np.testing.assert_array_equal(chain.lower, [-3.14, -1.88, -2.14, -3.14, -1.74, -3.14])
    np.testing.assert_array_equal(chain.upper, [3.14, 1.98, 1.6, 3.14, 2.14, 3.14])
    np.testing.assert_array_equal(chain.velocity, np.full(6, 3.14))


def test_a_chain_may_start_and_end_anywhere(six_joint_urdf):
    chain = KinematicChain.from_urdf(six_joint_urdf, "upper_arm_link", "left_finger_link")
    assert chain.joint_names == ("elbow", "forearm_roll", "wrist_angle", "wrist_rotate", "left_finger")
    assert chain.revolute.tolist() == [True, True, True, True, False]


def test_a_continuous_joint_has_no_range(seven_joint_urdf):
    chain = KinematicChain.from_urdf(seven_joint_urdf, "column", "link_1")
    assert chain.joint_names == ("turn",)
    assert chain.lower[0] == -math.inf and chain.upper[0] == math.inf and chain.velocity[0] == 2.0


WAIST_LIMIT = '<limit lower="-3.14" upper="3.14" velocity="3.14" effort="10"/>'


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (WAIST_LIMIT, "", "revolute joint 'waist' has no <limit>"),
        (WAIST_LIMIT, '<limit lower="1" upper="-1" velocity="3"/>', "joint 'waist' has lower 1 above upper -1"),
        (WAIST_LIMIT, '<limit lower="-1" upper="1"/>', "joint 'waist' has no velocity"),
        (WAIST_LIMIT, '<limit lower="-1" upper="1" velocity="-3"/>', "joint 'waist' is negative"),
        (WAIST_LIMIT, '<limit lower="nan" upper="1" velocity="3"/>', "<limit lower> of joint 'waist'"),
        (WAIST_LIMIT, '<limit lower="-1" upper="${pi}" velocity="3"/>', "<limit upper> of joint 'waist'"),
        ('<axis xyz="0 0 1"/>', '<axis xyz="0 0 0"/>', "joint 'waist' has no direction"),
        ('<axis xyz="0 0 1"/>', '<axis xyz="0 1"/>', "<axis xyz> of joint 'waist'"),
        ('<origin xyz="0 0 0.072"/>', '<origin xyz="0 0 high"/>', "<origin xyz> of joint 'waist'"),
        ('<origin xyz="0 0 0.072"/>', '<origin rpy="inf 0 0"/>', "<origin rpy> of joint 'waist'"),
        ('<joint name="waist" type="revolute">', '<joint name="waist" type="hinge">', "'waist' has type 'hinge'"),
        ('<joint name="waist" type="revolute">', '<joint name="waist" type="floating">', "'waist' .* is floating"),
        ('<joint name="waist" type="revolute">', '<joint type="revolute">', "a <joint> .* has no name"),
        ('<parent link="base_link"/>', "", "joint 'waist' has no <parent link"),
        ('<parent link="base_link"/>', '<parent link="bas_link"/>', "joint 'waist' names link 'bas_link'"),
        ('<child link="flange_link"/>', '<child link="wrist_link"/>', "link 'wrist_link' hangs on two joints"),
        ('<joint name="elbow"', '<joint name="shoulder"', "joint 'shoulder' is defined twice"),
        ('<link name="wrist_link"/>', "<link/>", "a <link> .* has no name"),
        (
            '<origin xyz="0 0 0.039"/>',
            '<origin xyz="0 0 0.039"/><mimic joint="elbow"/>',
            "joint 'shoulder' .* mimics 'elbow'",
        ),
        ('<parent link="base_link"/>', '<parent link="gripper_link"/>', "is part of a loop"),
    ],
)
def test_a_malformed_joint_is_refused_by_name(six_joint_urdf, old, new, complaint):
    assert old in six_joint_urdf
    with pytest.raises(UrdfError, match=complaint):
        KinematicChain.from_urdf(six_joint_urdf.replace(old, new, 1), BASE, TIP)


@pytest.mark.parametrize(
    ("base", "tip", "complaint"),
    [
        ("base", TIP, "no link 'base' .* as base.*base_link"),
        (BASE, "gripper", "no link 'gripper' .* as tip.*gripper_link"),
        (TIP, BASE, "'base_link' does not hang on 'gripper_link'"),
        (BASE, BASE, "no moving joint"),
        ("flange_link", TIP, "no moving joint"),
        (BASE, "right_finger_link", "'right_finger' .* mimics 'left_finger'"),
    ],
)
def test_a_chain_that_is_not_there_is_refused_by_name(six_joint_urdf, base, tip, complaint):
    with pytest.raises(UrdfError, match=complaint):
        KinematicChain.from_urdf(six_joint_urdf, base, tip)


@pytest.mark.parametrize(("text", "complaint"), [("", "not XML"), ("<robot", "not XML"), ("<sdf/>", "<sdf>")])
def test_text_that_is_no_robot_is_refused(text, complaint):
    with pytest.raises(UrdfError, match=complaint):
        KinematicChain.from_urdf(text, BASE, TIP)
