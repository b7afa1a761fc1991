# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The way of the gripper between recorded poses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from instructvla_ros.bags.scoring.ways import OpeningTrack, PoseTrack, rising_only


def turning(count: int = 11, period: float = 0.1, **settings: float) -> PoseTrack:
    """Half a metre and one radian a second along and about z, from stamp 100 on."""
    times = 100.0 + period * np.arange(count)
    positions = np.outer(times - 100.0, (0.0, 0.0, 0.5))
    rotations = Rotation.from_rotvec(np.outer(times - 100.0, (0.0, 0.0, 1.0))).as_matrix()
    return PoseTrack(times, positions, rotations, **settings)


def test_a_steady_motion_is_the_same_between_poses_as_at_them() -> None:
    steps = turning().steps(100.03 + 0.2 * np.arange(5))
    np.testing.assert_allclose(steps, np.tile((0.0, 0.0, 0.1, 0.0, 0.0, 0.2), (4, 1)), atol=1e-9)


@given(st.lists(st.floats(-1.0, 1.0), min_size=12, max_size=12))
def test_steps_between_any_poses_lead_from_the_first_to_the_last(numbers: list[float]) -> None:
    moves = np.array(numbers).reshape(2, 6)
    poses = np.vstack((np.zeros(6), np.cumsum(moves, axis=0)))
    rotations = [np.eye(3)]
    for move in moves:
        rotations.append(Rotation.from_rotvec(move[3:]).as_matrix() @ rotations[-1])
    track = PoseTrack(np.array([0.0, 1.0, 2.0]), poses[:, :3], np.array(rotations))
    steps = track.steps(np.linspace(0.0, 2.0, 9))
    np.testing.assert_allclose(steps[:, :3].sum(axis=0), poses[-1, :3], atol=1e-9)
    turned = np.eye(3)
    for step in steps:
        turned = Rotation.from_rotvec(step[3:]).as_matrix() @ turned
    np.testing.assert_allclose(turned, rotations[-1], atol=1e-9)


def test_nothing_is_known_before_the_first_pose_after_the_last_and_in_a_long_gap() -> None:
    track = turning()
    assert np.isnan(track.at(np.array([99.9, 101.1]))[0]).all()
    assert np.isfinite(track.at(np.array([100.0, 101.0]))[0]).all()
    gap = PoseTrack(np.array([0.0, 2.0]), np.zeros((2, 3)), np.tile(np.eye(3), (2, 1, 1)), longest_gap=0.5)
    known = np.isfinite(gap.at(np.array([0.0, 1.0, 2.0]))[0]).all(axis=1)
    assert known.tolist() == [True, False, True]
    assert np.isnan(PoseTrack(np.zeros(0), np.zeros((0, 3)), np.zeros((0, 3, 3))).steps(np.arange(3.0))).all()


def test_a_command_holds_as_long_as_it_is_said_to() -> None:
    track = turning(held_until=103.0)
    np.testing.assert_allclose(track.at(np.array([102.9]))[0], [(0.0, 0.0, 0.5)])
    assert np.isnan(track.at(np.array([103.1]))[0]).all()


def test_a_single_pose_is_known_at_its_time_only() -> None:
    assert np.isfinite(turning(1).at(np.array([100.0]))[0]).all()
    assert np.isnan(turning(1).at(np.array([100.1]))[0]).all()


def test_an_opening_lasts_until_the_next_but_not_longer_than_it_may() -> None:
    track = OpeningTrack(np.array([1.0, 2.0]), np.array([0.0, 1.0]), longest=1.5)
    np.testing.assert_array_equal(track.at(np.array([0.5, 1.0, 1.9, 2.0, 3.4, 3.6])), [np.nan, 0, 0, 1, 1, np.nan])


@pytest.mark.parametrize(("times", "kept"), [([1.0, 2.0, 1.5, 2.0, 3.0], [0, 1, 4]), ([], []), ([1.0, 1.0], [0])])
def test_stamps_that_go_back_are_left_out(times: list[float], kept: list[int]) -> None:
    assert rising_only(np.array(times)).tolist() == kept
