# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera's picture with the planned path and a few words drawn in, for viewers that take pictures and no page."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

PATH = (40, 190, 220)  # RGB, as on the page
CLOSES, OPENS = (255, 181, 46), (125, 255, 154)
_PAPER, _INK = (20, 24, 28), (255, 255, 255)
_SIXTEENTHS = 4  # OpenCV takes places in 1/16 px: whole ones make a slow path tremble


def draw(rgb: np.ndarray, path: Sequence[Sequence[float]], lines: Sequence[str]) -> np.ndarray:
    """The picture with what is drawn in.

    Args:
        rgb: ``(H, W, 3)`` uint8; stays as it is.
        path: points ahead, the gripper first: shares of width and height, and the gripper's opening there, 0 to 1.
        lines: for people, drawn below one another at the top; what is too long is cut.

    Returns:
        ``(H, W, 3)`` uint8.
    """
    drawn = np.ascontiguousarray(rgb).copy()
    height, width = drawn.shape[:2]
    scale = width / 640.0
    places = [(round(16 * u * width), round(16 * v * height)) for u, v, _ in path]
    if len(places) > 1:
        line = np.array(places, np.int32)[:, None]
        for color, thickness in ((_PAPER, 5.0), (PATH, 3.0)):
            cv2.polylines(drawn, [line], False, color, max(1, round(thickness * scale)), cv2.LINE_AA, _SIXTEENTHS)
    if places:
        _dot(drawn, places[-1], PATH, scale)
        _dot(drawn, places[0], _INK, scale)
    openings = [opening for _, _, opening in path]
    for before, after, place in zip(openings, openings[1:], places[1:], strict=False):
        if (before >= 0.5) != (after >= 0.5):
            _dot(drawn, place, CLOSES if after < 0.5 else OPENS, 1.3 * scale)
    _write(drawn, [line for line in lines if line], scale)
    return drawn


def _dot(drawn: np.ndarray, place: tuple[int, int], color: tuple[int, int, int], scale: float) -> None:
    radius = round(16 * 6.0 * scale)
    cv2.circle(drawn, place, radius, color, cv2.FILLED, cv2.LINE_AA, _SIXTEENTHS)
    cv2.circle(drawn, place, radius, _PAPER, max(1, round(1.5 * scale)), cv2.LINE_AA, _SIXTEENTHS)


def _write(drawn: np.ndarray, lines: Sequence[str], scale: float) -> None:
    font, size, step = cv2.FONT_HERSHEY_SIMPLEX, 0.5 * scale, round(20 * scale)
    thickness, edge = max(1, round(1.2 * scale)), round(8 * scale)
    if not lines:
        return
    band = drawn[: min(drawn.shape[0], step * len(lines) + edge)]
    band[:] = (0.35 * band + 0.65 * np.array(_PAPER)).astype(np.uint8)
    for index, text in enumerate(lines):
        shown = "".join(character if " " <= character <= "~" else "?" for character in text)  # what the font has
        whole = shown
        while whole and cv2.getTextSize(shown, font, size, thickness)[0][0] > drawn.shape[1] - 2 * edge:
            whole = whole[:-1]
            shown = f"{whole}..."
        cv2.putText(drawn, shown, (edge, step * (index + 1)), font, size, _INK, thickness, cv2.LINE_AA)
