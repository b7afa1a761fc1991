# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stops latch, resets move nothing, and nothing from before a stop is ever followed."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instructvla_ros.safety import SafetyState, Stops
from instructvla_ros.safety.braking import shortest_stops
from instructvla_ros.safety.gripper_ramp import GripperRamp

EAST = (0.03, 0.0, 0.0)
PRESSED, ASKED, RESET = Stops(emergency=True), Stops(requested=True), Stops(reset=True)


@pytest.mark.parametrize("stop", [PRESSED, ASKED])
def test_a_stop_brings_the_arm_to_rest_and_latches(rig, stop):
    rig.drive(0.5, EAST)
    report = rig.step(stops=stop)
    assert report.state is SafetyState.STOPPING and rig.limits_reported & {"emergency_stop", "stop"}
    report = rig.run(rig.limits.horizon)
    assert report.state is SafetyState.STOPPED and rig.at_rest
    held = rig.command.trajectory.positions[0]
    for _ in range(100):
        rig.step([rig.chunk(EAST)])
        assert rig.report.state is SafetyState.STOPPED
        np.testing.assert_array_equal(rig.command.trajectory.positions, np.tile(held, (2, 1)))


@given(moment=st.integers(1, 150), direction=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_braking_starts_at_once_and_takes_the_shortest_time(make_rig, moment, direction):
    random = np.random.default_rng(direction)
    rig = make_rig()
    rig.step()
    step, turn = 0.03 * random.normal(size=3), 0.1 * random.normal(size=3)
    for index in range(moment):
        rig.step([rig.chunk(step, turn)] if index % 20 == 0 else [])
    rig.step(stops=ASKED)
    _, velocities, accelerations = rig.command.trajectory.state(0.0)
    # No joint can stop sooner by itself, whatever becomes of the direction.
    bounds = rig.filter.bounds
    stops = shortest_stops(velocities, accelerations, bounds.accelerations, bounds.jerks).sum(axis=1)
    shortest = float(stops.max())
    assert rig.command.trajectory.duration <= max(1.5 * shortest, 0.01) + 1e-3
    ticks = 0
    while not rig.at_rest:
        rig.step()
        ticks += 1
    assert ticks <= np.ceil(1.5 * shortest / 0.01) + 1


def test_a_stop_keeps_the_direction_of_the_motion(rig):
    rig.drive(0.5, EAST)
    rig.step(stops=ASKED)
    start, end = (rig.chain.forward(rig.command.trajectory.positions[index])[:3, 3] for index in (0, -1))
    travelled = end - start
    assert travelled[0] > 1e-3
    np.testing.assert_allclose(travelled[1:], 0.0, atol=0.05 * travelled[0])


def test_a_reset_alone_moves_nothing(rig):
    rig.drive(0.5, EAST)
    rig.run(0.3, ASKED)
    held = rig.command.trajectory.positions[0]
    assert rig.step(stops=RESET).state is SafetyState.HOLDING
    rig.run(1.0)
    assert rig.report.state is SafetyState.HOLDING
    np.testing.assert_array_equal(rig.command.trajectory.positions, np.tile(held, (2, 1)))


def test_a_reset_is_refused_while_the_emergency_stop_is_pressed(rig):
    rig.run(0.1, PRESSED)
    report = rig.step(stops=Stops(emergency=True, reset=True))
    assert report.state is SafetyState.STOPPED and rig.limits_reported == {"reset"}
    rig.step()
    assert rig.report.state is SafetyState.STOPPED, "releasing the button must not reset"
    assert rig.step(stops=RESET).state is SafetyState.HOLDING


def test_a_reset_together_with_a_stop_is_refused(rig):
    rig.run(0.1, ASKED)
    assert rig.step(stops=Stops(requested=True, reset=True)).state is SafetyState.STOPPED
    assert rig.limits_reported == {"reset"}


def test_a_stop_is_reported_even_where_a_reset_comes_with_it(rig):
    rig.step(stops=Stops(requested=True, reset=True))
    assert rig.limits_reported == {"stop", "reset"}


def test_a_reset_is_refused_while_the_arm_still_brakes(rig):
    rig.drive(0.5, EAST)
    rig.step(stops=ASKED)
    assert rig.step(stops=RESET).state is SafetyState.STOPPING
    assert rig.limits_reported == {"reset"}
    assert rig.run(0.3).state is SafetyState.STOPPED


def test_chunks_born_before_the_reset_stay_void(rig):
    early = rig.chunk(EAST)
    rig.step(stops=ASKED)
    during = rig.chunk(EAST)
    rig.step(stops=RESET)
    report = rig.step([early, during])
    assert report.state is SafetyState.HOLDING
    assert [entry.limit for entry in report.interventions] == ["stop", "stop"]
    assert rig.step([rig.chunk(EAST)]).state is SafetyState.MOVING


def test_a_chunk_that_comes_together_with_the_reset_is_refused(rig):
    rig.step(stops=ASKED)
    rig.now += 0.0
    chunk = rig.chunk(EAST)
    assert rig.step([chunk], RESET).state is SafetyState.HOLDING


def test_a_stop_before_the_first_joint_state_latches_too(make_rig):
    rig = make_rig()
    rig.joint_states = "none"
    assert rig.step().state is SafetyState.INACTIVE
    assert rig.step(stops=PRESSED).state is SafetyState.STOPPED and rig.command is None
    rig.joint_states = "good"
    assert rig.step().state is SafetyState.STOPPED
    np.testing.assert_array_equal(rig.command.trajectory.positions[0], rig.arm)
    assert rig.step([rig.chunk(EAST)]).state is SafetyState.STOPPED


def test_the_gripper_stays_as_it_is_when_stopped(rig):
    rig.drive(0.5, EAST, gripper=1.0)
    rig.step([rig.chunk(EAST, gripper=0.0)])
    rig.run(0.1)
    rig.step(stops=PRESSED)
    opening = rig.command.gripper
    assert 0.0 < opening < 1.0
    rig.run(0.5, PRESSED)
    assert rig.command.gripper == opening


def test_an_arm_that_does_not_follow_is_a_fault_that_latches(rig):
    rig.lag = 1.0  # blocked
    for index in range(400):
        rig.step([rig.chunk(EAST)] if index % 20 == 0 else [])
        if rig.report.state is SafetyState.FAULT:
            break
    assert "tracking_tolerance" in rig.limits_reported
    (fault,) = [entry for entry in rig.report.interventions if entry.limit == "tracking_tolerance"]
    assert fault.asked > fault.allowed == rig.limits.tracking_tolerance and fault.subject in rig.chain.joint_names
    assert rig.run(0.5).state is SafetyState.FAULT and rig.at_rest
    assert rig.step([rig.chunk(EAST)]).state is SafetyState.FAULT


def test_an_arm_that_is_pushed_away_is_held_where_it_is_and_not_pressed_back(rig):
    rig.arm = rig.arm + 0.5
    rig.lag = 1.0
    assert rig.step().state is SafetyState.FAULT
    np.testing.assert_array_equal(rig.command.trajectory.positions[-1], rig.arm)
    held = rig.arm.copy()
    rig.arm = rig.arm + 0.05  # it sags a little: that is no reason to follow it
    assert rig.run(0.5).state is SafetyState.FAULT
    np.testing.assert_array_equal(rig.command.trajectory.positions[-1], held)
    assert rig.step(stops=RESET).state is SafetyState.HOLDING
    np.testing.assert_array_equal(rig.command.trajectory.positions[-1], held)


def test_a_stopped_arm_that_is_moved_by_hand_is_not_pulled_back_by_the_reset(rig):
    rig.step(stops=Stops(requested=True))
    rig.arm = rig.arm + 0.5
    rig.lag = 1.0
    assert rig.step().state is SafetyState.STOPPED
    assert rig.step(stops=RESET).state is SafetyState.HOLDING
    np.testing.assert_array_equal(rig.command.trajectory.positions[-1], rig.arm)


@pytest.mark.parametrize(
    ("remembered", "measured", "asked", "first"),
    [(1.0, 0.0, 0.0, 0.0), (0.0, 0.5, 0.0, 0.0), (0.0, 0.5, 1.0, 0.5), (1.0, 0.2, 0.6, 0.6)],
)
def test_after_a_stop_the_gripper_sets_out_from_where_it_is_towards_what_is_asked(remembered, measured, asked, first):
    ramp = GripperRamp(speed=1.0)
    ramp.ask(remembered, remembered)
    ramp.doubt()
    ramp.ask(asked, measured)
    assert ramp.opening == first


def test_a_policy_whose_clock_was_set_back_is_heard_again_after_a_reset(rig):
    rig.step([rig.chunk(EAST, epoch=1000)])
    assert rig.step([rig.chunk(EAST, epoch=7)]).sequence != rig.sequence
    rig.step(stops=Stops(requested=True))
    rig.run(0.3)
    rig.step(stops=RESET)
    rig.run(0.05)
    assert rig.step([rig.chunk(EAST, epoch=7)]).state is SafetyState.MOVING


@pytest.mark.parametrize("jump", [-5.0, -0.001, float("nan"), float("inf"), float("-inf")])
def test_a_clock_that_goes_backward_or_breaks_is_a_fault(rig, jump):
    rig.drive(0.5, EAST)
    positions, velocities = rig.command.trajectory.sample(0.01)
    before = rig.now
    command, report = rig.filter.step(before + jump, rig._joint_state(), [], Stops())
    assert report.state is SafetyState.FAULT and "clock" in {entry.limit for entry in report.interventions}
    np.testing.assert_allclose(command.trajectory.positions[0], positions, atol=1e-9)
    np.testing.assert_allclose(command.trajectory.velocities[0], velocities, atol=1e-6)
    assert command.trajectory.ends_at_rest


def test_a_clock_that_jumps_forward_finds_the_arm_at_rest(rig):
    rig.drive(0.5, EAST)
    report = rig.step(elapsed=50.0)
    assert rig.at_rest and report.state is SafetyState.HOLDING and "chunk_age" in rig.limits_reported
