# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The filter on every arm that has a profile: five, six and seven joints, with the makers' lengths and their limits."""

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from bench.support.arm_urdfs import ARMS, chain_of, ready_of, urdf_of
from bench.support.hostile_world import HostileWorld, places_of
from bench.support.rig import Rig
from instructvla_ros.policy.profile import ROBOTS_FOLDER, RobotProfile
from instructvla_ros.robot.poses import pose_error, rotation_from_vector
from instructvla_ros.safety import SafetyLimits, SafetyState
from instructvla_ros.shared_files import names_in


def limits_of(name: str) -> SafetyLimits:
    return SafetyLimits.load(RobotProfile.load(name).interface.limits)


@pytest.fixture(params=sorted(ARMS))
def arm(request) -> Rig:
    """A filter and an arm that stands ready."""
    rig = Rig(limits_of(request.param), chain_of(request.param), ready_of(request.param))
    assert rig.step().state is SafetyState.HOLDING
    rig.name = request.param
    return rig


def test_every_profile_of_an_arm_has_limits_and_a_description_in_the_tests():
    assert set(names_in(ROBOTS_FOLDER)) == {*ARMS, "sim"}


def test_profile_limits_and_description_name_the_same_joints(arm):
    profile = RobotProfile.load(arm.name)
    assert set(profile.joints) == set(arm.chain.joint_names)
    arm.limits.check_against(arm.chain)
    assert f'name="{profile.gripper.joint}"' in urdf_of(arm.name)
    low, high = sorted((profile.gripper.closed, profile.gripper.open))
    assert ARMS[arm.name].gripper[1] <= low and high <= ARMS[arm.name].gripper[2]


@pytest.mark.parametrize("axis", range(3))
def test_from_ready_the_gripper_goes_two_centimetres_either_way_and_back(arm, axis):
    start = arm.point
    step = np.zeros(3)
    for sign in (1.0, -1.0, -1.0, 1.0):
        step[axis] = sign * 0.005
        arm.step([arm.chunk(step, steps=4)])
        arm.run(1.3)
        assert arm.report.state is SafetyState.HOLDING
    np.testing.assert_allclose(arm.point, start, atol=2e-3)


def test_hostile_input_breaks_no_promise_on_any_arm(arm):
    places = places_of(arm.limits, arm.chain, ready_of(arm.name))

    def make_rig(start: np.ndarray, lag: float = 0.0) -> Rig:
        return Rig(arm.limits, arm.chain, start, lag)

    machine = type("WorldOfThisArm", (HostileWorld,), {"make_rig": staticmethod(make_rig), "places": places})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=2, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@pytest.fixture
def so101() -> Rig:
    """The arm with five joints, ready."""
    rig = Rig(limits_of("so101"), chain_of("so101"), ready_of("so101"))
    rig.step()
    return rig


def test_five_joints_go_where_they_are_told_whatever_turn_is_asked_with_it(so101):
    """A turn about the one axis that five joints have not costs no way: it is left out, and nobody waits for it."""
    start = so101.chain.forward(so101.arm)
    jacobian = so101.chain.jacobian(so101.arm)
    unreachable = np.linalg.svd(jacobian)[0][:, -1]
    turn = unreachable[3:] / np.linalg.norm(unreachable[3:])
    for index in range(4):
        for tick in range(20):
            so101.step([so101.chunk((0.008, 0.0, 0.004), 0.1 * turn)] if tick == 0 else [])
        assert so101.report.state is SafetyState.MOVING, index
    so101.run(1.5)
    moved = pose_error(so101.chain.forward(so101.arm), start)
    # the last chunk has three more steps than the 0.2 s in which the others were followed
    np.testing.assert_allclose(moved[:3], [7 * 0.008, 0.0, 7 * 0.004], atol=6e-3)
    assert np.linalg.norm(moved[3:]) < 0.5, "it turned by what going there takes, not by what was asked"


def test_five_joints_turn_as_far_as_they_can(so101):
    start = so101.chain.forward(so101.arm)
    about_fingers = start[:3, 2]
    so101.step([so101.chunk(rotation=0.1 * about_fingers, steps=4)])
    so101.run(1.5)
    moved = pose_error(so101.chain.forward(so101.arm), start)
    assert np.linalg.norm(moved[:3]) < 3e-3, "the gripper stays in its place"
    assert float(moved[3:] @ about_fingers) > 0.3, "its roll is one of the five"
    expected = rotation_from_vector(0.4 * about_fingers)
    assert np.trace(expected.T @ (so101.chain.forward(so101.arm)[:3, :3] @ start[:3, :3].T)) > 2.9
