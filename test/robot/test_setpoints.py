# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Setpoints for drivers that take one at a time lead where the trajectory leads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.robot.cartesian_setpoints import next_pose, twist_of
from instructvla_ros.robot.joint_setpoints import VelocitySetpoints, next_positions
from instructvla_ros.robot.joint_state import JointState
from instructvla_ros.robot.joint_state_merger import JointStateMerger
from instructvla_ros.robot.poses import pose_error, quaternion_of, rotation_from_vector, rotation_of
from instructvla_ros.robot.trajectory import JointTrajectory

NAMES = ("a", "b")
PERIOD = 0.01


def moving(time: float) -> JointTrajectory:
    """What is left at a time of a motion of half a second, the second joint twice as fast."""
    times = np.linspace(time, 0.5, 6)
    shape = np.clip(times / 0.5, 0.0, 1.0)
    rise = shape * shape * (3.0 - 2.0 * shape)
    speed = 6.0 * shape * (1.0 - shape) / 0.5
    positions, velocities = np.outer(rise, [0.1, 0.2]), np.outer(speed, [0.1, 0.2])
    velocities[-1] = 0.0
    return JointTrajectory(NAMES, times - time, positions, velocities)


def resting() -> JointTrajectory:
    """The end of it."""
    return JointTrajectory(NAMES, np.array([0.0, 0.01]), np.array([[0.1, 0.2]] * 2), np.zeros((2, 2)))


def test_positions_are_those_of_the_next_setpoint():
    np.testing.assert_array_equal(next_positions(moving(0.1), PERIOD), moving(0.1).sample(PERIOD)[0])
    np.testing.assert_array_equal(next_positions(resting(), PERIOD), [0.1, 0.2])


def test_a_driver_that_keeps_each_velocity_for_a_period_follows_the_trajectory():
    setpoints = VelocitySetpoints(np.array([2.0, 2.0]), PERIOD)
    driver = np.zeros(2)
    for index in range(50):
        now = index * PERIOD
        driver += PERIOD * setpoints.next(moving(now), now, JointState(now, NAMES, driver.copy()))
        np.testing.assert_allclose(driver, moving(now).sample(PERIOD)[0], atol=1e-4)
    np.testing.assert_allclose(driver, [0.1, 0.2], atol=1e-4)


def test_a_driver_that_keeps_velocities_too_long_and_is_seen_late_does_not_drift_away():
    """Every velocity is executed 3 % too long, and joint states are 50 ms old."""
    setpoints = VelocitySetpoints(np.array([2.0, 2.0]), PERIOD)
    driver, seen, now, worst = np.zeros(2), [], 0.0, 0.0
    for index in range(3000):
        phase = 2.0 * np.pi * now / 4.0
        here = 0.3 * np.sin(phase) * np.ones(2)
        speed = 0.3 * 2.0 * np.pi / 4.0 * np.cos(phase) * np.ones(2)
        ahead = 0.3 * np.sin(phase + 2.0 * np.pi * PERIOD / 4.0) * np.ones(2)
        trajectory = JointTrajectory(
            NAMES, np.array([0.0, PERIOD, 0.2]), np.array([here, ahead, ahead]), np.array([speed, speed, 0.0 * speed])
        )
        seen.append(JointState(now, NAMES, driver.copy()))
        driver = driver + 1.03 * PERIOD * setpoints.next(trajectory, now, seen[max(index - 5, 0)])
        now += PERIOD
        worst = max(worst, float(np.abs(driver - ahead).max()))
    assert worst < 0.02


def test_at_rest_velocities_are_zero_whatever_is_measured():
    setpoints = VelocitySetpoints(np.array([2.0, 2.0]), PERIOD)
    setpoints.next(moving(0.3), 0.3, None)
    far_off = JointState(0.49, NAMES, np.array([0.5, -0.5]))
    assert not setpoints.next(resting(), 0.5, far_off).any()


def test_velocities_never_exceed_the_highest_speed_and_unusable_joint_states_correct_nothing():
    setpoints = VelocitySetpoints(np.array([0.1, 2.0]), PERIOD)
    clean = setpoints.next(moving(0.2), 0.2, None)
    assert clean[0] == pytest.approx(0.1)
    for measured in (
        JointState(0.2, NAMES, np.array([np.nan, 0.0])),
        JointState(0.2, ("a",), np.zeros(1)),
        JointState(99.0, NAMES, np.ones(2) * 9.0),
        JointState(-99.0, NAMES, np.ones(2) * 9.0),
    ):
        later = VelocitySetpoints(np.array([0.1, 2.0]), PERIOD).next(moving(0.2), 0.2, measured)
        assert np.abs(later - clean).max() <= 0.05 * 2.0


def test_pose_and_twist_are_those_of_the_arm_at_the_trajectory(arm):
    _, chain = arm
    random = np.random.default_rng(0)
    middle = 0.5 * (np.clip(chain.lower, -2, 2) + np.clip(chain.upper, -2, 2))
    velocities = random.normal(size=len(chain))
    trajectory = JointTrajectory(
        chain.joint_names,
        np.array([0.0, PERIOD, 0.2]),
        np.array([middle, middle + PERIOD * velocities, middle + PERIOD * velocities]),
        np.array([velocities, velocities, np.zeros(len(chain))]),
    )
    before, after = chain.forward(middle), next_pose(chain, trajectory, PERIOD)
    moved = pose_error(after, before) / PERIOD
    np.testing.assert_allclose(twist_of(chain, middle, velocities), moved, atol=0.05 * np.abs(moved).max())


@given(st.lists(st.floats(-3.1, 3.1), min_size=3, max_size=3))
def test_quaternions_are_there_and_back_the_same_rotation(vector):
    rotation = rotation_from_vector(np.array(vector))
    quaternion = quaternion_of(rotation)
    assert np.linalg.norm(quaternion) == pytest.approx(1.0) and quaternion[3] >= -1e-9
    np.testing.assert_allclose(rotation_of(quaternion), rotation, atol=1e-9)


@pytest.mark.parametrize("quaternion", [[0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0], [np.nan, 0.0, 0.0, 1.0]])
def test_a_quaternion_that_is_none_is_refused(quaternion):
    with pytest.raises(ValueError, match="expected 1"):
        rotation_of(np.array(quaternion))


def test_arm_and_gripper_that_are_published_apart_become_one_joint_state():
    merger = JointStateMerger(("a", "b"), "finger")
    arm = JointState(10.0, ("b", "a"), np.array([2.0, 1.0]), np.array([0.2, 0.1]))
    assert merger.merge(arm).names == ("b", "a"), "no gripper yet: it is missing, not guessed"
    assert merger.merge(JointState(10.0, ("finger", "other"), np.array([0.03, 9.0]))) is None
    both = merger.merge(arm)
    positions, velocities = both.select(("a", "b", "finger"))
    np.testing.assert_array_equal(positions, [1.0, 2.0, 0.03])
    np.testing.assert_array_equal(velocities, [0.1, 0.2, 0.0])
    late = merger.merge(JointState(11.0, ("a", "b"), np.zeros(2)))
    assert "finger" not in late.names, "a gripper that fell silent is missing"


def test_a_joint_state_that_has_all_stays_as_it_is():
    merger = JointStateMerger(("a",), "finger")
    whole = JointState(1.0, ("finger", "a"), np.zeros(2))
    assert merger.merge(whole) is whole
    assert merger.merge(JointState(1.0, ("camera_tilt",), np.zeros(1))) is None
    short = JointState(1.0, ("a", "b"), np.zeros(1))
    assert merger.merge(short) is short, "whoever selects from it says what is wrong"
