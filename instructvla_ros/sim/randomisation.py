# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scenes by chance: what lies on the table, where, how large, in which shade, under which light, seen from where."""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from instructvla_ros.sim.looks import STANDARD_LOOKS, CameraShift, SceneLooks
from instructvla_ros.sim.scene import COLORS, TableObject, random_layout
from instructvla_ros.sim.splits import Pair

FEWEST_OBJECTS, MOST_OBJECTS = 3, 5

# Share of scenes in which a second object is made to share the first one's colour, and its shape.
_SAME_COLOR, _SAME_SHAPE = 0.35, 0.35
_SMALLEST, _LARGEST = 0.88, 1.15
# Red, orange and yellow lie 24 and 21 degrees of hue apart: 5 degrees either way leave a clear gap.
_HUE = 5.0 / 360.0
_SATURATION, _BRIGHTNESS = (0.90, 1.05), (0.88, 1.08)  # factors

# A camera put back on its mark by hand; each moves the picture by about 1 cm on the table.
_CAMERA_TRANSLATION, _CAMERA_ROTATION, _FIELD_OF_VIEW = 0.01, np.radians(0.6), np.radians(0.6)  # [m], [rad], [rad]
_WRIST_SHARE = 0.15  # the wrist camera is close: a small part of the shift moves its picture as far


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything that a table-top is built from.

    Attributes:
        objects: what lies on the table.
        layout: ``(objects, 3)`` x [m], y [m] and yaw [rad] of each, in base_link.
        looks: light, colours of the surroundings, cameras.
    """

    objects: tuple[TableObject, ...]
    layout: np.ndarray  # (n, 3)
    looks: SceneLooks = STANDARD_LOOKS

    @property
    def things(self) -> dict[str, TableObject]:
        """The objects by their names."""
        return {thing.name: thing for thing in self.objects}


def random_scene(
    generator: np.random.Generator, pairs: Sequence[Pair], count: int | None = None, vary_looks: bool = True
) -> Scene:
    """A scene with several objects, some of one colour or one shape.

    Args:
        generator: source of chance.
        pairs: colour-shape pairs to choose from.
        count: number of objects; 3 to 5 by chance if None.
        vary_looks: whether sizes, shades, light, surroundings and cameras differ too.
    """
    if count is None:
        count = int(generator.integers(FEWEST_OBJECTS, MOST_OBJECTS, endpoint=True))
    chosen = _random_pairs(generator, pairs, count)
    if vary_looks:
        objects = tuple(_random_object(generator, pair) for pair in chosen)
    else:
        objects = tuple(TableObject(*pair) for pair in chosen)
    layout = random_layout(generator, len(objects))
    return Scene(objects, layout, random_looks(generator) if vary_looks else STANDARD_LOOKS)


def _random_pairs(generator: np.random.Generator, pairs: Sequence[Pair], count: int) -> list[Pair]:
    if not 1 <= count <= len(pairs):
        raise ValueError(f"{count} objects cannot be chosen from {len(pairs)} colour-shape pairs")
    left = list(pairs)
    chosen = [left.pop(int(generator.integers(len(left))))]
    for index, share in ((0, _SAME_COLOR), (1, _SAME_SHAPE)):
        alike = [pair for pair in left if pair[index] == chosen[0][index]]
        if generator.random() < share and alike and len(chosen) < count:
            pair = alike[int(generator.integers(len(alike)))]
            left.remove(pair)
            chosen.append(pair)
    while len(chosen) < count:
        chosen.append(left.pop(int(generator.integers(len(left)))))
    return [chosen[place] for place in generator.permutation(count)]


def _random_object(generator: np.random.Generator, pair: Pair) -> TableObject:
    color, shape = pair
    scale = 1.0 if shape == "cone" else float(generator.uniform(_SMALLEST, _LARGEST))
    return TableObject(color, shape, scale, random_shade(generator, color))


def random_shade(generator: np.random.Generator, color: str) -> tuple[float, float, float]:
    """Red, green and blue, 0 to 1, of a colour that a person would still call by this name.

    Args:
        generator: source of chance.
        color: one of :data:`~instructvla_ros.sim.scene.COLORS`.
    """
    hue, saturation, value = colorsys.rgb_to_hsv(*COLORS[color])
    hue = (hue + float(generator.uniform(-_HUE, _HUE))) % 1.0
    saturation = min(saturation * float(generator.uniform(*_SATURATION)), 1.0)
    value = min(value * float(generator.uniform(*_BRIGHTNESS)), 1.0)
    return colorsys.hsv_to_rgb(hue, saturation, value)


def random_looks(generator: np.random.Generator) -> SceneLooks:
    """Light, surroundings and cameras by chance, near the standard ones.

    Args:
        generator: source of chance.
    """
    usual = STANDARD_LOOKS
    brightness = generator.uniform(0.88, 1.10)
    tint = generator.uniform(0.85, 1.0, size=3)
    lean = generator.uniform(-0.45, 0.45, size=2)
    return SceneLooks(
        table=_rgb(generator.uniform(0.75, 1.05) * tint),
        floor=_rgb(generator.uniform(0.6, 1.25) * np.array(usual.floor) * generator.uniform(0.9, 1.1, size=3)),
        ambient=_rgb(brightness * generator.uniform(0.93, 1.07) * np.array(usual.ambient)),
        lamp=_rgb(brightness * generator.uniform(0.75, 1.15) * np.array(usual.lamp)
                  * generator.uniform(0.95, 1.05, size=3)),
        lamp_direction=(float(lean[0]), float(lean[1]), -1.0),
        fill=_rgb(generator.uniform(0.6, 1.4) * np.array(usual.fill)),
        cameras=MappingProxyType({"front": _shift(generator, 1.0), "wrist": _shift(generator, _WRIST_SHARE)}),
    )


def _shift(generator: np.random.Generator, share: float) -> CameraShift:
    translation = share * generator.uniform(-_CAMERA_TRANSLATION, _CAMERA_TRANSLATION, size=3)
    rotation = share * generator.uniform(-_CAMERA_ROTATION, _CAMERA_ROTATION, size=3)
    angle = share * float(generator.uniform(-_FIELD_OF_VIEW, _FIELD_OF_VIEW))
    return CameraShift(_vector(translation), _vector(rotation), angle)


def _vector(values: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z


def _rgb(values: np.ndarray) -> tuple[float, float, float]:
    return _vector(np.clip(values, 0.0, 1.0))
