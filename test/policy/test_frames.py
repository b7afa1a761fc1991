# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames that show nothing are told from frames that do."""

import numpy as np
import pytest

from instructvla_ros.policy.frames import frame_fault, picture_change


def with_noise(colour, spread, shape=(480, 640, 3)):
    noise = np.random.default_rng(0).normal(0.0, spread, shape)
    return np.clip(np.rint(np.array(colour) + noise), 0, 255).astype(np.uint8)


def test_a_picture_can_be_used(frame):
    assert frame_fault(frame) is None


def test_a_dark_but_real_picture_can_be_used():
    dark = np.zeros((480, 640, 3), dtype=np.uint8)
    dark[200:300, 250:400] = 30
    assert frame_fault(dark) is None


@pytest.mark.parametrize("colour", [(0, 0, 0), (128, 128, 128), (255, 255, 255), (0, 255, 0)])
@pytest.mark.parametrize("spread", [0.0, 0.4])
def test_one_flat_colour_cannot_be_used(colour, spread):
    assert "flat colour" in frame_fault(with_noise(colour, spread))


@pytest.mark.parametrize(
    ("rgb", "fault"),
    [
        (None, "NoneType"),
        ([[1, 2, 3]], "list"),
        (np.zeros((48, 64, 3), dtype=np.float32), "float32"),
        (np.zeros((48, 64), dtype=np.uint8), r"(48, 64)"),
        (np.zeros((48, 64, 4), dtype=np.uint8), r"(48, 64, 4)"),
        (np.zeros((0, 0, 3), dtype=np.uint8), "0 x 0 pixels"),
        (np.zeros((480, 8, 3), dtype=np.uint8), "8 x 480 pixels"),
    ],
)
def test_what_is_no_picture_cannot_be_used(rgb, fault):
    assert fault in frame_fault(rgb)


def test_a_picture_has_not_changed_from_itself_nor_by_noise():
    picture = with_colour_blocks()
    noise = np.random.default_rng(0).normal(0.0, 8.0, picture.shape)
    noisy = np.clip(picture + noise, 0, 255).astype(np.uint8)
    assert picture_change(picture, picture) == picture_change(picture, noisy) == 0.0


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_change_is_the_share_of_the_picture_that_looks_otherwise(share):
    picture = with_colour_blocks()
    changed = picture.copy()
    changed[:, : int(share * picture.shape[1])] ^= 128
    assert picture_change(picture, changed) == pytest.approx(share, abs=0.01)


def test_a_picture_of_another_size_has_changed_altogether():
    picture = with_colour_blocks()
    assert picture_change(picture, picture[:240]) == 1.0


def with_colour_blocks():
    blocks = np.random.default_rng(1).integers(40, 216, (12, 16, 3), dtype=np.uint8)
    return np.kron(blocks, np.ones((40, 40, 1), dtype=np.uint8))
