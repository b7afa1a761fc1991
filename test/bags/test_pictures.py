# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recorded pictures become what the policy gets of live ones."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from instructvla_ros.bags.pictures import PictureError, to_jpeg, to_rgb


def smooth(height: int = 24, width: int = 32) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack((4 * columns + 60, 6 * rows + 40, 120 + 0 * rows), axis=-1).astype(np.uint8)


def raw(pixels: np.ndarray, encoding: str, padding: int = 0) -> SimpleNamespace:
    rows = pixels.reshape(len(pixels), -1)
    rows = np.pad(rows, ((0, 0), (0, padding)))
    height, width = pixels.shape[:2]
    return SimpleNamespace(encoding=encoding, height=height, width=width, step=rows.shape[1], data=rows.ravel())


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "code"),
    [
        ("rgb8", None),
        ("bgr8", cv2.COLOR_RGB2BGR),
        ("rgba8", cv2.COLOR_RGB2RGBA),
        ("bgra8", cv2.COLOR_RGB2BGRA),
    ],
)
def test_a_raw_picture_keeps_every_pixel_whatever_its_order_and_padding(encoding, code, padding) -> None:
    picture = smooth()
    pixels = picture if code is None else cv2.cvtColor(picture, code)
    np.testing.assert_array_equal(to_rgb(raw(pixels, encoding, padding)), picture)


@pytest.mark.parametrize(
    ("encoding", "pattern"),
    [("bayer_rggb8", "RGGB"), ("bayer_bggr8", "BGGR"), ("bayer_gbrg8", "GBRG"), ("bayer_grbg8", "GRBG")],
)
def test_a_bayer_pattern_gives_its_colours_back(encoding: str, pattern: str) -> None:
    picture = smooth()
    mosaic = np.empty(picture.shape[:2], np.uint8)
    for place, colour in enumerate(pattern):
        row, column = divmod(place, 2)
        mosaic[row::2, column::2] = picture[row::2, column::2, "RGB".index(colour)]
    difference = np.abs(to_rgb(raw(mosaic, encoding)).astype(int) - picture)[2:-2, 2:-2]
    assert difference.max() <= 4


@pytest.mark.parametrize(("encoding", "order"), [("yuv422_yuy2", (0, 1)), ("uyvy", (1, 0)), ("yuv422", (1, 0))])
def test_luminance_and_colour_of_yuv_are_told_apart(encoding: str, order: tuple[int, int]) -> None:
    colour = np.full((8, 8, 3), (200, 60, 30), np.uint8)
    # ITU-R BT.601, studio range
    weights = np.array(((65.481, 128.553, 24.966), (-37.797, -74.203, 112.0), (112.0, -93.786, -18.214)))
    y, u, v = weights @ (colour[0, 0] / 255.0) + (16.0, 128.0, 128.0)
    pixels = np.empty((8, 8, 2), np.uint8)
    pixels[:, :, order[0]] = y
    pixels[:, 0::2, order[1]], pixels[:, 1::2, order[1]] = u, v
    difference = to_rgb(raw(pixels, encoding)).astype(int) - colour
    assert np.abs(difference).max() <= 3


def test_a_jpeg_is_found_again_as_a_compressed_picture() -> None:
    grey = np.repeat(smooth(48, 64)[:, :, :1], 3, axis=2)  # a JPEG keeps colours at half the resolution only
    message = SimpleNamespace(format="jpeg", data=np.frombuffer(to_jpeg(grey, 32, 95), np.uint8))
    picture = to_rgb(message)
    assert picture.shape == (24, 32, 3)
    assert np.abs(picture.astype(int) - cv2.resize(grey, (32, 24), interpolation=cv2.INTER_AREA)).max() <= 6


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (SimpleNamespace(encoding="32FC1", height=1, width=1, step=4, data=np.zeros(4)), "'32FC1'.*rgb8"),
        (SimpleNamespace(encoding="rgb8", height=2, width=2, step=6, data=np.zeros(11)), "2 x 2 rgb8.*11 bytes"),
        (SimpleNamespace(encoding="rgb8", height=0, width=2, step=6, data=np.zeros(0)), "2 x 0"),
        (SimpleNamespace(format="jpeg", data=np.arange(9, dtype=np.uint8)), r"\(jpeg\) of 9 bytes"),
        (SimpleNamespace(format="png", data=np.zeros(0, np.uint8)), r"\(png\) of 0 bytes"),
    ],
)
def test_what_is_no_picture_is_told_with_its_numbers(message: SimpleNamespace, told: str) -> None:
    with pytest.raises(PictureError, match=told):
        to_rgb(message)
