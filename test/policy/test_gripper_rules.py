# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Gripper rules against recorded sequences, and their promises for all inputs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.policy.gripper_rules import GripperState, StickyGripper, ThresholdGripper, plan_gripper

gripper_numbers = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=60)


def commands_of_both_instructions(rule, vectors, robot):
    raw = vectors.tensors[f"policy/{robot}/raw_action_out"][:, 6]
    change = vectors.settings[robot]["reset_at_step"]
    halves = (raw[:change], raw[change:])
    return [state.command for half in halves for state in plan_gripper(rule, GripperState(opening=1.0), half)]


def test_threshold_commands_equal_the_recorded_ones(vectors):
    commands = commands_of_both_instructions(ThresholdGripper(0.5), vectors, "widowx_bridge")
    np.testing.assert_array_equal(commands, vectors.tensors["policy/widowx_bridge/action_out"][:, 6])


def test_sticky_commands_equal_the_recorded_ones(vectors):
    repeats = vectors.settings["google_robot"]["sticky_gripper_num_repeat"]
    commands = commands_of_both_instructions(StickyGripper(repeats), vectors, "google_robot")
    np.testing.assert_array_equal(commands, vectors.tensors["policy/google_robot/action_out"][:, 6])


def test_the_threshold_itself_closes():
    state = GripperState(opening=1.0)
    assert ThresholdGripper(0.5).step(state, 0.5).opening == 0.0
    assert ThresholdGripper(0.5).step(state, 0.5000001).opening == 1.0


@pytest.mark.parametrize("repeats", [1, 3, 10])
def test_a_large_change_is_repeated_so_often_and_no_more(repeats):
    states = plan_gripper(StickyGripper(repeats), GripperState(opening=0.0), [0.0] + [1.0] * 20)
    assert [state.command for state in states] == [0.0] + [-1.0] * repeats + [0.0] * (20 - repeats)
    assert states[0].opening == 0.0
    assert states[1].opening == 1.0


def test_a_held_motion_outlasts_a_change_of_mind():
    states = plan_gripper(StickyGripper(4), GripperState(opening=0.0), [0.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    assert [state.command for state in states] == [0.0, -1.0, -1.0, -1.0, -1.0, 1.0]


@given(gripper_numbers, st.floats(0.0, 1.0), st.integers(1, 12), st.floats(0.0, 1.0))
def test_openings_stay_within_closed_and_open(values, opening, repeats, threshold):
    for rule in (StickyGripper(repeats, threshold), ThresholdGripper(threshold)):
        openings = [state.opening for state in plan_gripper(rule, GripperState(opening), values)]
        assert all(0.0 <= value <= 1.0 for value in openings)


@given(gripper_numbers, st.integers(0, 60))
def test_a_plan_continued_from_its_middle_is_the_same_plan(values, middle):
    rule = StickyGripper()
    whole = plan_gripper(rule, GripperState(0.5), values)
    middle = min(middle, len(values))
    state = whole[middle - 1] if middle else GripperState(0.5)
    assert whole[:middle] + plan_gripper(rule, state, values[middle:]) == whole


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
@pytest.mark.parametrize("rule", [ThresholdGripper, StickyGripper])
def test_a_threshold_outside_closed_to_open_is_refused(rule, threshold):
    with pytest.raises(ValueError, match="threshold must lie within 0 to 1"):
        rule(threshold=threshold)


def test_a_sticky_gripper_without_repeats_is_refused():
    with pytest.raises(ValueError, match="at least once"):
        StickyGripper(repeats=0)
