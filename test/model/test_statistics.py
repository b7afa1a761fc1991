# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Normalising robot states and un-normalising actions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.model import CheckpointError, UnknownDatasetError
from instructvla_ros.model.statistics import Percentiles, Statistics, clip_and_close

ONE = {"action": {"q01": [-1.0] * 7, "q99": [3.0] * 7, "mask": [True] * 6 + [False]}}


def test_actions_span_the_percentiles_where_the_mask_is_true():
    percentiles = Statistics({"a": ONE}).action("a", 7)
    np.testing.assert_allclose(percentiles.unnormalize(np.full((1, 7), -1.0)), [[-1.0] * 7])
    np.testing.assert_allclose(percentiles.unnormalize(np.ones((1, 7))), [[3.0] * 6 + [1.0]])
    np.testing.assert_allclose(percentiles.unnormalize(np.zeros((2, 7))), [[1.0] * 6 + [0.0]] * 2)


@given(
    low=st.floats(-10, 10),
    span=st.floats(0.1, 10),
    share=st.floats(-1, 1),
)
def test_normalising_undoes_unnormalising(low, span, share):
    percentiles = Percentiles(np.array([low]), np.array([low + span]), np.array([True]))
    assert percentiles.normalize(percentiles.unnormalize(np.array([share])))[0] == pytest.approx(share, abs=1e-6)


def test_states_are_clipped_and_constant_numbers_are_zero():
    percentiles = Percentiles(np.array([0.0, 0.0, 2.0]), np.array([1.0, 1.0, 2.0]), np.ones(3, dtype=bool))
    np.testing.assert_array_equal(percentiles.normalize(np.array([5.0, -5.0, 7.0])), [1.0, -1.0, 0.0])


def test_the_gripper_closes_below_one_half():
    raw = np.zeros((4, 7), dtype=np.float32)
    raw[:, 6] = [0.5, 0.49, -3.0, 3.0]
    raw[0, 0], raw[1, 1] = 4.0, -4.0
    shaped = clip_and_close(raw)
    assert shaped[:, 6].tolist() == [1.0, 0.0, 0.0, 1.0]
    assert shaped[0, 0] == 1.0 and shaped[1, 1] == -1.0
    assert raw[0, 0] == 4.0


def test_a_dataset_is_needed_where_there_are_several():
    several = Statistics({"bridge": ONE, "fractal": ONE})
    assert Statistics({"bridge": ONE}).choose(None) == "bridge"
    with pytest.raises(UnknownDatasetError, match="name the one to act in: bridge, fractal"):
        several.choose(None)
    with pytest.raises(KeyError, match="no dataset 'libero'; known: bridge, fractal"):
        several.choose("libero")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "statistics of a lack action.q01, action.q99"),
        ({"action": {"q01": [0.0] * 7}}, "lack action.q99"),
        ({"action": {"q01": [0.0] * 6, "q99": [1.0] * 7}}, "action.q01 must hold 7 numbers"),
        ({"action": {"q01": ["x"] * 7, "q99": [1.0] * 7}}, "dataset_statistics.json: a.action"),
        ({"action": {"q01": [0.0] * 7, "q99": [float("nan")] * 7}}, "not finite"),
        ({"action": {"q01": [0.0] * 7, "q99": [1.0] * 7, "mask": [True]}}, "action.mask must hold 7 numbers"),
    ],
)
def test_malformed_percentiles_are_named(entry, message):
    with pytest.raises(CheckpointError, match=message):
        Statistics({"a": entry}).action("a", 7)
