# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Errors are what their names say."""

import numpy as np
import pytest

from instructvla_ros.bags.scoring.alignment import Aligned
from instructvla_ros.bags.scoring.metrics import Spread, error_by_observation, errors_of, joins_of

from .conftest import LENGTH, chunk_at


def aligned(predicted: np.ndarray, recorded: np.ndarray) -> Aligned:
    return Aligned(np.arange(len(predicted), dtype=float), predicted, recorded, 0)


def test_a_perfect_prediction_has_no_error_and_agrees() -> None:
    steps = np.random.default_rng(1).normal(0.0, 0.01, (5, LENGTH, 7))
    errors = errors_of(aligned(steps, steps))
    assert errors.translation == Spread(0.0, 0.0, 0.0, 0.0) and errors.rotation.largest == 0.0
    assert errors.gripper_agreement == 1.0 and errors.steps == 5 * LENGTH and errors.observations == 5
    assert errors.still_translation == pytest.approx(1e3 * np.linalg.norm(steps[:, :, :3], axis=2).mean())


def test_errors_are_told_in_millimetres_and_milliradians_with_their_sign() -> None:
    recorded = np.zeros((2, LENGTH, 7))
    predicted = np.zeros((2, LENGTH, 7))
    predicted[:, :, 0], predicted[0, :, 1], predicted[1, :, 1] = 0.003, 0.004, -0.004
    predicted[:, :, 5] = -0.010
    errors = errors_of(aligned(predicted, recorded))
    assert errors.translation.mean == pytest.approx(5.0) and errors.rotation.mean == pytest.approx(10.0)
    assert errors.dimensions["x"].bias == pytest.approx(3.0)
    assert errors.dimensions["y"].mean == pytest.approx(4.0) and errors.dimensions["y"].bias == pytest.approx(0.0)
    assert errors.dimensions["rz"].bias == pytest.approx(-10.0) and errors.dimensions["z"].mean == 0.0
    assert [step.translation for step in errors.horizon] == pytest.approx([5.0] * LENGTH)
    assert [step.end_translation for step in errors.horizon] == pytest.approx([5.0, 10.0, 15.0, 20.0])
    assert [step.end_rotation for step in errors.horizon] == pytest.approx([10.0, 20.0, 30.0, 40.0])


def test_unknown_steps_count_nowhere() -> None:
    recorded = np.zeros((2, LENGTH, 7))
    recorded[0, 2:] = np.nan
    recorded[1] = np.nan
    predicted = np.full((2, LENGTH, 7), 0.001)
    errors = errors_of(aligned(predicted, recorded))
    assert errors.steps == 2 and errors.observations == 1 and errors.gripper_steps == 2
    assert [step.count for step in errors.horizon] == [1, 1, 0, 0]
    assert np.isnan(errors.horizon[2].translation) and np.isnan(errors.horizon[3].gripper_agreement)
    by_observation = error_by_observation(aligned(predicted, recorded))
    assert by_observation[0] == pytest.approx(np.sqrt(3.0)) and np.isnan(by_observation[1])
    nothing = errors_of(aligned(np.zeros((0, 0, 7)), np.zeros((0, 0, 7))))
    assert nothing.steps == 0 and np.isnan(nothing.translation.mean) and nothing.horizon == ()


def test_the_gripper_agrees_where_both_are_open_or_both_closed() -> None:
    recorded, predicted = np.zeros((1, LENGTH, 7)), np.zeros((1, LENGTH, 7))
    recorded[0, :, 6] = (1.0, 0.9, 0.2, 0.0)
    predicted[0, :, 6] = (0.6, 0.1, 0.4, 1.0)
    errors = errors_of(aligned(predicted, recorded))
    assert errors.gripper_agreement == 0.5
    assert errors.gripper_agreement_open == 0.5 and errors.gripper_agreement_closed == 0.5
    assert [step.gripper_agreement for step in errors.horizon] == [1.0, 0.0, 1.0, 0.0]


def test_a_join_is_what_the_newer_chunk_says_otherwise_about_its_first_step() -> None:
    steps = np.zeros((LENGTH, 7))
    steps[:, 0] = (0.01, 0.02, 0.03, 0.04)
    agreeing = np.vstack((steps[1:], np.zeros((1, 7))))
    other = agreeing.copy()
    other[0, 0] += 0.003
    other[0, 4] -= 0.002
    first = chunk_at(10.0, steps)
    np.testing.assert_allclose(joins_of([first, chunk_at(10.2, agreeing)]), [(0.0, 0.0)], atol=1e-9)
    np.testing.assert_allclose(joins_of([first, chunk_at(10.2, other)]), [(0.003, 0.002)], atol=1e-9)
    half = chunk_at(10.3, np.full((LENGTH, 7), 0.0))  # the older one said half of its second and of its third step
    np.testing.assert_allclose(joins_of([first, half])[0, 0], 0.025, atol=1e-9)


def test_what_does_not_overlap_or_belongs_to_another_epoch_is_no_join() -> None:
    steps = np.zeros((LENGTH, 7))
    first = chunk_at(10.0, steps)
    others = [chunk_at(10.0, steps), chunk_at(12.0, steps), chunk_at(10.2, steps, epoch=2)]
    for other in others:
        assert joins_of([first, other]).shape == (0, 2)
    assert joins_of([]).shape == (0, 2)
