# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Camera messages become RGB pictures, or a clear error."""

from array import array

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image

from instructvla_ros.nodes.image_decoding import ImageError, to_message, to_rgb

HEIGHT, WIDTH = 6, 8


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def message_of(pixels: np.ndarray, encoding: str, padding: int = 0) -> Image:
    rows = np.ascontiguousarray(pixels).reshape(pixels.shape[0], -1).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (0, padding)))
    message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding, step=rows.shape[1])
    message.data = array("B", rows.tobytes())
    return message


def test_rgb_round_trip_is_exact(picture: np.ndarray) -> None:
    np.testing.assert_array_equal(to_rgb(to_message(picture)), picture)


def test_bgr_and_alpha_encodings_give_the_same_colours(picture: np.ndarray) -> None:
    alpha = np.full((HEIGHT, WIDTH, 1), 7, np.uint8)
    bgr = picture[:, :, ::-1]
    for encoding, pixels in {
        "bgr8": bgr,
        "rgba8": np.concatenate([picture, alpha], 2),
        "bgra8": np.concatenate([bgr, alpha], 2),
    }.items():
        np.testing.assert_array_equal(to_rgb(message_of(pixels, encoding)), picture, err_msg=encoding)


def test_a_grey_camera_gives_three_equal_channels(picture: np.ndarray) -> None:
    decoded = to_rgb(message_of(picture[:, :, 0], "mono8"))
    np.testing.assert_array_equal(decoded, np.repeat(picture[:, :, :1], 3, axis=2))


def test_a_bayer_camera_is_decoded_to_colour() -> None:
    red = np.zeros((HEIGHT, WIDTH), np.uint8)
    red[0::2, 0::2] = 200
    decoded = to_rgb(message_of(red, "bayer_rggb8"))
    assert decoded.shape == (HEIGHT, WIDTH, 3)
    assert decoded[2:4, 2:4, 0].mean() > 4 * decoded[2:4, 2:4, 2].mean() + 10


@pytest.mark.parametrize("padding", [1, 16])
def test_padded_rows_do_not_shear_the_picture(picture: np.ndarray, padding: int) -> None:
    np.testing.assert_array_equal(to_rgb(message_of(picture, "rgb8", padding)), picture)


def test_an_unknown_encoding_is_named_in_the_error(picture: np.ndarray) -> None:
    with pytest.raises(ImageError, match="holographic"):
        to_rgb(message_of(picture, "holographic"))


def test_a_depth_image_is_refused_as_a_colour_image() -> None:
    with pytest.raises(ImageError, match="16UC1"):
        to_rgb(message_of(np.zeros((HEIGHT, WIDTH), np.uint16), "16UC1"))


def test_a_truncated_image_is_refused_with_both_lengths(picture: np.ndarray) -> None:
    message = message_of(picture, "rgb8")
    message.data = message.data[:-5]
    with pytest.raises(ImageError, match=f"{HEIGHT * WIDTH * 3 - 5} bytes.*{HEIGHT * WIDTH * 3}"):
        to_rgb(message)


def test_a_step_shorter_than_a_row_is_refused(picture: np.ndarray) -> None:
    message = message_of(picture, "rgb8")
    message.step = WIDTH
    message.data = array("B", bytes(WIDTH * HEIGHT))
    with pytest.raises(ImageError, match="shorter than a row"):
        to_rgb(message)


def test_an_empty_image_is_refused() -> None:
    with pytest.raises(ImageError, match="empty"):
        to_rgb(Image(encoding="rgb8"))


def test_png_and_jpeg_are_decoded_in_rgb_order(picture: np.ndarray) -> None:
    smooth = np.zeros((32, 32, 3), np.uint8)
    smooth[:, :, 0] = 220  # red
    for extension, tolerance in ((".png", 0), (".jpg", 12)):
        _, data = cv2.imencode(extension, smooth[:, :, ::-1])
        decoded = to_rgb(CompressedImage(format=extension[1:], data=array("B", data.tobytes())))
        assert np.abs(decoded.astype(int) - smooth).max() <= tolerance


@pytest.mark.parametrize("data", [b"", b"no picture at all"])
def test_a_corrupt_compressed_image_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match="cannot be decoded"):
        to_rgb(CompressedImage(format="jpeg", data=array("B", data)))
