# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The table, the light and the coloured objects around the arm, as a MuJoCo model."""

import functools
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

import mujoco
import numpy as np

from instructvla_ros.sim.arm_model import BASE_LINK, add_arm
from instructvla_ros.sim.looks import STANDARD_LOOKS, SceneLooks

COLORS: dict[str, tuple[float, float, float]] = {
    "red": (0.90, 0.17, 0.15),
    "green": (0.20, 0.62, 0.26),
    "blue": (0.13, 0.36, 0.82),
    "yellow": (0.97, 0.78, 0.12),
    "orange": (0.95, 0.45, 0.08),
    "purple": (0.50, 0.22, 0.66),
}
SHAPES = ("cube", "ball", "cylinder", "disc", "cone")

TIMESTEP = 0.002  # [s]
_SAMPLES = 4  # a pixel, where edges are smooth
LARGEST_PICTURE = (1280, 960)  # (width, height) [px]

# Half the width and half the height of each shape at scale 1 [m]; the gripper opens 7.4 cm.
_HALF_SIZES: dict[str, tuple[float, float]] = {
    "cube": (0.02, 0.02),
    "ball": (0.02, 0.02),
    "cylinder": (0.02, 0.025),
    "disc": (0.023, 0.012),
    "cone": (0.023, 0.0225),
}
_CONE_SIDES = 24
_CONE_TIP = 0.15  # radius at the top as a share of that at the foot: a point would sink into what it meets
SMALLEST_SCALE, LARGEST_SCALE = 0.8, 1.25
_OBJECT_MASS = 0.04  # [kg]

# Where objects are laid: within the arm's reach with the fingers down, and in view of the front camera.
LAYOUT_LOWER = (0.20, -0.20)  # (x, y) [m]
LAYOUT_UPPER = (0.38, 0.20)  # (x, y) [m]
# Between the middles of two objects: an open finger (4.8 cm out) still fits beside a neighbour's corner (2.8 cm).
LEAST_DISTANCE = 0.08  # [m]
MOST_OBJECTS = 8  # more would seldom fit

# Elliptic cones with impratio 10 hold what is gripped without creeping. The statistic fixes the unit of znear and the
# extent of shadows whatever lies on the table. Lights are directional because MuJoCo lights corners, not pixels: a spot
# would look different on a large face with and without its shadow pass. The arm is bolted to the table: their standing
# overlap is no contact.
_SURROUNDINGS = f"""
<mujoco model="table_top">
  <compiler angle="radian" autolimits="true"/>
  <option timestep="{TIMESTEP}" integrator="implicitfast" cone="elliptic" impratio="10"/>
  <statistic extent="1" center="0.25 0 0.1"/>
  <visual>
    <global offwidth="{LARGEST_PICTURE[0]}" offheight="{LARGEST_PICTURE[1]}"/>
    <headlight ambient="0.43 0.43 0.45" diffuse="0.10 0.10 0.10" specular="0 0 0"/>
    <quality shadowsize="1024"/>
    <map znear="0.01" zfar="30" shadowclip="1"/>
  </visual>
  <asset>
    <texture name="sky" type="skybox" builtin="gradient" width="64" height="384" rgb1="0.86 0.89 0.92"
             rgb2="0.62 0.68 0.74"/>
    <texture name="wood" type="2d" builtin="flat" width="512" height="512" rgb1="1 1 1"/>
    <material name="wood" texture="wood" specular="0.15" shininess="0.2"/>
    <material name="floor" rgba="0.60 0.63 0.66 1" specular="0" shininess="0"/>
  </asset>
  <worldbody>
    <light name="lamp" pos="0.75 0.55 1.5" dir="-0.36 -0.40 -1" directional="true" diffuse="0.46 0.45 0.43"
           specular="0.25 0.25 0.25"/>
    <light name="fill" pos="0.3 -1.2 1.4" dir="0 0.65 -0.75" directional="true" castshadow="false"
           diffuse="0.10 0.11 0.12" specular="0 0 0"/>
    <geom name="floor" type="plane" pos="0 0 -0.75" size="5 5 0.1" material="floor"/>
    <geom name="table" type="box" pos="0.22 0 -0.02" size="0.42 0.55 0.02" material="wood"/>
    <geom type="box" pos="-0.14 -0.49 -0.395" size="0.025 0.025 0.355" material="wood"/>
    <geom type="box" pos="-0.14 0.49 -0.395" size="0.025 0.025 0.355" material="wood"/>
    <geom type="box" pos="0.58 -0.49 -0.395" size="0.025 0.025 0.355" material="wood"/>
    <geom type="box" pos="0.58 0.49 -0.395" size="0.025 0.025 0.355" material="wood"/>
  </worldbody>
  <contact>
    <exclude body1="world" body2="{BASE_LINK}"/>
    <exclude body1="world" body2="shoulder_link"/>
  </contact>
</mujoco>
"""


@dataclass(frozen=True)
class TableObject:
    """One thing on the table.

    Attributes:
        color: one of :data:`COLORS`.
        shape: one of :data:`SHAPES`; about 4 cm wide at scale 1.
        scale: size relative to the usual one, :data:`SMALLEST_SCALE` to :data:`LARGEST_SCALE`.
        shade: red, green, blue 0 to 1 of this very object; that of the colour's name if None.
    """

    color: str
    shape: str
    scale: float = 1.0
    shade: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        if self.color not in COLORS:
            raise ValueError(f"colour {self.color!r} is not known; there are {', '.join(COLORS)}")
        if self.shape not in SHAPES:
            raise ValueError(f"shape {self.shape!r} is not known; there are {', '.join(SHAPES)}")
        if not SMALLEST_SCALE <= self.scale <= LARGEST_SCALE:
            raise ValueError(
                f"scale of the {self.name} is {self.scale}, it can be {SMALLEST_SCALE} to {LARGEST_SCALE}: the gripper "
                "must get around it"
            )
        if self.shape == "cone" and self.scale != 1.0:
            raise ValueError(f"the {self.name} has scale {self.scale}; cones come in one size, 1")

    @property
    def name(self) -> str:
        """What a person calls it, as in ``red cube``."""
        return f"{self.color} {self.shape}"

    @property
    def half_width(self) -> float:
        """Half its width at the foot, a cube's measured along its sides [m]."""
        return self.scale * _HALF_SIZES[self.shape][0]

    @property
    def half_height(self) -> float:
        """Half its height [m]."""
        return self.scale * _HALF_SIZES[self.shape][1]

    @property
    def resting_height(self) -> float:
        """Height of its middle when it stands on the table [m]."""
        return self.half_height

    def half_width_at(self, height: float) -> float:
        """Half its width where fingers meet it.

        Args:
            height: above its foot, within the object [m].

        Returns:
            [m]; of a ball at its equator, whose width decides where fingers stop that are a little too high or low.
        """
        if self.shape != "cone":
            return self.half_width
        return self.half_width * (1.0 - (1.0 - _CONE_TIP) * min(max(0.5 * height / self.half_height, 0.0), 1.0))


STANDARD_OBJECTS: tuple[TableObject, ...] = (
    TableObject("red", "cube"),
    TableObject("green", "ball"),
    TableObject("blue", "cylinder"),
    TableObject("yellow", "cube"),
    TableObject("purple", "ball"),
)


def checked_objects(objects: Sequence[TableObject]) -> tuple[TableObject, ...]:
    """The objects, if the table can hold them.

    Args:
        objects: 0 to :data:`MOST_OBJECTS`, no two of one name.

    Raises:
        ValueError: too many, or two of one name; the message names them.
    """
    names = [thing.name for thing in objects]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"objects must differ in colour or shape, but there is more than one {', '.join(doubled)}")
    if len(names) > MOST_OBJECTS:
        raise ValueError(f"the table holds {MOST_OBJECTS} objects at most, got {len(names)}")
    return tuple(objects)


def random_layout(generator: np.random.Generator, count: int) -> np.ndarray:
    """Places on the table that keep their distance.

    Args:
        generator: source of chance.
        count: number of objects.

    Returns:
        ``(count, 3)`` x [m], y [m] and yaw [rad], in base_link.
    """
    while True:
        places: list[np.ndarray] = []
        # A layout can paint itself into a corner; a fresh start is cheaper than a search for the last gap.
        for _ in range(40 * count):
            if len(places) == count:
                break
            place = generator.uniform(LAYOUT_LOWER, LAYOUT_UPPER)
            if all(np.linalg.norm(place - other) >= LEAST_DISTANCE for other in places):
                places.append(place)
        if len(places) == count:
            yaws = generator.uniform(-np.pi / 4.0, np.pi / 4.0, size=(count, 1))  # a cube looks the same after pi / 2
            return np.hstack([np.reshape(places, (count, 2)), yaws])


def build_model(
    objects: Sequence[TableObject], smooth_edges: bool = True, looks: SceneLooks = STANDARD_LOOKS
) -> mujoco.MjModel:
    """Compiles the scene.

    Args:
        objects: what lies on the table; each body has the object's name.
        smooth_edges: whether pictures are drawn with four samples a pixel.
        looks: light, colours of the surroundings and where the cameras sit.
    """
    root = ElementTree.fromstring(_SURROUNDINGS)
    worldbody, assets = root.find("worldbody"), root.find("asset")
    assert worldbody is not None and assets is not None
    SubElement(assets, "mesh", name="cone", vertex=_cone_vertices())  # in every model: renderers rely on equal assets
    add_arm(root, worldbody)
    for thing in objects:
        _add_object(worldbody, thing)
    model = mujoco.MjModel.from_xml_string(ElementTree.tostring(root, encoding="unicode"))
    _paint_wood(model)
    looks.apply(model)
    model.vis.quality.offsamples = _SAMPLES if smooth_edges else 0
    return model


def _cone_vertices() -> str:
    half_width, half_height = _HALF_SIZES["cone"]
    angles = 2.0 * np.pi * np.arange(_CONE_SIDES) / _CONE_SIDES
    circle = np.column_stack([np.cos(angles), np.sin(angles), np.zeros(_CONE_SIDES)])
    foot = half_width * circle - [0.0, 0.0, half_height]
    top = _CONE_TIP * half_width * circle + [0.0, 0.0, half_height]
    return " ".join(f"{value:.6f}" for value in np.vstack([foot, top]).ravel())


def _add_object(worldbody: Element, thing: TableObject) -> None:
    body = SubElement(worldbody, "body", name=thing.name, pos=f"0 0 {thing.resting_height}")
    SubElement(body, "freejoint", name=thing.name)
    red, green, blue = COLORS[thing.color] if thing.shade is None else thing.shade
    width, height = thing.half_width, thing.half_height
    form = {
        "cube": {"type": "box", "size": f"{width} {width} {height}"},
        "ball": {"type": "sphere", "size": f"{width}"},
        "cylinder": {"type": "cylinder", "size": f"{width} {height}"},
        "disc": {"type": "cylinder", "size": f"{width} {height}"},
        "cone": {"type": "mesh", "mesh": "cone"},
    }[thing.shape]
    # Six contact dimensions: rolling friction lets a ball come to rest on the table. Sliding friction stays well below
    # 1: from there on a ball that is pushed jams between finger and table, and is pressed into it.
    contact = {"condim": "6", "priority": "1", "friction": "0.7 0.01 0.002"}
    looks = {"rgba": f"{red} {green} {blue} 1"}
    SubElement(body, "geom", {**form, **contact, **looks, "name": thing.name, "mass": str(_OBJECT_MASS)})


def _paint_wood(model: mujoco.MjModel) -> None:
    texture = model.texture("wood").id
    height, width = int(model.tex_height[texture]), int(model.tex_width[texture])
    channels = int(model.tex_nchannel[texture])
    start = int(model.tex_adr[texture])
    model.tex_data[start : start + height * width * channels] = _wood(height, width).reshape(-1)


@functools.cache
def _wood(height: int, width: int) -> np.ndarray:
    """``(height, width, 3)`` uint8 picture of the table's top."""
    generator = np.random.default_rng(4)
    across = np.linspace(0.0, 1.0, width)
    along = np.linspace(0.0, 1.0, height)[:, None]
    grain = np.zeros((height, width))
    for waves in (3, 7, 17, 41, 97):
        bend = 0.35 * np.sin(2.0 * np.pi * (along * generator.integers(1, 3) + generator.random())) / waves**0.5
        grain += np.sin(2.0 * np.pi * waves * across + 2.0 * np.pi * generator.random() + 3.0 * bend) / waves**0.45
    grain /= np.abs(grain).max()
    light, dark = np.array([0.90, 0.78, 0.62]), np.array([0.81, 0.68, 0.52])
    mix = (0.5 + 0.5 * grain)[:, :, None]
    return np.rint(255.0 * (mix * light + (1.0 - mix) * dark)).astype(np.uint8)
