# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Proprioception conventions against recorded numbers, and at places where angles are hard to tell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from instructvla_ros.policy.proprioception import PROPRIOCEPTION, TOP_DOWN, roll_pitch_yaw

angles = st.floats(-np.pi, np.pi)


def transform(position, rotation):
    pose = np.eye(4)
    pose[:3, 3] = position
    pose[:3, :3] = rotation
    return pose


def recorded_poses(vectors, robot):
    """Pose and gripper number, row by row; the recorded quaternions are w, x, y, z."""
    for row in vectors.tensors[f"policy/{robot}/eef_pos_in"]:
        yield transform(row[:3], Rotation.from_quat(row[[4, 5, 6, 3]]).as_matrix()), row[7]


def test_bridge_numbers_equal_the_recorded_ones(vectors):
    computed = [PROPRIOCEPTION["bridge"](pose, gripper) for pose, gripper in recorded_poses(vectors, "widowx_bridge")]
    np.testing.assert_allclose(computed, vectors.tensors["policy/widowx_bridge/proprio_out"], rtol=0, atol=1e-12)


def test_fractal_numbers_equal_the_recorded_ones_up_to_the_sign_of_the_quaternion(vectors):
    recorded = np.array(vectors.tensors["policy/google_robot/proprio_out"])
    recorded[:, 3:7] *= np.where(recorded[:, 6:7] < 0.0, -1.0, 1.0)
    computed = [PROPRIOCEPTION["fractal"](pose, gripper) for pose, gripper in recorded_poses(vectors, "google_robot")]
    np.testing.assert_allclose(computed, recorded, rtol=0, atol=1e-12)


def test_a_bridge_gripper_that_points_straight_down_is_not_rotated():
    numbers = PROPRIOCEPTION["bridge"](transform([0.2, 0.0, 0.1], TOP_DOWN), 1.0)
    np.testing.assert_allclose(numbers, [0.2, 0.0, 0.1, 0.0, 0.0, 0.0, 0.0, 1.0], atol=1e-15)


def test_libero_numbers_are_rotation_vector_and_opposite_fingers():
    rotation_vector = np.array([0.3, -1.2, 0.7])
    pose = transform([0.1, 0.2, 0.3], Rotation.from_rotvec(rotation_vector).as_matrix())
    np.testing.assert_allclose(
        PROPRIOCEPTION["libero"](pose, 0.5), [0.1, 0.2, 0.3, *rotation_vector, 0.02, -0.02], atol=1e-12
    )


@pytest.mark.parametrize("convention", PROPRIOCEPTION)
@given(position=st.tuples(*[st.floats(-2, 2)] * 3), angle=st.tuples(angles, angles, angles), opening=st.floats(0, 1))
def test_every_pose_becomes_eight_finite_numbers(convention, position, angle, opening):
    pose = transform(position, Rotation.from_euler("xyz", angle).as_matrix())
    numbers = PROPRIOCEPTION[convention](pose, opening)
    assert numbers.shape == (8,)
    assert np.isfinite(numbers).all()
    np.testing.assert_array_equal(numbers[:3], position)


@given(angles, st.floats(-np.pi / 2, np.pi / 2), angles)
def test_roll_pitch_yaw_describe_the_same_rotation(roll, pitch, yaw):
    rotation = Rotation.from_euler("xyz", [roll, pitch, yaw]).as_matrix()
    again = Rotation.from_euler("xyz", roll_pitch_yaw(rotation)).as_matrix()
    np.testing.assert_allclose(again, rotation, atol=1e-7)


@pytest.mark.parametrize("pitch", [-np.pi / 2, np.pi / 2])
def test_roll_pitch_yaw_describe_the_same_rotation_where_roll_and_yaw_coincide(pitch):
    rotation = np.rint(Rotation.from_euler("xyz", [np.pi / 2, pitch, np.pi / 2]).as_matrix())
    roll, _, yaw = roll_pitch_yaw(rotation)
    assert yaw == 0.0
    np.testing.assert_allclose(Rotation.from_euler("xyz", [roll, pitch, yaw]).as_matrix(), rotation, atol=1e-12)
