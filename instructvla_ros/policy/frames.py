# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a camera frame can be used."""

import numpy as np

_SMALLEST_SIDE = 16  # pixels
_SMALLEST_SPREAD = 1.0  # grey levels
_SAMPLES_PER_SIDE = 64


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
