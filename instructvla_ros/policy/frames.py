# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a camera frame can be used."""

import numpy as np

_SMALLEST_SIDE = 16  # pixels
_SMALLEST_SPREAD = 1.0  # grey levels
_SAMPLES_PER_SIDE = 64
_CHANGE_SIDE = 16  # blocks that pictures are compared in
_NOISE = 12.0  # grey levels


def frame_fault(rgb: object) -> str | None:
    """Says in plain words why a frame cannot be used, or returns None if it can.

    A frame whose every colour channel varies by less than one grey level (standard deviation over a grid of samples)
    shows nothing: a covered lens, a driver that sends an empty buffer, a decoder's grey.

    Args:
        rgb: should be a uint8 array ``(H, W, 3)``.
    """
    if not isinstance(rgb, np.ndarray):
        return f"it is no array but {type(rgb).__name__}"
    if rgb.dtype != np.uint8:
        return f"its pixels are {rgb.dtype}, not uint8"
    if rgb.ndim != 3 or rgb.shape[2] != 3:
        return f"its shape is {rgb.shape}, not (height, width, 3)"
    height, width = rgb.shape[:2]
    if min(height, width) < _SMALLEST_SIDE:
        return f"it is {width} x {height} pixels; at least {_SMALLEST_SIDE} x {_SMALLEST_SIDE} are needed"
    samples = rgb[:: max(1, height // _SAMPLES_PER_SIDE), :: max(1, width // _SAMPLES_PER_SIDE)]
    if samples.std(axis=(0, 1)).max() < _SMALLEST_SPREAD:
        red, green, blue = (round(level) for level in samples.mean(axis=(0, 1)))
        return f"it is one flat colour (red {red}, green {green}, blue {blue}) and shows nothing"
    return None


def picture_change(before: np.ndarray, now: np.ndarray) -> float:
    """How much of a scene has changed: the share of the picture's blocks, 16 by 16, that look otherwise.

    A block looks otherwise when its mean colour differs by more than the noise of a camera, in any channel.

    Args:
        before: ``(H, W, 3)`` uint8.
        now: ``(H, W, 3)`` uint8; one of another size has changed altogether.

    Returns:
        0 to 1.
    """
    if before.shape != now.shape:
        return 1.0
    difference = np.abs(_blocks(before) - _blocks(now)).max(axis=-1)  # (side, side)
    return float((difference > _NOISE).mean())


def _blocks(picture: np.ndarray) -> np.ndarray:
    """Mean colours ``(side, side, 3)`` of blocks of a picture ``(H, W, 3)``."""
    height, width = (_CHANGE_SIDE * (size // _CHANGE_SIDE) for size in picture.shape[:2])
    rows = picture[:height, :width].reshape(_CHANGE_SIDE, height // _CHANGE_SIDE, width, 3).mean(axis=1)
    return rows.reshape(_CHANGE_SIDE, _CHANGE_SIDE, width // _CHANGE_SIDE, 3).mean(axis=2)
