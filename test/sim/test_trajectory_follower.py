# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A trajectory follower keeps the habits of joint_trajectory_controller."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.robot.trajectory import JointTrajectory
from instructvla_ros.sim.trajectory_follower import TrajectoryFollower

NAMES = ("shoulder", "elbow")
START = np.array([0.5, -0.5])


def trajectory(
    positions: list, times: list | None = None, velocities: list | None = None, names: tuple[str, ...] = NAMES
) -> JointTrajectory:
    values = np.array(positions, dtype=float)
    moments = np.arange(1.0, len(values) + 1.0) if times is None else np.array(times, dtype=float)
    speeds = np.zeros_like(values) if velocities is None else np.array(velocities, dtype=float)
    return JointTrajectory(names, moments, values, speeds)


class Unchecked:
    """Has the fields of a trajectory and no checks of its own."""

    def __init__(self, times: list, positions: list, velocities: list, joint_names: tuple[str, ...] = NAMES) -> None:
        self.joint_names, self.times, self.positions, self.velocities = joint_names, times, positions, velocities


@pytest.fixture()
def follower() -> TrajectoryFollower:
    return TrajectoryFollower(NAMES, START)


def test_holds_the_initial_positions_until_commanded(follower: TrajectoryFollower) -> None:
    for now in (-5.0, 0.0, 1e9):
        positions, velocities = follower.sample(now)
        np.testing.assert_array_equal(positions, START)
        np.testing.assert_array_equal(velocities, 0.0)


def test_passes_through_its_points_and_holds_the_last_one(follower: TrajectoryFollower) -> None:
    follower.command(trajectory([[1.0, 0.0], [2.0, 1.0]], velocities=[[0.7, 0.2], [0.0, 0.0]]), now=10.0)
    for now, position, velocity in ((11.0, [1.0, 0.0], [0.7, 0.2]), (12.0, [2.0, 1.0], [0, 0]), (99.0, [2, 1], [0, 0])):
        positions, velocities = follower.sample(now)
        np.testing.assert_allclose(positions, position, atol=1e-12)
        np.testing.assert_allclose(velocities, velocity, atol=1e-12)


def test_joints_are_matched_by_name_not_by_order(follower: TrajectoryFollower) -> None:
    follower.command(trajectory([[7.0, 3.0]], names=("elbow", "shoulder")), now=0.0)
    np.testing.assert_array_equal(follower.sample(1.0)[0], [3.0, 7.0])


def test_a_first_point_at_time_zero_is_taken_as_it_is(follower: TrajectoryFollower) -> None:
    follower.command(trajectory([[1.0, 1.0], [1.0, 2.0]], times=[0.0, 1.0]), now=3.0)
    np.testing.assert_array_equal(follower.sample(3.0)[0], [1.0, 1.0])


@given(
    goal=st.lists(st.floats(-3.0, 3.0), min_size=2, max_size=2),
    interrupted=st.floats(0.05, 1.95),
    new_goal=st.lists(st.floats(-3.0, 3.0), min_size=2, max_size=2),
)
def test_a_new_trajectory_replaces_the_old_one_without_a_jump(
    goal: list[float], interrupted: float, new_goal: list[float]
) -> None:
    follower = TrajectoryFollower(NAMES, START)
    follower.command(trajectory([goal], times=[2.0]), now=0.0)
    before = follower.sample(interrupted)
    follower.command(trajectory([new_goal], times=[1.0]), now=interrupted)
    after = follower.sample(interrupted)
    np.testing.assert_allclose(after[0], before[0], atol=1e-9)
    np.testing.assert_allclose(after[1], before[1], atol=1e-9)
    np.testing.assert_allclose(follower.sample(interrupted + 1.0)[0], new_goal, atol=1e-9)


@given(now=st.floats(0.0, 4.0))
def test_velocity_is_the_slope_of_position(now: float) -> None:
    follower = TrajectoryFollower(NAMES, START)
    follower.command(trajectory([[1.0, 0.0], [-1.0, 2.0], [0.0, 0.0]], velocities=[[1, 0], [0, -1], [0, 0]]), now=0.0)
    step = 1e-5
    slope = (follower.sample(now + step)[0] - follower.sample(now - step)[0]) / (2.0 * step)
    np.testing.assert_allclose(follower.sample(now)[1], slope, atol=1e-3)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (trajectory([[1.0, 1.0]], names=("shoulder", "knee")), "unknown joints: knee"),
        (trajectory([[1.0]], names=("shoulder",)), "no values for joints: elbow"),
        (trajectory([[1.0, 1.0, 1.0]], names=("shoulder", "elbow", "elbow")), "doubled: elbow"),
        (trajectory([[1.0, np.nan]]), "position of elbow at point 0 is nan"),
        (trajectory([[1.0, 1.0]], velocities=[[np.inf, 0.0]]), "velocity of shoulder at point 0 is inf"),
        (trajectory([[1.0, 1.0]], velocities=[[0.0, 0.5]]), "at rest, but elbow has velocity 0.5"),
        (Unchecked([1.0, 1.0], [[0, 0], [0, 0]], [[0, 0], [0, 0]]), "point 1 at 1 s does not come after point 0"),
        (Unchecked([np.nan], [[0, 0]], [[0, 0]]), "times of a trajectory must be finite"),
        (Unchecked([-1.0], [[0, 0]], [[0, 0]]), "not negative"),
        (Unchecked([], np.zeros((0, 2)), np.zeros((0, 2))), "at least one point"),
        (Unchecked([1.0], [[0, 0, 0]], [[0, 0]]), r"one position for each of 2 joints, got \(1, 3\)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "trajectory",
)
def test_a_trajectory_that_makes_no_sense_is_refused_and_the_old_one_goes_on(
    follower: TrajectoryFollower, bad: JointTrajectory, said: str
) -> None:
    follower.command(trajectory([[1.0, 2.0]]), now=0.0)
    with pytest.raises(ValueError, match=said):
        follower.command(bad, now=5.0)
    np.testing.assert_array_equal(follower.sample(5.0)[0], [1.0, 2.0])


@pytest.mark.parametrize("positions", [[0.0], [0.0, np.nan]])
def test_initial_positions_that_do_not_fit_are_refused(positions: list[float]) -> None:
    with pytest.raises(ValueError, match="initial positions of 2 joints"):
        TrajectoryFollower(NAMES, np.array(positions))
