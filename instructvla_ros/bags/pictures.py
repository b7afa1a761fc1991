# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recorded camera messages to RGB arrays, without ROS. Of live ones cv_bridge makes the same."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

_CONVERSIONS: dict[str, tuple[int, int | None]] = {
    "rgb8": (3, None),
    "8UC3": (3, None),
    "bgr8": (3, cv2.COLOR_BGR2RGB),
    "rgba8": (4, cv2.COLOR_RGBA2RGB),
    "bgra8": (4, cv2.COLOR_BGRA2RGB),
    "mono8": (1, cv2.COLOR_GRAY2RGB),
    "yuv422": (2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": (2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": (2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": (2, cv2.COLOR_YUV2RGB_YUY2),
    # OpenCV names a Bayer pattern by the second row's second and third pixel
    "bayer_rggb8": (1, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": (1, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": (1, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": (1, cv2.COLOR_BayerGB2RGB),
}
"""Bytes of a pixel, and the way to RGB; names as of sensor_msgs/image_encodings.hpp."""


class PictureError(ValueError):
    """A recorded picture cannot be used; the message says why."""


def to_rgb(message: Any) -> np.ndarray:
    """The picture of a recorded message.

    Args:
        message: sensor_msgs/Image or sensor_msgs/CompressedImage, as a bag's reader decodes it.

    Returns:
        ``(H, W, 3)`` uint8, RGB.

    Raises:
        PictureError: naming the encoding, the size or the length that is wrong.
    """
    data = np.asarray(message.data, dtype=np.uint8)
    if not hasattr(message, "encoding"):
        return _compressed(data, message.format)
    if message.encoding not in _CONVERSIONS:
        known = ", ".join(_CONVERSIONS)
        raise PictureError(f"pictures are {message.encoding!r}; known are {known}, and compressed ones")
    size, conversion = _CONVERSIONS[message.encoding]
    height, width, step = int(message.height), int(message.width), int(message.step)
    if not (height and width) or step < width * size or len(data) != step * height:
        raise PictureError(
            f"a picture of {width} x {height} {message.encoding} pixels has rows of {step} bytes and {len(data)} bytes "
            f"in all; needed are rows of {width * size} or more, {height} times"
        )
    rows = data.reshape(height, step)[:, : width * size]
    pixels = rows.reshape((height, width) if size == 1 else (height, width, size))
    if conversion is None:
        return np.ascontiguousarray(pixels)
    try:
        return cv2.cvtColor(np.ascontiguousarray(pixels), conversion)
    except cv2.error as error:
        raise PictureError(f"a picture of {width} x {height} {message.encoding} pixels has no RGB: {error}") from error


def at_most(rgb: np.ndarray, width: int) -> np.ndarray:
    """A picture ``(H, W, 3)`` uint8 made smaller where it is wider than the width [pixels]."""
    if rgb.shape[1] <= width:
        return rgb
    height = max(1, round(rgb.shape[0] * width / rgb.shape[1]))
    return cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)


def to_jpeg(rgb: np.ndarray, width: int, quality: int = 80) -> bytes:
    """A picture as JPEG.

    Args:
        rgb: ``(H, W, 3)`` uint8.
        width: of the JPEG at most [pixels].
        quality: 0 to 100.
    """
    rgb = at_most(rgb, width)
    done, coded = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, quality))
    if not done:
        raise PictureError(f"OpenCV makes no JPEG of a picture of {rgb.shape[1]} x {rgb.shape[0]} pixels")
    return coded.tobytes()


def _compressed(data: np.ndarray, kind: str) -> np.ndarray:
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if picture is None:
        raise PictureError(f"a compressed picture ({kind}) of {data.size} bytes cannot be decoded (JPEG and PNG can)")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
