# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Joining chunks: whatever inference took, the arm ends where the newest plan wants it, and its command never jumps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.policy.splicing import ChunkSplicer

PERIOD = 0.2
COUNT = 8


def followed(chunks, until):
    """The commanded way ``(6,)`` of who follows each ``(takeover, stamp, steps)`` by its time line."""
    way = np.zeros(6)
    for index, (takeover, stamp, steps) in enumerate(chunks):
        end = min(chunks[index + 1][0] if index + 1 < len(chunks) else until, until)
        for step, displacement in enumerate(steps):
            start, stop = stamp + step * PERIOD, stamp + (step + 1) * PERIOD
            shared = max(0.0, min(stop, end) - max(start, takeover))
            way = way + shared / PERIOD * displacement
    return way


chunk_steps = st.lists(
    st.lists(st.floats(-0.03, 0.03), min_size=6, max_size=6), min_size=COUNT, max_size=COUNT
).map(np.array)
latencies = st.floats(0.0, 0.9)


@given(first=chunk_steps, second=chunk_steps, waits=st.floats(0.2, 1.0), lags=st.tuples(latencies, latencies))
def test_the_arm_ends_where_the_newest_plan_wants_it_whatever_inference_took(first, second, waits, lags):
    splicer = ChunkSplicer(PERIOD, blend=2)
    start = 100.0
    joined, _ = splicer.join(start, start + lags[0], first)
    chunks = [(start + lags[0], start, joined)]
    stamp = start + lags[0] + waits
    takeover = stamp + lags[1]
    seen_at = followed(chunks, stamp)
    joined, _ = splicer.join(stamp, takeover, second)
    chunks.append((takeover, stamp, joined))
    settled = followed(chunks, stamp + PERIOD * COUNT)
    np.testing.assert_allclose(settled, seen_at + second.sum(axis=0), atol=1e-9)


@given(plan=chunk_steps, lag=latencies)
def test_a_plan_that_goes_on_as_it_was_is_not_changed(plan, lag):
    splicer = ChunkSplicer(PERIOD, blend=2)
    splicer.join(0.0, 0.0, plan)
    rest = np.concatenate((plan[2:], np.zeros((2, 6))))
    joined, owed = splicer.join(2 * PERIOD, 2 * PERIOD + lag, rest)
    np.testing.assert_allclose(owed, 0.0, atol=1e-12)
    np.testing.assert_allclose(joined, rest, atol=1e-12)


@given(first=chunk_steps, second=chunk_steps, lag=latencies, blend=st.integers(1, 4))
def test_what_is_owed_is_shared_among_the_next_steps_and_no_other_is_changed(first, second, lag, blend):
    splicer = ChunkSplicer(PERIOD, blend)
    splicer.join(0.0, 0.0, first)
    joined, owed = splicer.join(0.4, 0.4 + lag, second)
    change = joined - second
    np.testing.assert_allclose(change.sum(axis=0), owed, atol=1e-9)
    assert np.count_nonzero(np.abs(change).max(axis=1) > 1e-12) <= blend
    assert np.all(np.abs(change) <= np.abs(owed) / blend + 1e-9)


def test_a_first_chunk_makes_up_for_the_time_in_which_the_arm_rested():
    plan = np.zeros((COUNT, 6))
    plan[:, 0] = 0.01
    joined, owed = ChunkSplicer(PERIOD, blend=2).join(50.0, 50.0 + 2 * PERIOD, plan)
    assert owed[0] == pytest.approx(0.02)
    np.testing.assert_allclose(joined[:, 0], [0.01, 0.01, 0.02, 0.02, 0.01, 0.01, 0.01, 0.01])


def test_an_inference_longer_than_the_chunk_changes_nothing():
    plan = np.full((COUNT, 6), 0.01)
    joined, _ = ChunkSplicer(PERIOD, blend=2).join(0.0, PERIOD * COUNT + 0.1, plan)
    np.testing.assert_array_equal(joined, plan)


def test_a_slow_first_inference_does_not_poison_the_joins_after_it():
    """Nothing is estimated: what a warm-up took does not count for the next chunk."""
    plan = np.zeros((COUNT, 6))
    plan[:, 0] = 0.01
    splicer = ChunkSplicer(PERIOD, blend=2)
    splicer.join(0.0, 0.7, plan)
    for tick in range(1, 6):
        stamp = 0.6 + 0.2 * tick
        _, owed = splicer.join(stamp, stamp + 0.05, plan)
    assert abs(owed[0]) < 0.005


def test_memory_does_not_grow():
    plan = np.full((COUNT, 6), 0.01)
    splicer = ChunkSplicer(PERIOD, blend=1)
    for tick in range(500):
        splicer.join(0.05 * tick, 0.05 * tick + 0.03, plan)
    assert len(splicer._times) < 100


@pytest.mark.parametrize(("period", "blend"), [(0.0, 1), (float("nan"), 1), (0.2, 0)])
def test_settings_that_make_no_sense_are_refused(period, blend):
    with pytest.raises(ValueError):
        ChunkSplicer(period, blend)
