# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""URDF and MuJoCo model describe the same arm."""

import xml.etree.ElementTree as ElementTree

import mujoco
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.robot.urdf import path_to
from instructvla_ros.sim.arm_model import (
    ARM_JOINTS,
    BASE_LINK,
    CAMERAS,
    GRIPPER_JOINT,
    GRIPPER_MIMIC_JOINT,
    HOME,
    TIP_LINK,
    camera_mount,
    mjcf,
    urdf,
)
from instructvla_ros.sim.arm_numbers import LINKS

CHAIN = KinematicChain.from_urdf(urdf(), base=BASE_LINK, tip=TIP_LINK)
MODEL = mujoco.MjModel.from_xml_string(mjcf())
DATA = mujoco.MjData(MODEL)

joint_positions = st.tuples(*(st.floats(low, high) for low, high in zip(CHAIN.lower, CHAIN.upper, strict=True))).map(
    np.array
)


def pose_matrix(position: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = rotation.reshape(3, 3)
    matrix[:3, 3] = position
    return matrix


def set_arm(positions: np.ndarray) -> None:
    DATA.qpos[:6] = positions
    mujoco.mj_kinematics(MODEL, DATA)
    mujoco.mj_comPos(MODEL, DATA)
    mujoco.mj_camlight(MODEL, DATA)


@given(joint_positions)
def test_urdf_and_mujoco_agree_on_where_the_gripper_is(positions: np.ndarray) -> None:
    set_arm(positions)
    site = DATA.site(TIP_LINK)
    np.testing.assert_allclose(CHAIN.forward(positions), pose_matrix(site.xpos, site.xmat), atol=1e-9)


@given(joint_positions)
def test_urdf_and_mujoco_agree_on_the_jacobian(positions: np.ndarray) -> None:
    set_arm(positions)
    linear, angular = np.zeros((3, MODEL.nv)), np.zeros((3, MODEL.nv))
    mujoco.mj_jacSite(MODEL, DATA, linear, angular, MODEL.site(TIP_LINK).id)
    np.testing.assert_allclose(CHAIN.jacobian(positions), np.vstack([linear, angular])[:, :6], atol=1e-9)


@given(joint_positions)
def test_optical_frames_of_the_urdf_are_where_the_cameras_are(positions: np.ndarray) -> None:
    set_arm(positions)
    for mount in CAMERAS:
        camera = DATA.cam(mount.name)
        optical = pose_matrix(camera.xpos, camera.xmat.reshape(3, 3) * [1.0, -1.0, -1.0])
        chain = None if mount.parent == BASE_LINK else KinematicChain.from_urdf(urdf(), BASE_LINK, mount.optical_frame)
        if chain is None:
            (joint,) = path_to(urdf(), BASE_LINK, mount.optical_frame)
            np.testing.assert_allclose(joint.origin, optical, atol=1e-9)
        else:
            np.testing.assert_allclose(chain.forward(positions), optical, atol=1e-9)


def test_urdf_loads_in_mujoco_with_the_same_masses_and_inertias() -> None:
    loaded = mujoco.MjModel.from_xml_string(urdf())
    assert loaded.nq == MODEL.nq == 8
    for link in LINKS:
        theirs, ours = loaded.body(link.name), MODEL.body(link.name)
        np.testing.assert_allclose(theirs.mass, ours.mass, rtol=1e-9)
        np.testing.assert_allclose(theirs.ipos, ours.ipos, atol=1e-9)
        np.testing.assert_allclose(theirs.inertia, ours.inertia, rtol=1e-5)


def test_inertias_are_those_that_mujoco_finds_for_the_same_solids() -> None:
    # Without <inertial>, MuJoCo computes mass properties from the shapes itself; every link here has one density.
    root = ElementTree.fromstring(mjcf())
    for body in root.iter("body"):
        inertial = body.find("inertial")
        if inertial is not None:
            body.remove(inertial)
    theirs = mujoco.MjModel.from_xml_string(ElementTree.tostring(root, encoding="unicode"))
    for link in LINKS:
        density = link.mass / sum(solid.volume for solid in link.solids)
        computed = theirs.body(link.name)
        np.testing.assert_allclose(computed.mass * density / 1000.0, link.mass, rtol=1e-6)
        np.testing.assert_allclose(computed.ipos, MODEL.body(link.name).ipos, atol=1e-6)
        np.testing.assert_allclose(computed.inertia * density / 1000.0, MODEL.body(link.name).inertia, rtol=1e-3)


def test_joints_have_the_limits_of_a_widowx_250_s() -> None:
    assert CHAIN.joint_names == ARM_JOINTS
    np.testing.assert_allclose(np.degrees(CHAIN.lower), [-180, -108, -123, -180, -100, -180], atol=1e-6)
    np.testing.assert_allclose(np.degrees(CHAIN.upper), [180, 114, 92, 180, 123, 180], atol=1e-6)
    np.testing.assert_allclose(CHAIN.velocity, np.pi, rtol=1e-9)
    np.testing.assert_allclose(MODEL.jnt_range[:6], np.column_stack([CHAIN.lower, CHAIN.upper]), atol=1e-9)


def test_right_finger_mimics_the_left_one() -> None:
    joints = {joint.get("name"): joint for joint in ElementTree.fromstring(urdf()).findall("joint")}
    assert joints[GRIPPER_JOINT].get("type") == "prismatic"
    assert joints[GRIPPER_MIMIC_JOINT].find("mimic").get("joint") == GRIPPER_JOINT


def test_fingers_point_straight_down_at_home() -> None:
    tip = CHAIN.forward(np.array(HOME))
    np.testing.assert_allclose(tip[:3, :3], [[0, 0, 1], [0, 1, 0], [-1, 0, 0]], atol=1e-9)
    assert 0.2 < tip[0, 3] < 0.35 and abs(tip[1, 3]) < 1e-9 and 0.15 < tip[2, 3] < 0.3


def test_the_near_and_far_corners_of_the_table_are_in_reach_with_fingers_down() -> None:
    target = CHAIN.forward(np.array(HOME))
    for corner in ([0.10, 0.0, 0.01], [0.45, 0.30, 0.01], [0.45, -0.30, 0.01], [0.38, 0.20, 0.20], [0.20, 0.0, 0.38]):
        target[:3, 3] = corner
        assert CHAIN.inverse(target, np.array(HOME)).converged, corner


def test_unknown_camera_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match="'side'.*front, wrist"):
        camera_mount("side")
