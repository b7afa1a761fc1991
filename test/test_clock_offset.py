# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How far a clock is ahead: never said too surely, and refused only when it is sure."""

from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.clock_offset import Offset, OffsetMeter, refusal

delays = st.floats(0.0, 2.0)


@given(st.floats(-10.0, 10.0), st.lists(st.tuples(delays, delays), min_size=1, max_size=20))
def test_the_truth_lies_within_the_uncertainty_whatever_way_the_messages_take(ahead: float, ways) -> None:
    meter, now = OffsetMeter(), 1000.0
    for there, back in ways:
        answered = now + there
        meter.add(now, answered + ahead, answered + back)
        now = answered + back + 1.0
    assert meter.offset is not None
    assert abs(meter.offset.ahead - ahead) <= meter.offset.uncertainty + 1e-9
    if refusal(meter.offset, 0.1, "it"):
        assert abs(ahead) > 0.1 - 1e-9, "clocks that may be in step are never refused"


@given(st.floats(0.2, 10.0), st.sampled_from([-1.0, 1.0]))
def test_clocks_that_are_apart_are_refused_with_how_far_and_what_to_do(apart: float, side: float) -> None:
    meter = OffsetMeter()
    meter.add(50.0, 50.01 + side * apart, 50.02)
    said = refusal(meter.offset, 0.1, "the other machine")
    assert f"{apart:.3f} s {'ahead of' if side > 0 else 'behind'}" in said
    assert "chrony" in said and "0.1 s" in said


def test_nothing_known_is_nothing_refused() -> None:
    assert OffsetMeter().offset is None
    assert refusal(None, 0.1, "it") == ""
    assert refusal(Offset(0.5, 0.45), 0.1, "it") == "", "a slow answer tells too little"


def test_the_quickest_answer_counts_and_old_ones_are_forgotten() -> None:
    meter = OffsetMeter()
    meter.add(0.0, 0.6, 1.0)
    meter.add(2.0, 2.01, 2.02)
    assert meter.offset == Offset(0.0, 0.010000000000000009)
    for n in range(8):
        meter.add(10.0 + n, 10.5 + n, 10.4 + n)
    assert meter.offset is not None and abs(meter.offset.ahead - 0.3) < 1e-6


def test_a_clock_that_is_set_is_noticed_at_the_next_answer() -> None:
    meter = OffsetMeter()
    meter.add(0.0, 0.001, 0.002)
    meter.add(1.0, 1.51, 1.02)
    assert meter.offset is not None and abs(meter.offset.ahead - 0.5) < 1e-6


def test_our_own_clock_set_back_makes_it_begin_anew() -> None:
    meter = OffsetMeter()
    meter.add(100.0, 100.0, 100.01)
    meter.add(200.0, 150.0, 150.0)
    assert meter.offset is None
