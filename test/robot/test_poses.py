# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rotations and poses, held against scipy."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from instructvla_ros.robot.poses import (
    pose,
    pose_error,
    rotation_from_rpy,
    rotation_from_vector,
    rotation_to_vector,
)

angles = st.floats(-7.0, 7.0)
vectors = st.tuples(angles, angles, angles).map(np.array)


@given(angles, angles, angles)
def test_rpy_turns_about_fixed_axes_as_scipy_does(roll, pitch, yaw):
    expected = Rotation.from_euler("xyz", [roll, pitch, yaw]).as_matrix()
    np.testing.assert_allclose(rotation_from_rpy(roll, pitch, yaw), expected, atol=1e-12)


@given(vectors)
@example(np.zeros(3))
@example(np.array([1e-9, 0.0, 0.0]))
@example(np.array([0.0, math.pi, 0.0]))
def test_rotation_vector_gives_the_matrix_that_scipy_gives(vector):
    np.testing.assert_allclose(rotation_from_vector(vector), Rotation.from_rotvec(vector).as_matrix(), atol=1e-12)


@given(vectors)
@example(np.array([math.pi, 0.0, 0.0]))
@example(np.array([0.0, math.pi - 1e-7, 0.0]))
@example(np.array([1.0, -1.0, 1.0]) * (math.pi - 1e-5) / math.sqrt(3.0))
@example(np.array([-1.0, 2.0, 0.5]) * (math.pi + 1e-9) / math.sqrt(5.25))
@example(np.array([3e-9, -2e-9, 1e-9]))
def test_logarithm_undoes_the_exponential_by_the_shortest_way(vector):
    rotation = Rotation.from_rotvec(vector)
    found = rotation_to_vector(rotation.as_matrix())
    assert np.linalg.norm(found) <= math.pi + 1e-9
    np.testing.assert_allclose(np.linalg.norm(found), rotation.magnitude(), atol=1e-7)
    np.testing.assert_allclose(Rotation.from_rotvec(found).as_matrix(), rotation.as_matrix(), atol=1e-7)


@given(vectors, vectors, vectors, vectors)
def test_pose_error_applied_in_the_base_frame_leads_to_the_target(position, turn, other_position, other_turn):
    current = pose(position, rotation_from_vector(turn))
    target = pose(other_position, rotation_from_vector(other_turn))
    error = pose_error(target, current)
    np.testing.assert_allclose(current[:3, 3] + error[:3], target[:3, 3], atol=1e-12)
    np.testing.assert_allclose(rotation_from_vector(error[3:]) @ current[:3, :3], target[:3, :3], atol=1e-7)


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-8, 1e-3, 1.0, math.pi - 1e-3, math.pi - 1e-6, math.pi])
def test_logarithm_has_the_right_angle_at_every_size(angle):
    axis = np.array([0.6, 0.0, -0.8])
    found = rotation_to_vector(Rotation.from_rotvec(angle * axis).as_matrix())
    assert np.linalg.norm(found) == pytest.approx(angle, abs=1e-8)
