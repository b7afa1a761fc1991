# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which chunks are followed, which are refused as a whole, and what is reported."""

import math
from dataclasses import replace

import numpy as np
import pytest

from instructvla_ros.robot.action_chunk import DeltaReference
from instructvla_ros.safety import SafetyState

EAST = (0.02, 0.0, 0.0)


def _with_step(chunk, field, index, value):
    array = getattr(chunk, field).copy()
    array[index] = value
    return replace(chunk, **{field: array})


MALFORMED = {
    "translation NaN": (lambda c: _with_step(c, "translations", (-1, 2), np.nan), "chunk_values"),
    "rotation infinite": (lambda c: _with_step(c, "rotations", (0, 0), -np.inf), "chunk_values"),
    "gripper NaN": (lambda c: _with_step(c, "grippers", 1, np.nan), "chunk_values"),
    "stamp NaN": (lambda c: replace(c, stamp=math.nan), "chunk_values"),
    "period NaN": (lambda c: replace(c, period=math.nan), "chunk_values"),
    "delta reference unknown": (lambda c: replace(c, delta_reference=7), "chunk_values"),
    "words for numbers": (lambda c: replace(c, grippers=np.array(["open"] * 4)), "chunk_values"),
    "steps without grippers": (lambda c: replace(c, grippers=np.zeros(0)), "chunk_length"),
    "too many steps": (
        lambda c: replace(c, translations=np.zeros((65, 3)), rotations=np.zeros((65, 3)), grippers=np.zeros(65)),
        "chunk_length",
    ),
    "rotations short": (lambda c: replace(c, rotations=c.rotations[:-1]), "chunk_length"),
    "translations flat": (lambda c: replace(c, translations=np.zeros(12)), "chunk_length"),
    "translations of two": (lambda c: replace(c, translations=np.zeros((4, 2))), "chunk_length"),
    "grippers a number": (lambda c: replace(c, grippers=np.float64(1.0)), "chunk_length"),
    "period zero": (lambda c: replace(c, period=0.0), "chunk_period"),
    "period negative": (lambda c: replace(c, period=-0.2), "chunk_period"),
    "period absurd": (lambda c: replace(c, period=1e6), "chunk_period"),
    "frame of another": (lambda c: replace(c, frame="camera_link"), "chunk_frame"),
    "frame empty": (lambda c: replace(c, frame=""), "chunk_frame"),
    "step too long": (lambda c: _with_step(c, "translations", 3, (0.08, 0.08, 0.0)), "max_step_translation"),
    "step beyond numbers": (lambda c: _with_step(c, "translations", 0, 1e308), "max_step_translation"),
    "turn too large": (lambda c: _with_step(c, "rotations", 2, (0.0, 0.0, 3.0)), "max_step_rotation"),
    "epoch no count": (lambda c: replace(c, epoch=-1), "chunk_sequence"),
    "sequence no count": (lambda c: replace(c, sequence=1.5), "chunk_sequence"),
}

UNTIMELY = {
    "repeated": (lambda c, followed: followed, "chunk_sequence"),
    "older sequence": (lambda c, followed: replace(c, sequence=followed.sequence - 1), "chunk_sequence"),
    "older epoch": (lambda c, followed: replace(c, epoch=0, sequence=99), "chunk_sequence"),
    "from the future": (lambda c, followed: replace(c, stamp=c.stamp + 0.07), "stamp_ahead"),
    "too old": (lambda c, followed: replace(c, stamp=c.stamp - 2.01, period=1.0), "chunk_age"),
    "passed": (lambda c, followed: replace(c, stamp=c.stamp - 0.81), "chunk_passed"),
}


@pytest.mark.parametrize("case", sorted(MALFORMED))
def test_a_malformed_chunk_is_refused_as_a_whole_and_the_arm_comes_to_rest(rig, case):
    spoil, limit = MALFORMED[case]
    rig.drive(0.4, EAST)
    followed = rig.report.sequence
    report = rig.step([spoil(rig.chunk((0.0, 0.0, 0.03)))])
    (refusal,) = [entry for entry in report.interventions if entry.subject == "action_chunk"]
    assert refusal.limit == limit and refusal.message.startswith("chunk refused")
    assert report.sequence == followed
    height = rig.point[2]
    assert rig.run(0.25).state is SafetyState.HOLDING
    assert rig.point[2] == pytest.approx(height, abs=1e-3)


@pytest.mark.parametrize("case", sorted(UNTIMELY))
def test_an_untimely_chunk_is_refused_and_the_one_being_followed_goes_on(rig, case):
    spoil, limit = UNTIMELY[case]
    followed = rig.chunk(EAST, epoch=1)
    rig.step([followed])
    rig.run(0.1)
    report = rig.step([spoil(rig.chunk((0.0, 0.0, 0.03), epoch=1), followed)])
    assert [entry.limit for entry in report.interventions if entry.subject == "action_chunk"] == [limit]
    assert report.state is SafetyState.MOVING and report.sequence == followed.sequence
    start = rig.point
    rig.run(0.3)
    np.testing.assert_allclose(rig.point - start, [0.03, 0.0, 0.0], atol=2.5e-3)


def test_a_refused_chunk_leaves_its_number_free_for_a_good_one(rig):
    chunk = rig.chunk(EAST)
    rig.step([replace(chunk, frame="nowhere")])
    assert rig.step([chunk]).state is SafetyState.MOVING


def _without_steps(chunk):
    return replace(chunk, translations=np.zeros((0, 3)), rotations=np.zeros((0, 3)), grippers=np.zeros(0))


def test_a_chunk_without_steps_asks_for_rest_and_voids_what_came_before(rig):
    rig.drive(0.4, EAST, epoch=1)
    late = rig.chunk(EAST, epoch=1)
    report = rig.step([_without_steps(rig.chunk(EAST, epoch=2))])
    assert not report.interventions and report.epoch == 2
    start = rig.point
    assert rig.run(0.25).state is SafetyState.HOLDING
    assert np.linalg.norm(rig.point - start) < 0.03
    rig.step([late])
    assert rig.limits_reported == {"chunk_sequence"}
    assert rig.step([rig.chunk(EAST, epoch=2)]).state is SafetyState.MOVING


def test_a_newer_chunk_replaces_the_older_one_at_once(rig):
    rig.drive(0.2, EAST)
    rig.run(0.1)
    rig.step([rig.chunk((0.0, 0.02, 0.0))])
    rig.run(0.15)
    start = rig.point
    rig.run(0.3)
    np.testing.assert_allclose(rig.point - start, [0.0, 0.03, 0.0], atol=2.5e-3)


def test_of_several_chunks_in_one_step_the_newest_is_followed(rig):
    chunks = [rig.chunk(EAST), rig.chunk(EAST), rig.chunk(EAST)]
    report = rig.step([chunks[0], chunks[2], chunks[1]])
    assert report.sequence == chunks[2].sequence
    assert rig.limits_reported == {"chunk_sequence"}


def test_a_newer_epoch_counts_more_than_a_higher_sequence(rig):
    rig.step([rig.chunk(EAST, epoch=1)])
    report = rig.step([replace(rig.chunk(EAST, epoch=2), sequence=0)])
    assert (report.epoch, report.sequence) == (2, 0) and not report.interventions


def test_a_late_chunk_skips_the_steps_whose_time_has_passed(rig, make_chunk):
    chunk = make_chunk(rig.now - 0.4, 5, steps=4)
    translations = np.array([[0.04, 0, 0], [0.04, 0, 0], [0, 0.02, 0], [0, 0, 0]], dtype=float)
    start = rig.point
    rig.step([replace(chunk, translations=translations)])
    rig.run(0.7)
    np.testing.assert_allclose(rig.point - start, [0.0, 0.02, 0.0], atol=1.5e-3)


def test_a_chunk_is_dropped_when_its_observation_grows_too_old(rig):
    rig.step([rig.chunk((0.01, 0.0, 0.0), steps=10, period=0.5)])
    for _ in range(198):
        rig.step()
    assert rig.report.state is SafetyState.MOVING and rig.report.chunk_age == pytest.approx(1.99)
    reported = set()
    for _ in range(30):
        rig.step()
        reported |= rig.limits_reported
    assert reported == {"chunk_age"}
    assert rig.report.state is SafetyState.HOLDING and math.isnan(rig.report.chunk_age)


@pytest.mark.parametrize("reference", list(DeltaReference))
def test_steps_add_up_to_the_displacement_asked_for(rig, reference):
    start = rig.chain.forward(rig.arm)
    rig.step([rig.chunk((0.02, -0.01, 0.01), (0.05, 0.0, 0.1), reference=reference)])
    rig.run(1.2)
    reached = rig.chain.forward(rig.arm)
    np.testing.assert_allclose(reached[:3, 3] - start[:3, 3], [0.08, -0.04, 0.04], atol=1.5e-3)
    turned = reached[:3, :3] @ start[:3, :3].T
    assert math.acos((np.trace(turned) - 1.0) / 2.0) == pytest.approx(4.0 * math.hypot(0.05, 0.1), abs=0.01)


def test_deltas_from_the_measured_pose_start_where_the_arm_is(make_rig):
    rig = make_rig(lag=0.0)
    rig.step()
    rig.arm = rig.arm + np.array([0.0, 0.05, 0.0, 0.0, 0.0, 0.0])  # sagging
    sagged = rig.chain.forward(rig.arm)[:3, 3]
    rig.lag = 1.0
    rig.step([rig.chunk((0.0, 0.0, 0.0), steps=8, reference=DeltaReference.MEASURED)])
    rig.run(1.5)
    np.testing.assert_allclose(rig.point, sagged, atol=1e-3)


def test_deltas_from_the_target_do_not_sink_with_an_arm_that_sags(make_rig):
    rig = make_rig()
    rig.step()
    before = rig.point
    rig.arm, rig.lag = rig.arm + np.array([0.0, 0.05, 0.0, 0.0, 0.0, 0.0]), 1.0
    rig.drive(2.0, (0.0, 0.0, 0.0))
    np.testing.assert_allclose(rig.point, before, atol=1e-9)
