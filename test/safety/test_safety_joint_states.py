# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Without joint states that can be believed, nothing moves."""

import math

import numpy as np
import pytest

from instructvla_ros.robot.gripper import GripperMapping
from instructvla_ros.robot.joint_state import JointState
from instructvla_ros.safety import SafetyFilter, SafetyState, Stops

EAST = (0.03, 0.0, 0.0)


@pytest.mark.parametrize("kind", ["none", "nan", "missing", "future"])
def test_nothing_is_commanded_before_the_first_good_joint_state(make_rig, kind):
    rig = make_rig()
    rig.joint_states = kind
    for _ in range(5):
        report = rig.step([rig.chunk(EAST)])
        assert rig.command is None and report.state is SafetyState.INACTIVE
        assert math.isnan(report.joint_state_age) and rig.limits_reported == {"joint_state"}
    rig.joint_states = "good"
    assert rig.step().state is SafetyState.HOLDING
    np.testing.assert_array_equal(rig.command.trajectory.positions[0], rig.arm)
    assert rig.command.gripper is None


@pytest.mark.parametrize(
    ("kind", "words"),
    [("nan", "elbow"), ("missing", "wrist_rotate"), ("none", "no joint state"), ("future", "future")],
)
def test_a_joint_state_that_cannot_be_used_brings_the_arm_to_rest_at_once(rig, kind, words):
    rig.drive(0.5, EAST)
    rig.joint_states = kind
    report = rig.step()
    assert rig.limits_reported == {"joint_state"} and words in report.reason
    report = rig.run(rig.limits.horizon)
    assert rig.at_rest and report.state is SafetyState.HOLDING and words in report.reason


def test_joint_states_that_stop_coming_bring_the_arm_to_rest(rig):
    rig.drive(0.5, EAST)
    rig.joint_states = "lost"
    rig.run(rig.limits.joint_state_age - 0.01)
    assert rig.report.state is SafetyState.MOVING
    report = rig.run(rig.limits.horizon + 0.03)
    assert rig.at_rest and "old" in report.reason and report.joint_state_age > rig.limits.joint_state_age


def test_chunks_are_refused_while_joint_states_are_missing(rig):
    rig.joint_states = "nan"
    assert rig.step([rig.chunk(EAST)]).state is SafetyState.HOLDING
    assert rig.limits_reported == {"joint_state"}


def test_the_arm_goes_on_without_a_jump_when_joint_states_return(rig):
    rig.drive(0.5, EAST)
    rig.joint_states = "lost"
    rig.run(1.0)
    held = rig.command.trajectory.positions[0]
    rig.joint_states = "good"
    assert rig.step().state is SafetyState.HOLDING
    np.testing.assert_array_equal(rig.command.trajectory.positions[0], held)
    assert rig.drive(0.5, EAST).state is SafetyState.MOVING


def test_an_arm_found_elsewhere_when_joint_states_return_is_a_fault(rig):
    rig.joint_states = "lost"
    rig.run(1.0)
    rig.arm, rig.lag = rig.arm + 0.5, 1.0
    rig.joint_states = "good"
    assert rig.step().state is SafetyState.FAULT
    assert "tracking_tolerance" in rig.limits_reported


def test_a_reset_is_refused_while_joint_states_are_missing(rig):
    rig.step(stops=Stops(requested=True))
    rig.joint_states = "nan"
    assert rig.step(stops=Stops(reset=True)).state is SafetyState.STOPPED
    assert rig.limits_reported == {"reset"}


def test_holding_does_not_creep_however_the_arm_sags(rig):
    rig.drive(0.5, EAST)
    rig.run(1.5)
    held = rig.command.trajectory.positions[0]
    rig.lag = 1.0
    for _ in range(300):
        rig.arm = held + np.array([0.0, 0.02, 0.01, 0.0, 0.0, 0.0])
        rig.step()
    np.testing.assert_array_equal(rig.command.trajectory.positions, np.tile(held, (2, 1)))


def test_the_first_gripper_motion_starts_from_the_measured_opening(limits, chain, make_chunk):
    mapping = GripperMapping("left_finger", 0.0, 0.037)
    names = (*chain.joint_names, "left_finger")
    positions = np.array([0.2, -0.3, 0.3, 0.0, 1.2, 0.0, 0.0185])
    safety_filter = SafetyFilter(limits, chain, "base_link", gripper=mapping)
    chunk = make_chunk(10.0, 0, gripper=0.0)
    command, _ = safety_filter.step(10.0, JointState(10.0, names, positions), [chunk], Stops())
    assert command.gripper == pytest.approx(0.5)
    command, _ = safety_filter.step(10.01, JointState(10.01, names, positions), [], Stops())
    assert command.gripper == pytest.approx(0.5 - 0.01 * limits.gripper_speed)

