# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The filter's core tells which limits predicted chunks would have met."""

import numpy as np
import pytest

from instructvla_ros.bags.scoring.filtering import FilterRun
from instructvla_ros.robot.joint_state import JointState
from instructvla_ros.safety import SafetyLimits
from instructvla_ros.sim.arm_model import HOME

from .conftest import LENGTH, chunk_at


@pytest.fixture
def run(profile, chain) -> FilterRun:
    return FilterRun(SafetyLimits.load("sim"), chain, profile)


@pytest.fixture
def home(profile):
    def at(stamp: float, waist: float = 0.0) -> JointState:
        positions = np.array((*HOME, profile.gripper.open), dtype=float)
        positions[0] += waist
        return JointState(stamp, (*profile.joints, profile.gripper.joint), positions)

    return at


def moving(x: float, gripper: float = 1.0) -> np.ndarray:
    steps = np.zeros((LENGTH, 7))
    steps[:, 0], steps[:, 6] = x, gripper
    return steps


def follow(run: FilterRun, home, steps: np.ndarray, count: int = 5) -> None:
    for index in range(count):
        stamp = 100.0 + 0.2 * index
        run.follow(chunk_at(stamp, steps, sequence=index + 1), home(stamp), stamp + 0.2)


def test_a_gentle_motion_meets_no_limit(run: FilterRun, home) -> None:
    follow(run, home, moving(0.004))
    assert run.seen.chunks == 5 and run.seen.limited == 0 and run.seen.limits == {} and run.seen.restarts == 0


def test_a_motion_that_is_too_fast_is_counted_by_chunk_and_told_in_words(run: FilterRun, home) -> None:
    follow(run, home, moving(0.09))
    assert run.seen.limited >= 2
    name, count = max(run.seen.limits.items(), key=lambda item: item[1].steps)
    assert "translation" in name or "joint" in name
    assert count.chunks <= run.seen.chunks and count.steps >= count.chunks and count.stamp >= 100.0
    assert count.example
    assert {name for _, names in run.seen.acted for name in names} == set(run.seen.limits)


def test_a_chunk_that_no_arm_may_be_given_is_a_limit_too(run: FilterRun, home) -> None:
    follow(run, home, moving(5.0), count=1)
    assert "max_step_translation" in run.seen.limits


def test_closing_the_gripper_meets_its_speed_only(run: FilterRun, home) -> None:
    follow(run, home, moving(0.0, gripper=0.0), count=3)
    assert set(run.seen.limits) == {"gripper_speed"}


def test_it_sets_out_again_where_the_recorded_arm_has_gone_another_way(run: FilterRun, home) -> None:
    run.follow(chunk_at(100.0, moving(0.0)), home(100.0), 100.2)
    run.follow(chunk_at(100.2, moving(0.0), sequence=2), home(100.2, waist=0.05), 100.4)
    assert run.seen.restarts == 0
    run.follow(chunk_at(100.4, moving(0.0), sequence=3), home(100.4, waist=0.9), 100.6)
    assert run.seen.restarts == 1 and run.seen.limits == {}
    run.follow(chunk_at(107.0, moving(0.0), sequence=4), home(107.0, waist=0.9), 107.2)
    assert run.seen.restarts == 2 and run.seen.limits == {}, "a pause of the recording is no fault"
