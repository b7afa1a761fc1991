# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The simulated arm as a URDF for ROS and as a MuJoCo model for physics, from one set of numbers."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement

import numpy as np
from scipy.spatial.transform import Rotation

from instructvla_ros.sim.arm_numbers import (
    ARM_JOINTS,
    BASE_LINK,
    BASE_SOLIDS,
    CAMERAS,
    COLORS,
    FINGER_OPEN,
    GRIPPER_JOINT,
    GRIPPER_MIMIC_JOINT,
    HOME,
    LINKS,
    TIP_LINK,
    TIP_OFFSET,
    TIP_PARENT,
    CameraMount,
    Joint,
    Link,
    camera_mount,
)
from instructvla_ros.sim.solids import Box, Capsule, Solid, mass_properties

__all__ = [
    "ARM_JOINTS",
    "BASE_LINK",
    "CAMERAS",
    "FINGER_OPEN",
    "GRIPPER_JOINT",
    "GRIPPER_MIMIC_JOINT",
    "HOME",
    "TIP_LINK",
    "CameraMount",
    "add_arm",
    "camera_mount",
    "mjcf",
    "urdf",
]

# Collision bits: the arm meets itself and everything else. Neighbours are told apart by <exclude>.
_COLLIDES = {"contype": "1", "conaffinity": "1"}
_ONLY_SEEN = {"contype": "0", "conaffinity": "0"}


def _text(values: Iterable[float]) -> str:
    # Enough digits for both files to hold the same number to 1e-9; "+ 0.0" turns -0.0 into 0.0.
    return " ".join(f"{round(float(value), 10) + 0.0:.10g}" for value in values)


# ---- URDF -----------------------------------------------------------------------------------------------------------


def urdf() -> str:
    """The arm as a URDF, as ``robot_description`` carries it.

    Capsules become a cylinder and two balls each, which the format has. The cameras' optical frames are links.
    """
    robot = Element("robot", name="tabletop_arm")
    for name, color in COLORS.items():
        SubElement(SubElement(robot, "material", name=name), "color", rgba=_text((*color, 1.0)))
    _urdf_shapes(SubElement(robot, "link", name=BASE_LINK), BASE_SOLIDS)
    for link in LINKS:
        _urdf_link(robot, link)
        _urdf_joint(robot, link)
    _urdf_fixed_frame(robot, TIP_LINK, TIP_PARENT, TIP_OFFSET, np.eye(3))
    for camera in CAMERAS:
        _urdf_fixed_frame(robot, camera.optical_frame, camera.parent, camera.position, camera.rotation)
    ElementTree.indent(robot)
    return '<?xml version="1.0"?>\n' + ElementTree.tostring(robot, encoding="unicode") + "\n"


def _urdf_link(robot: Element, link: Link) -> None:
    element = SubElement(robot, "link", name=link.name)
    center, inertia = mass_properties(link.mass, link.solids)
    inertial = SubElement(element, "inertial")
    SubElement(inertial, "origin", xyz=_text(center), rpy="0 0 0")
    SubElement(inertial, "mass", value=_text([link.mass]))
    entries = {"ixx": (0, 0), "ixy": (0, 1), "ixz": (0, 2), "iyy": (1, 1), "iyz": (1, 2), "izz": (2, 2)}
    SubElement(inertial, "inertia", {name: _text([inertia[place]]) for name, place in entries.items()})
    _urdf_shapes(element, link.solids)


def _urdf_shapes(link: Element, solids: tuple[Solid, ...]) -> None:
    for solid in solids:
        for position, angles, tag, size in _urdf_primitives(solid):
            for use in ("visual", "collision") if solid.solid else ("visual",):
                element = SubElement(link, use)
                SubElement(element, "origin", xyz=_text(position), rpy=_text(angles))
                SubElement(SubElement(element, "geometry"), tag, size)
                if use == "visual":
                    SubElement(element, "material", name=solid.color)


def _urdf_primitives(solid: Solid) -> Iterable[tuple[Iterable[float], Iterable[float], str, dict[str, str]]]:
    if isinstance(solid, Box):
        yield solid.middle, (0.0, 0.0, 0.0), "box", {"size": _text(solid.size)}
        return
    x, y, z = solid.direction
    angles = (0.0, float(np.arctan2(np.hypot(x, y), z)), float(np.arctan2(y, x)))  # turns z into the direction
    size = {"radius": _text([solid.radius]), "length": _text([solid.length])}
    yield solid.center, angles, "cylinder", size
    for end in (solid.start, solid.end):
        yield end, (0.0, 0.0, 0.0), "sphere", {"radius": _text([solid.radius])}


def _urdf_joint(robot: Element, link: Link) -> None:
    joint = link.joint
    element = SubElement(robot, "joint", name=joint.name, type=joint.kind)
    SubElement(element, "parent", link=link.parent)
    SubElement(element, "child", link=link.name)
    SubElement(element, "origin", xyz=_text(link.offset), rpy="0 0 0")
    SubElement(element, "axis", xyz=_text(joint.axis))
    limits = {"lower": joint.lower, "upper": joint.upper, "effort": joint.effort, "velocity": joint.velocity}
    SubElement(element, "limit", {name: _text([value]) for name, value in limits.items()})
    if joint.mimics is not None:
        SubElement(element, "mimic", joint=joint.mimics, multiplier="1", offset="0")


def _urdf_fixed_frame(
    robot: Element, name: str, parent: str, position: tuple[float, float, float], rotation: np.ndarray
) -> None:
    SubElement(robot, "link", name=name)
    element = SubElement(robot, "joint", name=f"{name}_joint", type="fixed")
    SubElement(element, "parent", link=parent)
    SubElement(element, "child", link=name)
    SubElement(element, "origin", xyz=_text(position), rpy=_text(Rotation.from_matrix(rotation).as_euler("xyz")))


# ---- MuJoCo ---------------------------------------------------------------------------------------------------------


def mjcf() -> str:
    """The arm alone as a MuJoCo model (https://mujoco.readthedocs.io/en/stable/XMLreference.html)."""
    root = Element("mujoco", model="tabletop_arm")
    SubElement(root, "compiler", angle="radian", autolimits="true")
    add_arm(root, SubElement(root, "worldbody"))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode")


def add_arm(root: Element, worldbody: Element) -> None:
    """Adds the arm with servos, cameras and the tip's site to a MuJoCo model under construction.

    Args:
        root: the ``<mujoco>`` element; its compiler must use radians.
        worldbody: its ``<worldbody>``, whose frame becomes ``base_link``.
    """
    assets = SubElement(root, "asset")
    for name, color in COLORS.items():
        SubElement(assets, "material", name=name, rgba=_text((*color, 1.0)), specular="0.35", shininess="0.45")
    bodies = {BASE_LINK: SubElement(worldbody, "body", name=BASE_LINK)}
    for solid in BASE_SOLIDS:
        _mjcf_shape(bodies[BASE_LINK], solid)
    for link in LINKS:
        bodies[link.name] = _mjcf_body(bodies[link.parent], link)
    SubElement(bodies[TIP_PARENT], "site", name=TIP_LINK, pos=_text(TIP_OFFSET), size="0.002", group="4")
    for camera in CAMERAS:
        # MuJoCo's cameras look along their -z with y up: its x and y axes are the optical x and -y.
        axes = np.concatenate([camera.rotation[:, 0], -camera.rotation[:, 1]])
        SubElement(
            bodies[camera.parent],
            "camera",
            name=camera.name,
            pos=_text(camera.position),
            xyaxes=_text(axes),
            fovy=_text([np.degrees(camera.vertical_field_of_view)]),  # degrees whatever the compiler's angle is
        )
    _mjcf_neighbours(root)
    actuators = SubElement(root, "actuator")
    for link in LINKS:
        _mjcf_servo(actuators, link.joint)
    equality = SubElement(root, "equality")
    SubElement(equality, "joint", joint1=GRIPPER_MIMIC_JOINT, joint2=GRIPPER_JOINT, solref="0.005 1")


def _mjcf_body(parent: Element, link: Link) -> Element:
    # The drives of the real arm carry its weight without sagging; gravcomp does the same here.
    body = SubElement(parent, "body", name=link.name, pos=_text(link.offset), gravcomp="1")
    center, inertia = mass_properties(link.mass, link.solids)
    places = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
    full = _text(inertia[place] for place in places)
    SubElement(body, "inertial", pos=_text(center), mass=_text([link.mass]), fullinertia=full)
    joint = link.joint
    SubElement(
        body,
        "joint",
        name=joint.name,
        type={"revolute": "hinge", "prismatic": "slide"}[joint.kind],
        axis=_text(joint.axis),
        range=_text((joint.lower, joint.upper)),
        armature=_text([joint.armature]),
    )
    for solid in link.solids:
        _mjcf_shape(body, solid)
    return body


def _mjcf_shape(body: Element, solid: Solid) -> None:
    common = {"material": solid.color, **(_COLLIDES if solid.solid else _ONLY_SEEN)}
    if isinstance(solid, Capsule):
        ends = _text((*solid.start, *solid.end))
        SubElement(body, "geom", {"type": "capsule", "fromto": ends, "size": _text([solid.radius]), **common})
    else:
        half = _text(0.5 * np.array(solid.size))
        SubElement(body, "geom", {"type": "box", "pos": _text(solid.middle), "size": half, **common})


def _mjcf_neighbours(root: Element) -> None:
    # Links up to two joints apart overlap where they are joined; MuJoCo itself only excuses direct neighbours.
    contact = SubElement(root, "contact")
    parents = {link.name: link.parent for link in LINKS}
    for link in LINKS:
        pairs = [link.parent]
        if link.parent in parents:
            pairs.append(parents[link.parent])
        for other in pairs:
            SubElement(contact, "exclude", body1=other, body2=link.name)
    fingers = [link.name for link in LINKS if link.joint.kind == "prismatic"]
    SubElement(contact, "exclude", body1=fingers[0], body2=fingers[1])


def _mjcf_servo(actuators: Element, joint: Joint) -> None:
    SubElement(
        actuators,
        "position",
        name=joint.name,
        joint=joint.name,
        kp=_text([joint.stiffness]),
        kv=_text([joint.damping]),
        forcerange=_text((-joint.effort, joint.effort)),
    )
