# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Adaptive ensembling against recorded numbers, and its promises for all inputs."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.policy.ensembling import AdaptiveEnsemble

PERIOD = 0.2


def chunks_of(count, length=6, width=7):
    return st.integers(0, 2**32 - 1).map(
        lambda seed: np.random.default_rng(seed).normal(0.0, 0.3, (count, length, width))
    )


def test_first_actions_equal_the_recorded_ones(vectors):
    cases = [key for key in vectors.tensors if key.startswith("ensemble/") and key.endswith("/in")]
    assert cases
    for case in cases:
        window, alpha = re.fullmatch(r"ensemble/h(\d+)_a([\d.]+)/in", case).groups()
        ensemble = AdaptiveEnsemble(int(window), float(alpha), PERIOD)
        chunks = vectors.tensors[case]
        ensembled = [ensemble.add(1.7e9 + step * PERIOD, chunk)[0] for step, chunk in enumerate(chunks)]
        np.testing.assert_allclose(ensembled, vectors.tensors[case.replace("/in", "/out")], rtol=0, atol=1e-15)


@given(chunks_of(9), st.integers(1, 8), st.floats(-2.0, 2.0))
def test_every_step_lies_within_what_was_predicted_for_its_instant(chunks, window, alpha):
    ensemble = AdaptiveEnsemble(window, alpha, PERIOD)
    for newest, chunk in enumerate(chunks):
        ensembled = ensemble.add(newest * PERIOD, chunk)
        for step, action in enumerate(ensembled):
            predicted = np.array([
                chunks[past][newest + step - past]
                for past in range(max(0, newest - window + 1), newest + 1)
                if newest + step - past < len(chunk)
            ])
            assert (action >= predicted.min(axis=0) - 1e-12).all()
            assert (action <= predicted.max(axis=0) + 1e-12).all()


@given(chunks_of(9, length=12), st.integers(1, 8))
def test_chunks_outside_the_window_have_no_influence(chunks, window):
    long_memory, short_memory = (AdaptiveEnsemble(window, 0.1, PERIOD) for _ in range(2))
    for step, chunk in enumerate(chunks):
        ensembled = long_memory.add(step * PERIOD, chunk)
        if step >= len(chunks) - window:
            short_memory_ensembled = short_memory.add(step * PERIOD, chunk)
    np.testing.assert_array_equal(ensembled, short_memory_ensembled)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=12), st.lists(st.floats(-0.4, 0.4), min_size=13, max_size=13))
def test_predictions_are_aligned_by_time_over_missed_and_jittering_ticks(gaps, jitters):
    def intended(instant):
        return np.array([np.sin(instant), np.cos(instant), instant % 3])

    ensemble = AdaptiveEnsemble(7, 0.1, PERIOD)
    # half of the jitter that could shift an alignment: two stamps differ by up to twice as much
    for tick, jitter in zip(np.cumsum([0, *gaps]), jitters, strict=False):
        chunk = np.array([intended(tick + step) for step in range(16)])
        ensembled = ensemble.add(1.7e9 + (tick + jitter / 2) * PERIOD, chunk)
        np.testing.assert_allclose(ensembled, chunk, atol=1e-12)


def test_a_frame_seen_twice_is_averaged_for_the_same_instant():
    ensemble = AdaptiveEnsemble(7, 0.0, PERIOD)
    ensemble.add(4.0, np.full((3, 7), 1.0))
    np.testing.assert_allclose(ensemble.add(4.0, np.full((3, 7), 2.0)), np.full((3, 7), 1.5))


def test_the_end_of_the_newest_chunk_is_its_own():
    ensemble = AdaptiveEnsemble(7, 0.1, PERIOD)
    ensemble.add(0.0, np.zeros((4, 7)))
    ensembled = ensemble.add(PERIOD, np.ones((4, 7)))
    assert (ensembled[:3] < 1.0).all()
    np.testing.assert_allclose(ensembled[3], np.ones(7))


@pytest.mark.parametrize("stamp", [-100.0, 3.0])
def test_the_past_is_forgotten_when_the_clock_runs_backwards(stamp):
    ensemble = AdaptiveEnsemble(7, 0.1, PERIOD)
    ensemble.add(4.0, np.zeros((4, 7)))
    np.testing.assert_allclose(ensemble.add(stamp, np.ones((4, 7))), np.ones((4, 7)))


def test_what_was_forgotten_stays_so_when_the_clock_passes_it_again():
    ensemble = AdaptiveEnsemble(7, 0.1, PERIOD)
    ensemble.add(4.0, np.zeros((4, 7)))
    ensemble.add(3.8, np.ones((4, 7)))
    np.testing.assert_allclose(ensemble.add(4.0, np.ones((4, 7))), np.ones((4, 7)))


def test_a_chunk_older_than_the_window_has_no_influence_after_missed_ticks():
    ensemble = AdaptiveEnsemble(3, 0.1, PERIOD)
    ensemble.add(0.0, np.zeros((8, 7)))
    np.testing.assert_allclose(ensemble.add(3 * PERIOD, np.ones((8, 7))), np.ones((8, 7)))


def test_reset_forgets_the_past():
    ensemble = AdaptiveEnsemble(7, 0.1, PERIOD)
    ensemble.add(0.0, np.zeros((4, 7)))
    ensemble.reset()
    np.testing.assert_allclose(ensemble.add(PERIOD, np.ones((4, 7))), np.ones((4, 7)))


@pytest.mark.parametrize(
    ("window", "alpha", "period"), [(0, 0.1, 0.2), (1, np.nan, 0.2), (1, 0.1, 0.0), (1, 0.1, -1.0), (1, 0.1, np.inf)]
)
def test_settings_that_make_no_sense_are_refused(window, alpha, period):
    with pytest.raises(ValueError, match="ensembling"):
        AdaptiveEnsemble(window, alpha, period)


def test_chunks_of_another_width_are_refused():
    ensemble = AdaptiveEnsemble(2, 0.1, PERIOD)
    ensemble.add(0.0, np.zeros((4, 7)))
    with pytest.raises(ValueError, match="6 numbers"):
        ensemble.add(PERIOD, np.zeros((4, 6)))
    with pytest.raises(ValueError, match="matrix"):
        ensemble.add(PERIOD, np.zeros(7))
