# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From opening to driver units and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.robot.gripper import GripperMapping

mappings = st.sampled_from([GripperMapping("finger", 0.015, 0.037), GripperMapping("motor", 1.2, -0.4)])


@given(mappings, st.floats(0.0, 1.0))
def test_opening_comes_back_from_its_position(mapping, opening):
    assert mapping.opening(mapping.position(opening)) == pytest.approx(opening, abs=1e-12)


@given(mappings, st.floats(-100.0, 100.0))
def test_opening_stays_within_its_range_wherever_the_fingers_are(mapping, position):
    assert 0.0 <= mapping.opening(position) <= 1.0


def test_ends_are_closed_and_open():
    mapping = GripperMapping("finger", 0.015, 0.037)
    assert mapping.position(0.0) == 0.015
    assert mapping.position(1.0) == pytest.approx(0.037)


@pytest.mark.parametrize("opening", [-0.01, 1.01, float("nan")])
def test_an_impossible_opening_is_refused(opening):
    with pytest.raises(ValueError, match="'finger'"):
        GripperMapping("finger", 0.015, 0.037).position(opening)


@pytest.mark.parametrize(("closed", "opened"), [(0.1, 0.1), (float("nan"), 1.0), (0.0, float("inf"))])
def test_an_impossible_mapping_is_refused(closed, opened):
    with pytest.raises(ValueError, match="'finger'"):
        GripperMapping("finger", closed, opened)


def test_a_position_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="'finger'"):
        GripperMapping("finger", 0.0, 1.0).opening(float("nan"))
