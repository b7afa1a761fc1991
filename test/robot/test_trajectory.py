# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The joint trajectory and its interpolation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import CubicHermiteSpline

from instructvla_ros.robot.trajectory import JointTrajectory

NAMES = ("a", "b")


def _trajectory(seed: int) -> JointTrajectory:
    random = np.random.default_rng(seed)
    count = int(random.integers(2, 6))
    times = np.cumsum(random.uniform(0.01, 0.5, count))
    return JointTrajectory(NAMES, times, random.normal(size=(count, 2)), random.normal(size=(count, 2)))


@given(st.integers(0, 10_000), st.floats(0.0, 1.0))
def test_between_points_it_is_the_cubic_through_positions_and_velocities(seed, share):
    trajectory = _trajectory(seed)
    time = float(trajectory.times[0] + share * (trajectory.times[-1] - trajectory.times[0]))
    spline = CubicHermiteSpline(trajectory.times, trajectory.positions, trajectory.velocities)
    positions, velocities = trajectory.sample(min(time, trajectory.duration))
    np.testing.assert_allclose(positions, spline(time), atol=1e-9)
    np.testing.assert_allclose(velocities, spline(time, 1), atol=1e-8)


@given(st.integers(0, 10_000))
def test_points_are_met_exactly(seed):
    trajectory = _trajectory(seed)
    for time, positions, velocities in zip(
        trajectory.times, trajectory.positions, trajectory.velocities, strict=True
    ):
        found_positions, found_velocities = trajectory.sample(float(time))
        np.testing.assert_array_equal(found_positions, positions)
        np.testing.assert_array_equal(found_velocities, velocities)


def test_the_end_is_held_at_rest_after_it():
    trajectory = _trajectory(1)
    positions, velocities = trajectory.sample(trajectory.duration + 5.0)
    np.testing.assert_array_equal(positions, trajectory.positions[-1])
    np.testing.assert_array_equal(velocities, [0.0, 0.0])


def test_samples_are_no_windows_into_the_trajectory():
    trajectory = _trajectory(2)
    before = trajectory.positions.copy()
    positions, _ = trajectory.sample(trajectory.duration)
    positions += 1.0
    np.testing.assert_array_equal(trajectory.positions, before)


@pytest.mark.parametrize(
    ("times", "shape"),
    [([], (0, 2)), ([0.0, 0.1], (2, 3)), ([0.0, 0.1], (1, 2)), ([0.1, 0.1], (2, 2)), ([-0.1, 0.1], (2, 2))],
)
def test_a_malformed_trajectory_is_refused(times, shape):
    with pytest.raises(ValueError, match="trajectory"):
        JointTrajectory(NAMES, np.array(times), np.zeros(shape), np.zeros(shape))


def test_a_time_that_is_nan_is_refused():
    with pytest.raises(ValueError, match="must be 0 or later and rise"):
        JointTrajectory(NAMES, np.array([0.0, np.nan]), np.zeros((2, 2)), np.zeros((2, 2)))


@pytest.mark.parametrize(("last", "rests"), [(0.0, True), (0.1, False)])
def test_whether_it_ends_at_rest_is_told(last, rests):
    velocities = np.array([[0.5, 0.0], [0.0, last]])
    assert JointTrajectory(NAMES, np.array([0.0, 0.1]), np.zeros((2, 2)), velocities).ends_at_rest is rests


def test_a_held_trajectory_is_the_same_and_rests_at_its_end():
    trajectory = JointTrajectory(
        ("a",), np.array([0.0, 0.2]), np.array([[0.0], [0.1]]), np.array([[0.5], [0.0]])
    )
    held = trajectory.held(0.1)
    assert held.duration == pytest.approx(0.3) and held.ends_at_rest
    for time in (0.0, 0.05, 0.2):
        np.testing.assert_array_equal(held.sample(time), trajectory.sample(time))
    np.testing.assert_allclose(held.sample(0.25), [[0.1], [0.0]])
