# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the model is shown is the part of the picture that the profile names, turned as it says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.policy.picture import shown
from instructvla_ros.policy.profile_interface import ROTATIONS, Camera

PICTURE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def test_a_picture_that_is_neither_cut_nor_turned_is_not_copied():
    assert shown(PICTURE, Camera("image")) is PICTURE
    assert shown(PICTURE, None) is PICTURE


def test_the_crop_is_of_the_camera_s_own_picture_and_the_turn_is_clockwise():
    cut = shown(PICTURE, Camera("image", crop=(0.5, 0.25, 1.0, 1.0)))
    np.testing.assert_array_equal(cut, PICTURE[1:, 3:])
    turned = shown(PICTURE, Camera("image", crop=(0.5, 0.25, 1.0, 1.0), rotate=90))
    assert turned.shape == (3, 3, 3)
    np.testing.assert_array_equal(turned[0, -1], PICTURE[1, 3], "what was at the top left is at the top right")
    half = shown(PICTURE, Camera("image", rotate=180))
    np.testing.assert_array_equal(half, PICTURE[::-1, ::-1])


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.tuples(st.floats(0, 0.99), st.floats(0, 0.99), st.floats(0.01, 1), st.floats(0.01, 1)),
    st.sampled_from(ROTATIONS),
)
def test_any_picture_of_any_size_has_something_left(height, width, crop, rotate):
    left, top, right, bottom = crop
    crop = (min(left, right - 0.005), min(top, bottom - 0.005), right, bottom)
    crop = (max(crop[0], 0.0), max(crop[1], 0.0), crop[2], crop[3])
    picture = np.zeros((height, width, 3), np.uint8)
    seen = shown(picture, Camera("image", crop=crop, rotate=rotate))
    assert seen.dtype == np.uint8 and seen.shape[2] == 3 and seen.size > 0
    limit = (height, width) if rotate in (0, 180) else (width, height)
    assert seen.shape[0] <= limit[0] and seen.shape[1] <= limit[1]
    assert seen.flags.c_contiguous


@pytest.mark.parametrize("rotate", ROTATIONS)
def test_four_quarters_are_a_whole_turn(rotate):
    seen = PICTURE
    for _ in range(4):
        seen = shown(seen, Camera("image", rotate=rotate))
    np.testing.assert_array_equal(seen, PICTURE)
