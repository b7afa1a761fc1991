# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The part of a camera's picture that the model is shown, turned as the profile says."""

import numpy as np

from instructvla_ros.policy.profile_interface import Camera


def shown(picture: np.ndarray, camera: Camera | None) -> np.ndarray:
    """Cuts a picture and turns it.

    Args:
        picture: ``(H, W, 3)`` as the camera took it.
        camera: what the profile says of it; None: the picture as it is.

    Returns:
        ``(h, w, 3)``: the part within ``crop``, at least one pixel each way, then turned clockwise by ``rotate``; the
        picture itself where there is nothing to do, else contiguous.
    """
    if camera is None:
        return picture
    height, width = picture.shape[:2]
    left, top, right, bottom = camera.crop
    x0, x1 = _span(left, right, width)
    y0, y1 = _span(top, bottom, height)
    part = np.rot90(picture[y0:y1, x0:x1], -(camera.rotate // 90))
    return picture if part.shape == picture.shape and camera.rotate == 0 else np.ascontiguousarray(part)


def _span(low: float, high: float, size: int) -> tuple[int, int]:
    """Pixels from a share to another of a size, at least one."""
    first = min(round(low * size), size - 1)
    return first, max(round(high * size), first + 1)
