# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From camera frames to the two pixel tensors that the network sees, bit for bit as in training.

The language model looks at one square picture (two views are joined side by side first), stretched to its size and
scaled to [-1, 1]. The action vision looks at each view on its own: short edge resized, centre cropped, ImageNet
colours. All resizing is Pillow's, whose bicubic filter widens when it shrinks an image.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
DINO_CROP_RATIO = 0.875  # of the resized short edge: 224 of 256
TRAINING_CROP_AREA = 0.9  # what image augmentation in training kept of each frame
MAX_ASPECT_RATIO = 16.0
_PLACES = ("primary", "wrist")


def check_images(images: Sequence[np.ndarray], num_views: int) -> list[np.ndarray]:
    """Check the frames of one observation.

    Args:
        images: uint8 RGB frames ``(H, W, 3)``, the third-person view first.
        num_views: how many frames the model takes.

    Returns:
        The frames as a list.

    Raises:
        ValueError: names the frame and what is wrong with it.
    """
    if isinstance(images, np.ndarray) or not isinstance(images, Sequence):
        raise ValueError(f"images must be a list of (H, W, 3) arrays, got {type(images).__name__}; wrap it in a list")
    if len(images) != num_views:
        raise ValueError(f"this model takes {num_views} image(s) ({', '.join(_PLACES[:num_views])}), got {len(images)}")
    for index, image in enumerate(images):
        name = f"image {index} ({_PLACES[index]})" if index < len(_PLACES) else f"image {index}"
        if not isinstance(image, np.ndarray):
            raise ValueError(f"{name} must be a numpy array, got {type(image).__name__}")
        if image.dtype != np.uint8:
            raise ValueError(f"{name} must hold uint8 values 0..255, got {image.dtype}")
        if image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"{name} must have the shape (height, width, 3), got {image.shape}")
        height, width = image.shape[:2]
        if height == 0 or width == 0:
            raise ValueError(f"{name} is empty: its shape is {image.shape}")
        if max(height, width) > MAX_ASPECT_RATIO * min(height, width):
            raise ValueError(f"{name} of {width} x {height} px is more than {MAX_ASPECT_RATIO:g} times as long as wide")
    heights = {image.shape[0] for image in images}
    if len(heights) > 1:
        raise ValueError(f"the views are joined side by side and must be of equal height, got {sorted(heights)} px")
    return list(images)


def centre_crop(image: np.ndarray, area: float = TRAINING_CROP_AREA) -> np.ndarray:
    """Keep the middle of a frame and stretch it back to its size (bilinear).

    Args:
        image: uint8 ``(H, W, 3)``.
        area: share of the area that is kept; each side keeps its square root.

    Returns:
        uint8 ``(H, W, 3)``.
    """
    height, width = image.shape[:2]
    margin = (1.0 - math.sqrt(area)) / 2.0
    box = (width * margin, height * margin, width * (1.0 - margin), height * (1.0 - margin))
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR, box=box))


def language_pixels(images: Sequence[np.ndarray], size: int) -> Tensor:
    """Pixels for the language model's vision tower.

    Args:
        images: the frames of one observation, uint8 ``(H, W_i, 3)``.
        size: side of the square picture [px].

    Returns:
        ``(1, 3, size, size)`` bfloat16, from -1 to 1. The rounding to bfloat16 is part of the model.
    """
    joined = np.concatenate(images, axis=1) if len(images) > 1 else images[0]
    resized = Image.fromarray(joined).resize((size, size), Image.Resampling.BICUBIC)
    half = (0.5, 0.5, 0.5)
    return _normalize(np.asarray(resized), half, half).to(torch.bfloat16).unsqueeze(0)


def dino_pixels(images: Sequence[np.ndarray], size: int) -> Tensor:
    """Pixels for the action vision.

    Args:
        images: the frames of one observation, uint8 ``(H_i, W_i, 3)``.
        size: side of the square crop [px].

    Returns:
        ``(V, 3, size, size)`` float32 for V views.
    """
    return torch.stack([_normalize(_resize_and_crop(image, size), IMAGENET_MEAN, IMAGENET_STD) for image in images])


def _resize_and_crop(image: np.ndarray, size: int) -> np.ndarray:
    short_edge = math.floor(size / DINO_CROP_RATIO)
    height, width = image.shape[:2]
    # torchvision rounds the long edge down and the crop's corner to even, and so must we
    if width <= height:
        new_width, new_height = short_edge, int(short_edge * height / width)
    else:
        new_width, new_height = int(short_edge * width / height), short_edge
    resized = np.asarray(Image.fromarray(image).resize((new_width, new_height), Image.Resampling.BICUBIC))
    top = int(round((new_height - size) / 2.0))
    left = int(round((new_width - size) / 2.0))
    return resized[top : top + size, left : left + size]


def _normalize(image: np.ndarray, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).to(torch.float32).div(255.0)  # (3, H, W)
    return pixels.sub(torch.tensor(mean).view(3, 1, 1)).div(torch.tensor(std).view(3, 1, 1))
