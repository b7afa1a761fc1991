# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Camera messages to RGB arrays, and back for the simulator."""

from __future__ import annotations

from array import array

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

try:
    from cv_bridge import CvBridge
except ImportError as error:
    raise ImportError(
        "cv_bridge is missing: with a ROS distribution, `apt install ros-$ROS_DISTRO-cv-bridge`; with the Python "
        "wheels, `pip install cv-bridge==1.13.0.post0 'opencv-python-headless<5'` (make setup does it)"
    ) from error

_BRIDGE = CvBridge()


class ImageError(ValueError):
    """A camera message cannot be turned into an RGB picture."""


def to_rgb(message: Image | CompressedImage) -> np.ndarray:
    """Decode a camera message.

    Args:
        message: raw, in any encoding that cv_bridge can turn into rgb8, or compressed (JPEG, PNG).

    Returns:
        ``(H, W, 3)`` uint8, RGB.

    Raises:
        ImageError: naming the encoding, the size or the length that is wrong.
    """
    if isinstance(message, CompressedImage):
        return _decode_compressed(message)
    if message.width == 0 or message.height == 0:
        raise ImageError(f"image of {message.width} x {message.height} pixels is empty")
    expected = message.step * message.height
    if len(message.data) != expected:
        raise ImageError(
            f"image holds {len(message.data)} bytes, but its step of {message.step} bytes times {message.height} rows "
            f"is {expected}"
        )
    try:
        picture = _BRIDGE.imgmsg_to_cv2(_without_row_padding(message), "rgb8")
    except Exception as error:  # cv_bridge raises its own, KeyError, TypeError and OpenCV's errors alike
        why = error or type(error).__name__
        raise ImageError(f"encoding {message.encoding!r} cannot be turned into rgb8: {why}") from error
    return np.ascontiguousarray(picture)


def to_message(picture: np.ndarray) -> Image:
    """Wrap an RGB picture ``(H, W, 3)`` uint8 as an rgb8 message, header left empty."""
    height, width, _ = picture.shape
    message = Image(height=height, width=width, encoding="rgb8", step=width * 3)
    data = array("B")  # taken over as it is, where bytes would be copied element by element
    data.frombytes(np.ascontiguousarray(picture).data.cast("B"))
    message.data = data
    return message


def _decode_compressed(message: CompressedImage) -> np.ndarray:
    import cv2

    picture = None
    if len(message.data):
        picture = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ImageError(
            f"compressed image of format {message.format!r} with {len(message.data)} bytes cannot be decoded (JPEG and "
            "PNG can)"
        )
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def _without_row_padding(message: Image) -> Image:
    """The same image with rows close together: cv_bridge 1.13 reads ``data`` as if ``step`` had no padding."""
    try:
        depth, channels = _BRIDGE.encoding_to_dtype_with_channels(message.encoding)
    except Exception as error:  # KeyError or CvBridgeError, by version
        raise ImageError(f"encoding {message.encoding!r} is not known to cv_bridge") from error
    row = message.width * channels * np.dtype(depth).itemsize
    if message.step == row:
        return message
    if message.step < row:
        raise ImageError(
            f"image step of {message.step} bytes is shorter than a row of {message.width} {message.encoding} pixels, "
            f"{row} bytes"
        )
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
    packed = Image(
        header=message.header,
        height=message.height,
        width=message.width,
        encoding=message.encoding,
        is_bigendian=message.is_bigendian,
        step=row,
    )
    packed.data = array("B", np.ascontiguousarray(rows[:, :row]).tobytes())
    return packed
