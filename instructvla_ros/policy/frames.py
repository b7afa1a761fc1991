# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Camera frames: whether one can be used, and the centre crop that some checkpoints expect."""

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


def centre_crop(rgb: np.ndarray, area: float) -> np.ndarray:
    """Cuts out the centre of a frame and scales it back to the frame's size, bilinearly.

    Checkpoints trained with image augmentation saw random crops; in use they expect the middle one. Sides shrink by
    the square root of the area. Corner pixels of the cut-out become corner pixels of the result.

    Args:
        rgb: ``(H, W, 3)`` uint8.
        area: share of the frame's area that is kept, above 0 and up to 1; 1 returns the frame itself.

    Returns:
        ``(H, W, 3)`` uint8.
    """
    if area == 1.0:
        return rgb
    side = np.sqrt(area)
    pixels = _resample(rgb.astype(np.float32), axis=0, side=side)
    pixels = _resample(pixels, axis=1, side=side)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def _resample(pixels: np.ndarray, axis: int, side: float) -> np.ndarray:
    length = pixels.shape[axis]
    margin = (1.0 - side) / 2.0
    positions = np.linspace(margin, 1.0 - margin, length) * (length - 1)
    lower = np.floor(positions).astype(int)
    upper = np.minimum(lower + 1, length - 1)
    fraction_shape = [1, 1, 1]
    fraction_shape[axis] = length
    fraction = (positions - lower).astype(np.float32).reshape(fraction_shape)
    return pixels.take(lower, axis=axis) * (1.0 - fraction) + pixels.take(upper, axis=axis) * fraction
