# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From frames to what the towers see, and where in it things are."""

import math
from collections.abc import Sequence
from random import Random

import numpy as np
import torch
from torch import Tensor

from instructvla_ros.model.images import DINO_CROP_RATIO, dino_pixels, language_pixels
from instructvla_ros.model.instructvla import InstructVLA
from instructvla_ros.training.frames import Frame
from instructvla_ros.training.language.words import COLORS, SHAPES
from instructvla_ros.training.objectives import NOWHERE

_COLORS, _SHAPES = list(COLORS), list(SHAPES)
_GAIN, _BIAS = 0.12, 0.06  # of the colours of a picture


class Sights:
    """Pixels for both towers, and the tokens on which things lie.

    Args:
        model: whose sizes and preparation of frames count.
        augment: whether colours of pictures vary.
    """

    def __init__(self, model: InstructVLA, augment: bool) -> None:
        self._sizes, self._augment = model.sizes, augment
        self._prepare = model.prepare_frames

    def images(self, frame: Frame, random: Random) -> list[np.ndarray]:
        """The pictures of a frame as the model is given them."""
        images = frame.images()
        if self._augment:
            gain = np.array([1.0 + random.uniform(-_GAIN, _GAIN) for _ in range(3)], dtype=np.float32)
            bias = 255.0 * np.float32(random.uniform(-_BIAS, _BIAS))
            images = [np.clip(image * gain + bias, 0.0, 255.0).astype(np.uint8) for image in images]
        return self._prepare(images)

    def pixels(self, images: Sequence[list[np.ndarray]]) -> Tensor:
        """``(G, 3, S, S)`` for the language model."""
        return torch.cat([language_pixels(views, self._sizes.image_tower.image_size) for views in images])

    def views(self, images: Sequence[list[np.ndarray]]) -> Tensor:
        """``(G, V, 3, s, s)`` for the action vision."""
        return torch.stack([dino_pixels(views, self._sizes.action_expert.vision.image_size) for views in images])

    def language_cell(self, frame: Frame, target: int | None) -> int:
        """Image token of the language model on a thing; ``NOWHERE`` if that is not known."""
        if target is None or frame.spots is None or self._sizes.num_views > 1:
            return NOWHERE
        side = self._sizes.image_tower.grid // self._sizes.shuffle_block
        across, down = frame.spots[target]
        return _cell(float(across), float(down), side)

    def vision_cell(self, frame: Frame, target: int | None, image: np.ndarray) -> int:
        """Token of the action vision on a thing in the first view ``(H, W, 3)``; ``NOWHERE`` if that is not known."""
        if target is None or frame.spots is None or self._sizes.num_views > 1:
            return NOWHERE
        film = self._sizes.action_expert.vision
        height, width = image.shape[:2]
        short = math.floor(film.image_size / DINO_CROP_RATIO)
        tall = int(short * height / width) if width <= height else short
        wide = short if width <= height else int(short * width / height)
        u, v = frame.spots[target]
        across = (u * wide - round((wide - film.image_size) / 2.0)) / film.image_size
        down = (v * tall - round((tall - film.image_size) / 2.0)) / film.image_size
        return _cell(across, down, film.grid)

    def seen(self, frames: Sequence[Frame]) -> Tensor | None:
        """``(G, N, 2)`` colour and shape on each image token, see ``Batch``; None where nobody knows."""
        if self._sizes.num_views > 1 or any(frame.facts is None for frame in frames):
            return None
        seen = torch.zeros(len(frames), self._sizes.num_image_tokens, 2, dtype=torch.long)
        for row, frame in enumerate(frames):
            assert frame.facts is not None
            for index in range(len(frame.facts.things)):
                cell = self.language_cell(frame, index)
                if cell != NOWHERE:
                    seen[row, cell] = 1 + torch.tensor(kind_of(frame, index))
        return seen


def kind_of(frame: Frame, index: int) -> tuple[int, int]:
    """Numbers of colour and shape of a thing."""
    assert frame.facts is not None
    thing = frame.facts.things[index]
    return _COLORS.index(thing.color), _SHAPES.index(thing.shape)


def place_of(frame: Frame, target: int | None) -> list[float]:
    """x, y, z of a thing in the arm's base frame [m]; zeros where that is not known."""
    if target is None or frame.facts is None:
        return [0.0, 0.0, 0.0]
    return [float(value) for value in frame.facts.things[target].position]


def _cell(across: float, down: float, side: int) -> int:
    if not (0.0 <= across < 1.0 and 0.0 <= down < 1.0):
        return NOWHERE
    return int(down * side) * side + int(across * side)
