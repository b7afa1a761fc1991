# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames: what is refused, and what becomes of every size."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from instructvla_ros.model.images import centre_crop, check_images, dino_pixels, language_pixels

GOOD = np.zeros((12, 16, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (GOOD.astype(np.float32), "image 0 .primary. must hold uint8 values 0..255, got float32"),
        (GOOD[..., 0], r"shape \(height, width, 3\), got \(12, 16\)"),
        (np.zeros((12, 16, 4), dtype=np.uint8), r"got \(12, 16, 4\)"),
        (np.zeros((3, 12, 16), dtype=np.uint8), r"got \(3, 12, 16\)"),
        (np.zeros((0, 16, 3), dtype=np.uint8), "is empty"),
        (np.zeros((2, 100, 3), dtype=np.uint8), "more than 16 times as long as wide"),
        (None, "must be a numpy array, got NoneType"),
    ],
)
def test_a_frame_that_is_none_is_refused(image, message):
    with pytest.raises(ValueError, match=message):
        check_images([image], 1)


@pytest.mark.parametrize("images", [[], [GOOD, GOOD]])
def test_the_wrong_number_of_views_is_refused(images):
    with pytest.raises(ValueError, match=f"takes 1 image.s. .primary., got {len(images)}"):
        check_images(images, 1)


def test_the_second_view_is_named(two_view_expert):
    with pytest.raises(ValueError, match="image 1 .wrist. must hold uint8"):
        check_images([GOOD, GOOD.astype(np.int64)], 2)


def test_views_of_unequal_height_are_refused():
    with pytest.raises(ValueError, match="of equal height, got .12, 14. px"):
        check_images([GOOD, np.zeros((14, 16, 3), dtype=np.uint8)], 2)


def test_a_bare_array_is_refused():
    with pytest.raises(ValueError, match="must be a list"):
        check_images(GOOD, 1)


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 300), ratio=st.floats(1 / 12, 12), value=st.integers(0, 255))
def test_every_size_gives_pixels_of_the_right_shape_and_colour(height, ratio, value):
    image = np.full((height, max(1, round(height * ratio)), 3), value, dtype=np.uint8)
    large = language_pixels([image], 56)
    small = dino_pixels([image], 28)
    assert large.shape == (1, 3, 56, 56) and large.dtype == torch.bfloat16
    assert small.shape == (1, 3, 28, 28) and small.dtype == torch.float32
    assert torch.all(large == torch.tensor(value / 255 * 2 - 1).to(torch.bfloat16))
    torch.testing.assert_close(small[0, 0], torch.full((28, 28), (value / 255 - 0.485) / 0.229))


def test_views_stand_side_by_side_for_the_language_model():
    left, right = np.full((8, 8, 3), 0, np.uint8), np.full((8, 8, 3), 255, np.uint8)
    pixels = language_pixels([left, right], 32)[0, 0].float()
    assert torch.all(pixels[:, :8] == -1.0) and torch.all(pixels[:, -8:] == 1.0)


def test_the_crop_keeps_the_middle_ninety_percent_of_the_area():
    rows = np.linspace(0, 255, 200).astype(np.uint8)
    image = np.repeat(np.repeat(rows[:, None, None], 100, axis=1), 3, axis=2)
    cropped = centre_crop(image)
    margin = (1 - np.sqrt(0.9)) / 2
    assert cropped.shape == image.shape
    assert abs(int(cropped[0, 0, 0]) - 255 * margin) <= 2
    assert abs(int(cropped[-1, 0, 0]) - 255 * (1 - margin)) <= 2
    assert abs(int(cropped[100, 0, 0]) - int(image[100, 0, 0])) <= 1


def test_read_only_frames_are_fine():
    image = GOOD.copy()
    image.flags.writeable = False
    assert torch.equal(dino_pixels([image], 28), dino_pixels([GOOD], 28))
    assert np.array_equal(centre_crop(image), GOOD)
