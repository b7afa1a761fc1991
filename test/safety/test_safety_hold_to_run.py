# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Motion only while a button is held, and runs that move nothing."""

from dataclasses import replace

import numpy as np
import pytest

from bench.support.rig import PERIOD, READY, chunk_of
from instructvla_ros.robot.joint_state import JointState
from instructvla_ros.safety import SafetyFilter, SafetyState, Stops
from instructvla_ros.safety.dry_run import SPAN, DryRun
from instructvla_ros.safety.hold_to_run import HoldToRun


def test_a_button_counts_as_held_as_long_as_its_messages_keep_coming():
    hold = HoldToRun(0.3, "joy")
    assert "not held" in hold.released(10.0).message
    hold.put(True, 10.0)
    assert hold.released(10.0) is None and hold.released(10.29) is None
    late = hold.released(10.5)
    assert late.limit == "hold_to_run" and late.asked == pytest.approx(0.5) and "0.50 s ago" in late.message
    hold.put(True, 11.0)
    hold.put(False, 11.01)
    assert hold.released(11.02) is not None, "a message that says no lets go at once"
    hold.put(True, 12.0)
    assert hold.released(11.0) is not None, "a clock that went backward is no reason to move"


def test_a_button_that_is_let_go_brings_the_arm_to_rest_and_voids_what_was_asked_meanwhile(rig):
    hold = HoldToRun(0.3, "joy")
    let_go = Stops(released=hold.released(0.0))
    rig.drive(0.5, (0.02, 0.0, 0.0))
    assert not rig.at_rest
    report = rig.step([rig.chunk((0.02, 0.0, 0.0))], let_go)
    assert report.state is SafetyState.MOVING and "coming to rest: the button" in report.reason
    assert "hold_to_run" in rig.limits_reported
    rig.run(rig.limits.horizon + PERIOD, let_go)
    assert rig.at_rest and rig.report.state is SafetyState.HOLDING
    meanwhile = rig.chunk((0.02, 0.0, 0.0))
    rig.step(stops=let_go)
    rig.step([meanwhile])
    assert rig.report.state is SafetyState.HOLDING, "no motion from before the button was held"
    rig.step([rig.chunk((0.02, 0.0, 0.0))])
    assert rig.report.state is SafetyState.MOVING, "and no latch: the next chunk is followed"


def test_a_latched_stop_stays_latched_whatever_the_button_does(rig):
    rig.step(stops=Stops(requested=True))
    rig.step(stops=Stops(released=HoldToRun(0.3, "joy").released(0.0)))
    assert rig.report.state is SafetyState.STOPPED


def test_a_dry_run_goes_on_as_if_the_arm_followed_and_begins_again_where_it_is(limits, chain):
    safety_filter = SafetyFilter(limits, chain, "base_link", period=PERIOD)
    dry_run, now, state, furthest = DryRun(chain.joint_names), 100.0, SafetyState.INACTIVE, 0.0
    for index in range(500):
        now += PERIOD
        if dry_run.begins_again(now, state):
            safety_filter.begin_again()
        measured = JointState(now, ("left_finger", *chain.joint_names), np.concatenate(([0.02], READY)))
        told = dry_run.joint_state(now, measured)
        chunks = [chunk_of(now, index, (0.02, 0.0, 0.0))] if index % 20 == 0 and index < 400 else []
        command, report = safety_filter.step(now, told, chunks, Stops())
        dry_run.sent(command, now)
        state = report.state
        assert state in (SafetyState.HOLDING, SafetyState.MOVING), report.reason
        furthest = max(furthest, np.abs(command.trajectory.positions[0] - READY).max())
    assert furthest > 0.05, "it went its way"
    assert furthest < 1.5 * SPAN, "and not for ever"
    np.testing.assert_allclose(command.trajectory.positions[0], READY)


def test_a_dry_run_tells_of_joint_states_that_cannot_be_used(limits, chain):
    safety_filter = SafetyFilter(limits, chain, "base_link", period=PERIOD)
    dry_run = DryRun(chain.joint_names)
    measured = JointState(100.0, chain.joint_names, READY)
    command, _ = safety_filter.step(100.0, dry_run.joint_state(100.0, measured), [], Stops())
    dry_run.sent(command, 100.0)
    broken = replace(measured, stamp=100.01, names=chain.joint_names[:-1], positions=READY[:-1])
    assert dry_run.joint_state(100.01, broken) is broken
    assert dry_run.joint_state(100.01, None) is None
