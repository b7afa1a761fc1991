# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The simulated arm in numbers; URDF and MuJoCo model are both written from these.

Six joints in the order and with the limits of a WidowX 250 S (waist, shoulder, elbow, forearm roll, wrist angle, wrist
rotate; https://docs.trossenrobotics.com/interbotix_xsarms_docs/specifications/wx250s.html), links of its size made of
capsules, and a two-finger gripper. It reaches 0.54 m from its axis with the fingers straight down on the table.

At zero the upper arm stands up and the forearm points along x. ``base_link`` lies on the table, x to the objects, z up.
``gripper_link`` lies between the fingertips, x out along the fingers.
"""

from dataclasses import dataclass
from math import pi, radians, tan

import numpy as np

from instructvla_ros.sim.solids import Box, Capsule, Solid

BASE_LINK = "base_link"
TIP_LINK = "gripper_link"
GRIPPER_JOINT = "left_finger"
GRIPPER_MIMIC_JOINT = "right_finger"

# A full WidowX 250 S opens 37 mm a side; 0 is closed.
FINGER_OPEN = 0.037  # [m]
# Each finger ends this far from the middle when closed, so that closing on nothing is stopped by the joint's limit.
_FINGER_GAP = 0.0005  # [m]
_FINGER_THICKNESS = 0.011  # [m]
_FINGER_WIDTH = 0.022  # [m] wide enough that balls do not slip out sideways

# A position servo with damping trails a moving target by damping / stiffness; the same for every joint here.
SERVO_LAG = 1.0 / 30.0  # [s]

COLORS: dict[str, tuple[float, float, float]] = {
    "shell": (0.90, 0.89, 0.86),
    "joint": (0.19, 0.21, 0.24),
    "finger": (0.26, 0.28, 0.31),
    "lens": (0.05, 0.05, 0.07),
}


@dataclass(frozen=True)
class Joint:
    """How a link hangs on its parent, and what moves it.

    Attributes:
        name: name of the joint.
        kind: ``revolute`` or ``prismatic``.
        axis: unit vector, in the link's frame.
        lower: lowest position [rad or m].
        upper: highest position [rad or m].
        velocity: highest speed [rad/s or m/s].
        effort: highest torque or force [N m or N].
        stiffness: of the position servo [N m/rad or N/m].
        damping: of the position servo [N m s/rad or N s/m].
        armature: inertia of the geared motor as the joint feels it [kg m^2 or kg].
        mimics: joint whose position it repeats, or None.
    """

    name: str
    kind: str
    axis: tuple[float, float, float]
    lower: float
    upper: float
    velocity: float
    effort: float
    stiffness: float
    damping: float
    armature: float
    mimics: str | None = None


@dataclass(frozen=True)
class Link:
    """A rigid part; its frame sits at the joint that carries it and has the parent's axes at zero.

    Attributes:
        name: name of the link.
        parent: name of the link it hangs on.
        offset: where its frame lies in the parent's [m].
        joint: the joint that carries it.
        mass: [kg].
        solids: what it is made of.
    """

    name: str
    parent: str
    offset: tuple[float, float, float]
    joint: Joint
    mass: float
    solids: tuple[Solid, ...]


@dataclass(frozen=True)
class CameraMount:
    """A pinhole camera fixed to a link; pixels are square and the optical axis meets the middle of the picture.

    Attributes:
        name: ``front`` or ``wrist``.
        parent: the link that carries it.
        position: of the lens, in the parent's frame [m].
        target: the point looked at, in the parent's frame [m].
        up: a direction that is up in the picture, in the parent's frame.
        vertical_field_of_view: [rad].
    """

    name: str
    parent: str
    position: tuple[float, float, float]
    target: tuple[float, float, float]
    up: tuple[float, float, float]
    vertical_field_of_view: float

    @property
    def optical_frame(self) -> str:
        """Name of its optical frame: z into the scene, x right and y down in the picture (REP-103)."""
        return f"{self.name}_camera_optical_frame"

    @property
    def rotation(self) -> np.ndarray:
        """``(3, 3)`` axes of the optical frame as columns, in the parent's frame."""
        forward = np.array(self.target) - np.array(self.position)
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, self.up)
        right /= np.linalg.norm(right)
        return np.column_stack([right, np.cross(forward, right), forward])

    def intrinsics(self, width: int, height: int) -> np.ndarray:
        """Camera matrix K of a picture size.

        Args:
            width: [px].
            height: [px].

        Returns:
            ``(3, 3)`` matrix that projects points of the optical frame to pixels; pixel centres lie at whole numbers.
        """
        focal = 0.5 * height / tan(0.5 * self.vertical_field_of_view)
        return np.array([[focal, 0.0, 0.5 * (width - 1)], [0.0, focal, 0.5 * (height - 1)], [0.0, 0.0, 1.0]])


def _revolute(name: str, axis: str, lower: float, upper: float, effort: float, stiffness: float) -> Joint:
    direction = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}[axis]
    return Joint(
        name=name,
        kind="revolute",
        axis=direction,
        lower=radians(lower),
        upper=radians(upper),
        velocity=pi,
        effort=effort,
        stiffness=stiffness,
        damping=stiffness * SERVO_LAG,
        armature=stiffness / 9000.0,
    )


def _finger_joint(name: str, side: float, mimics: str | None) -> Joint:
    # Stiffer or stronger fingers squeeze balls out.
    return Joint(name, "prismatic", (0.0, side, 0.0), 0.0, FINGER_OPEN, 0.25, 15.0, 300.0, 15.0, 0.05, mimics)


def _finger_solids(side: float) -> tuple[Solid, ...]:
    middle = side * (_FINGER_GAP + 0.5 * _FINGER_THICKNESS)
    pad = Box((0.066, middle, 0.0), (0.062, _FINGER_THICKNESS, _FINGER_WIDTH), "finger")
    root = Box((0.036, side * 0.010, 0.0), (0.010, 0.018, 0.020), "joint", solid=False)
    return pad, root


BASE_SOLIDS: tuple[Solid, ...] = (
    Box((-0.01, 0.0, 0.012), (0.17, 0.15, 0.024), "joint"),
    Capsule((0.0, 0.0, 0.024), (0.0, 0.0, 0.045), 0.048, "shell"),
)

LINKS: tuple[Link, ...] = (
    Link(
        "shoulder_link",
        BASE_LINK,
        (0.0, 0.0, 0.075),
        _revolute("waist", "z", -180.0, 180.0, 10.0, 900.0),
        0.50,
        (
            Capsule((0.0, 0.0, -0.005), (0.0, 0.0, 0.025), 0.043, "joint"),
            Capsule((0.0, -0.035, 0.035), (0.0, 0.035, 0.035), 0.036, "shell"),
        ),
    ),
    Link(
        "upper_arm_link",
        "shoulder_link",
        (0.0, 0.0, 0.035),
        _revolute("shoulder", "y", -108.0, 114.0, 20.0, 1400.0),
        0.60,
        (
            Capsule((0.0, 0.0, 0.03), (0.0, 0.0, 0.25), 0.030, "shell"),
            Capsule((0.0, 0.0, 0.265), (0.05, 0.0, 0.27), 0.029, "joint"),
        ),
    ),
    Link(
        "upper_forearm_link",
        "upper_arm_link",
        (0.06, 0.0, 0.27),
        _revolute("elbow", "y", -123.0, 92.0, 15.0, 900.0),
        0.35,
        (
            Capsule((0.0, -0.022, 0.0), (0.0, 0.022, 0.0), 0.031, "shell"),
            Capsule((0.03, 0.0, 0.0), (0.155, 0.0, 0.0), 0.026, "shell"),
        ),
    ),
    Link(
        "lower_forearm_link",
        "upper_forearm_link",
        (0.18, 0.0, 0.0),
        _revolute("forearm_roll", "x", -180.0, 180.0, 4.0, 200.0),
        0.22,
        (
            Capsule((0.005, 0.0, 0.0), (0.02, 0.0, 0.0), 0.027, "joint"),
            Capsule((0.02, 0.0, 0.0), (0.085, 0.0, 0.0), 0.023, "shell"),
        ),
    ),
    Link(
        "wrist_link",
        "lower_forearm_link",
        (0.10, 0.0, 0.0),
        _revolute("wrist_angle", "y", -100.0, 123.0, 5.0, 200.0),
        0.16,
        (
            Capsule((0.0, -0.018, 0.0), (0.0, 0.018, 0.0), 0.024, "joint"),
            Capsule((0.015, 0.0, 0.0), (0.042, 0.0, 0.0), 0.021, "shell"),
        ),
    ),
    Link(
        "gripper_base_link",
        "wrist_link",
        (0.065, 0.0, 0.0),
        _revolute("wrist_rotate", "x", -180.0, 180.0, 2.0, 60.0),
        0.20,
        (
            Capsule((-0.006, 0.0, 0.0), (0.006, 0.0, 0.0), 0.022, "joint"),
            Box((0.022, 0.0, 0.0), (0.022, 0.104, 0.036), "shell"),
            Box((0.016, 0.0, 0.036), (0.014, 0.014, 0.040), "joint", solid=False),
            Box((0.012, 0.0, 0.062), (0.020, 0.034, 0.020), "shell", solid=False),
            Capsule((0.020, 0.0, 0.060), (0.024, 0.0, 0.059), 0.006, "lens", solid=False),
        ),
    ),
    Link(
        "left_finger_link",
        "gripper_base_link",
        (0.0, 0.0, 0.0),
        _finger_joint(GRIPPER_JOINT, 1.0, None),
        0.03,
        _finger_solids(1.0),
    ),
    Link(
        "right_finger_link",
        "gripper_base_link",
        (0.0, 0.0, 0.0),
        _finger_joint(GRIPPER_MIMIC_JOINT, -1.0, GRIPPER_JOINT),
        0.03,
        _finger_solids(-1.0),
    ),
)

TIP_PARENT = "gripper_base_link"
# 8 mm inside the ends of the fingers: they clear the table while the tip is 1 cm above it.
TIP_OFFSET = (0.089, 0.0, 0.0)  # [m]
FINGER_LENGTH_BEYOND_TIP = 0.008  # [m]

CAMERAS: tuple[CameraMount, ...] = (
    CameraMount("front", BASE_LINK, (0.84, -0.14, 0.66), (0.30, 0.0, 0.040), (0.0, 0.0, 1.0), radians(37.0)),
    CameraMount("wrist", "gripper_base_link", (0.026, 0.0, 0.060), (0.126, 0.0, 0.025), (0.0, 0.0, 1.0), radians(78.0)),
)

ARM_JOINTS: tuple[str, ...] = tuple(link.joint.name for link in LINKS if link.joint.kind == "revolute")

# Fingers straight down, 0.20 m over the table and 0.25 m in front of the waist. The pitch angles add up to pi / 2.
_HOME_SHOULDER, _HOME_ELBOW = -0.3214, 0.4292
HOME: tuple[float, ...] = (0.0, _HOME_SHOULDER, _HOME_ELBOW, 0.0, 0.5 * pi - _HOME_SHOULDER - _HOME_ELBOW, 0.0)


def camera_mount(name: str) -> CameraMount:
    """The camera of that name.

    Raises:
        ValueError: there is none; the message names those that are there.
    """
    for mount in CAMERAS:
        if mount.name == name:
            return mount
    raise ValueError(f"there is no camera {name!r}; the table has {', '.join(mount.name for mount in CAMERAS)}")
