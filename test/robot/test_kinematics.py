# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The chain, held against an independent composition, finite differences and MuJoCo."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.robot.urdf import UrdfError, path_to

seeds = st.integers(0, 2**32 - 1)


def _within_limits(chain: KinematicChain, seed: int) -> np.ndarray:
    lower, upper = np.maximum(chain.lower, -3.0), np.minimum(chain.upper, 3.0)
    return np.random.default_rng(seed).uniform(lower, upper)


def _numbers(element: ElementTree.Element | None, attribute: str) -> list[float]:
    text = "0 0 0" if element is None else element.get(attribute, "0 0 0")
    return [float(word) for word in text.split()]


def _composed(urdf: str, chain: KinematicChain, positions: np.ndarray) -> tuple[np.ndarray, Rotation]:
    """The tip's pose by scipy's rotations, joint after joint."""
    joints = {joint.find("child").get("link"): joint for joint in ElementTree.fromstring(urdf).findall("joint")}
    passed, link = [], chain.tip
    while link != chain.base:
        passed.append(joints[link])
        link = joints[link].find("parent").get("link")
    by_name = dict(zip(chain.joint_names, positions, strict=True))
    position, rotation = np.zeros(3), Rotation.identity()
    for joint in reversed(passed):
        position = position + rotation.apply(_numbers(joint.find("origin"), "xyz"))
        rotation = rotation * Rotation.from_euler("xyz", _numbers(joint.find("origin"), "rpy"))
        if joint.get("type") == "fixed":
            continue
        axis = np.array(_numbers(joint.find("axis"), "xyz"))
        motion = by_name[joint.get("name")] * axis / np.linalg.norm(axis)
        if joint.get("type") == "prismatic":
            position = position + rotation.apply(motion)
        else:
            rotation = rotation * Rotation.from_rotvec(motion)
    return position, rotation


@given(seeds)
def test_forward_agrees_with_an_independent_composition(arm, seed):
    urdf, chain = arm
    positions = _within_limits(chain, seed)
    expected_position, expected_rotation = _composed(urdf, chain, positions)
    pose = chain.forward(positions)
    np.testing.assert_allclose(pose[:3, 3], expected_position, atol=1e-12)
    np.testing.assert_allclose(pose[:3, :3], expected_rotation.as_matrix(), atol=1e-12)
    np.testing.assert_array_equal(pose[3], [0.0, 0.0, 0.0, 1.0])


@given(seeds)
def test_jacobian_agrees_with_finite_differences(arm, seed):
    _, chain = arm
    positions, step = _within_limits(chain, seed), 1e-6
    jacobian = chain.jacobian(positions)
    for joint in range(len(chain)):
        change = step * np.eye(len(chain))[joint]
        before, after = chain.forward(positions - change), chain.forward(positions + change)
        linear = (after[:3, 3] - before[:3, 3]) / (2.0 * step)
        angular = Rotation.from_matrix(after[:3, :3] @ before[:3, :3].T).as_rotvec() / (2.0 * step)
        np.testing.assert_allclose(jacobian[:, joint], np.concatenate((linear, angular)), atol=1e-7)


@given(seeds)
def test_forward_and_jacobian_are_the_same_as_one_by_one(arm, seed):
    _, chain = arm
    positions = _within_limits(chain, seed)
    pose, jacobian = chain.forward_and_jacobian(positions)
    np.testing.assert_allclose(pose, chain.forward(positions), atol=1e-14)
    np.testing.assert_array_equal(jacobian, chain.jacobian(positions))


@given(seeds, st.integers(1, 9))
def test_many_configurations_are_the_same_as_one_by_one(arm, seed, count):
    _, chain = arm
    positions = np.array([_within_limits(chain, seed + index) for index in range(count)])
    frames, poses, jacobians = chain.forward_many(positions)
    assert frames.shape == (count, len(chain), 4, 4)
    for index in range(count):
        pose, jacobian = chain.forward_and_jacobian(positions[index])
        np.testing.assert_allclose(poses[index], pose, atol=1e-14)
        np.testing.assert_allclose(jacobians[index], jacobian, atol=1e-14)


@given(seeds)
def test_every_link_is_where_a_chain_that_ends_there_has_its_tip(arm, seed):
    urdf, chain = arm
    positions = _within_limits(chain, seed)
    frames = chain.forward_many(positions[None])[0][0]
    assert chain.link_names[0] == chain.base and chain.link_names[-1] == chain.tip
    for link in chain.link_names:
        index, offset = chain.link_frame(link)
        if index < 0:
            expected, found = _fixed_pose(urdf, chain.base, link), offset
        else:
            expected = KinematicChain.from_urdf(urdf, chain.base, link).forward(positions[: index + 1])
            found = frames[index] @ offset
        np.testing.assert_allclose(found, expected, atol=1e-12)


def _fixed_pose(urdf: str, base: str, link: str) -> np.ndarray:
    result = np.eye(4)
    for joint in () if link == base else path_to(urdf, base, link):
        result = result @ joint.origin
    return result


def test_a_link_that_is_not_on_the_way_is_named_with_those_that_are(arm):
    _, chain = arm
    with pytest.raises(UrdfError, match=f"'left_foot'.*{chain.base}.*{chain.tip}"):
        chain.link_frame("left_foot")


def test_forward_and_jacobian_agree_with_mujoco(arm):
    mujoco = pytest.importorskip("mujoco", reason="mujoco is not installed")
    urdf, chain = arm
    model = mujoco.MjModel.from_xml_string(_for_mujoco(urdf))
    data = mujoco.MjData(model)
    body = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, chain.tip)
    joints = [mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_JOINT, name) for name in chain.joint_names]
    linear, angular = np.zeros((3, model.nv)), np.zeros((3, model.nv))
    worst = 0.0
    for seed in range(100):
        positions = _within_limits(chain, seed)
        data.qpos[model.jnt_qposadr[joints]] = positions
        mujoco.mj_forward(model, data)
        mujoco.mj_jacBody(model, data, linear, angular, body)
        columns = model.jnt_dofadr[joints]
        pose, jacobian = chain.forward_and_jacobian(positions)
        expected = np.concatenate((linear[:, columns], angular[:, columns]))
        worst = max(
            worst,
            float(np.abs(pose[:3, 3] - data.xpos[body]).max()),
            float(np.abs(pose[:3, :3] - data.xmat[body].reshape(3, 3)).max()),
            float(np.abs(jacobian - expected).max()),
        )
    assert worst < 1e-9


def _for_mujoco(urdf: str) -> str:
    """The same robot with what MuJoCo wants on top: every body a mass, no body folded into its parent."""
    root = ElementTree.fromstring(urdf)
    extension = ElementTree.SubElement(root, "mujoco")
    ElementTree.SubElement(extension, "compiler", fusestatic="false", discardvisual="false", strippath="true")
    for link in root.findall("link"):
        inertial = ElementTree.SubElement(link, "inertial")
        ElementTree.SubElement(inertial, "mass", value="1")
        ElementTree.SubElement(inertial, "inertia", ixx="1", iyy="1", izz="1", ixy="0", ixz="0", iyz="0")
    return ElementTree.tostring(root, encoding="unicode")


@given(seeds)
@settings(max_examples=200)
def test_inverse_finds_its_way_back_from_nearby_wherever_the_arm_is_not_singular(arm, seed):
    _, chain = arm
    positions = _within_limits(chain, seed)
    start = positions + np.random.default_rng(seed + 1).uniform(-0.1, 0.1, len(chain))
    if np.linalg.svd(chain.jacobian(positions))[1][-1] < 0.05:
        return
    result = chain.inverse(chain.forward(positions), start)
    assert result.converged, result
    reached = chain.forward(result.positions)
    np.testing.assert_allclose(reached, chain.forward(positions), atol=2e-4)


@given(seeds, seeds)
def test_inverse_is_honest_and_never_leaves_the_joint_limits(arm, seed, other_seed):
    _, chain = arm
    target = chain.forward(_within_limits(chain, seed))
    target[:3, 3] *= np.random.default_rng(seed).choice([1.0, 1.0, 3.0])  # a third of them far out of reach
    start = 2.0 * _within_limits(chain, other_seed)  # often beyond the limits itself
    result = chain.inverse(target, start, max_iterations=60)
    assert (result.positions >= chain.lower).all() and (result.positions <= chain.upper).all()
    reached = chain.forward(result.positions)
    distance = float(np.linalg.norm(reached[:3, 3] - target[:3, 3]))
    angle = float(Rotation.from_matrix(reached[:3, :3] @ target[:3, :3].T).magnitude())
    assert result.position_error == pytest.approx(distance, abs=1e-9)
    assert result.rotation_error == pytest.approx(angle, abs=1e-6)
    assert result.converged == (distance <= 1e-5 and angle <= 1e-4) or abs(angle - 1e-4) < 1e-6
    assert result.iterations <= 60


def test_inverse_to_where_the_arm_is_takes_no_iteration(arm):
    _, chain = arm
    positions = _within_limits(chain, 3)
    result = chain.inverse(chain.forward(positions), positions)
    assert result.converged and result.iterations == 0
    np.testing.assert_array_equal(result.positions, positions)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_inverse_refuses_what_is_not_finite(arm, bad):
    _, chain = arm
    target = np.eye(4)
    target[0, 3] = bad
    with pytest.raises(ValueError, match="NaN or infinity"):
        chain.inverse(target, np.zeros(len(chain)))


def test_positions_of_another_arm_are_refused(arm):
    _, chain = arm
    with pytest.raises(ValueError, match="joint positions of shape"):
        chain.forward(np.zeros(len(chain) + 1))
    with pytest.raises(ValueError, match="joint positions of shape"):
        chain.forward(np.zeros((2, len(chain))))
    with pytest.raises(ValueError, match="joint positions of shape"):
        chain.forward_many(np.zeros(len(chain)))


@given(seeds, seeds)
def test_the_tip_is_never_further_away_than_the_reach(arm, seed, other_seed):
    _, chain = arm
    assert np.linalg.norm(chain.forward(_within_limits(chain, seed))[:3, 3]) <= chain.reach
