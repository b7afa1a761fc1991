# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The filter with stand-ins of the makers' drivers, in simulated time: nothing refused, nothing rejected, no fault."""

import numpy as np
import pytest

from bench.support.arm_urdfs import ARMS
from bench.support.driven_arm import Conditions, DrivenArm
from instructvla_ros.safety import SafetyState

SECONDS = 6.0


def went_well(arm: DrivenArm) -> None:
    assert SafetyState.FAULT not in arm.states, arm.states
    assert SafetyState.MOVING in arm.states and arm.furthest > 0.02, "it moved"
    assert arm.refused == 0
    if arm.check is not None:
        assert arm.check.count > 1000 and not arm.check.rejections, arm.check.rejections


@pytest.mark.parametrize("name", sorted(ARMS))
def test_every_maker_s_driver_takes_what_the_filter_sends(name):
    arm = DrivenArm(name, Conditions(shuffled=True))
    arm.run(SECONDS)
    went_well(arm)


@pytest.mark.parametrize("name", ["fr3", "panda"])
def test_a_robot_that_rejects_jumps_rejects_nothing_of_a_random_policy(name):
    arm = DrivenArm(name, Conditions(late=(0.0005, 0.0095)), seed=1)
    arm.run(SECONDS)
    went_well(arm)
    assert max(arm.check.worst) < 0.9, arm.check.worst


def test_the_jump_check_rejects_trajectories_that_begin_when_they_come():
    """What the stamp and the lead of a Franka's profile are for."""
    arm = DrivenArm("fr3", Conditions(stamped=False, lead=0.0), seed=1)
    arm.run(2.0)
    assert arm.check.rejections


@pytest.mark.parametrize("rate", [20.0, 1000.0])
def test_joint_states_may_come_at_any_rate(rate):
    arm = DrivenArm("ur5e", Conditions(joint_state_rate=rate))
    arm.run(SECONDS)
    went_well(arm)


def test_a_driver_that_tells_nothing_of_the_gripper_moves_the_arm_all_the_same():
    arm = DrivenArm("xarm7", Conditions(gripper=False))
    arm.run(SECONDS)
    went_well(arm)


def test_positions_one_by_one_lead_the_arm_as_trajectories_do():
    arm = DrivenArm("ur5e", Conditions(kind="joint_position"))
    arm.run(SECONDS)
    went_well(arm)


def test_velocities_lead_the_arm_without_drifting_and_end_with_the_filter():
    arm = DrivenArm("ur5e", Conditions(kind="joint_velocity", late=(0.001, 0.009)))
    arm.run(2.0 * SECONDS)
    went_well(arm)
    arm.run(1.0, quiet=True, stops=False)
    before, _ = arm.driver.setpoint(arm.now)
    arm.run(1.0, quiet=True, stops=False)
    after, velocities = arm.driver.setpoint(arm.now)
    assert not velocities.any()
    np.testing.assert_array_equal(after, before, "at rest nothing creeps")


def test_a_velocity_driver_whose_filter_dies_in_motion_stops_by_itself():
    arm = DrivenArm("ur5e", Conditions(kind="joint_velocity"))
    while arm.report is None or arm.report.state is not SafetyState.MOVING or arm.report.path_speed == 0.0:
        arm.run(0.1, stops=False)
    arm._under_way.clear()
    begin = arm.now
    for _ in range(300):
        arm.now += 0.001
        arm._drive()
    _, velocities = arm.driver.setpoint(arm.now)
    assert not velocities.any() and arm.now - begin > 0.2
