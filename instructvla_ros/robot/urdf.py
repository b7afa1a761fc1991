# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The joints of a URDF, read so that a mistake in the file is named by its joint or link.

Format: https://docs.ros.org/en/jazzy/p/urdf and http://wiki.ros.org/urdf/XML/joint (units: metres, radians, seconds).
"""

import math
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

import numpy as np

from instructvla_ros.robot.poses import pose, rotation_from_rpy

MOVING_TYPES = ("revolute", "continuous", "prismatic")
_LIMITED_TYPES = ("revolute", "prismatic")
_KNOWN_TYPES = (*MOVING_TYPES, "fixed", "floating", "planar")


class UrdfError(ValueError):
    """The URDF is malformed, or has not what was asked of it; the message names the joint or link."""


@dataclass(frozen=True, eq=False)
class UrdfJoint:
    """One ``<joint>`` element.

    Attributes:
        name: name of the joint.
        kind: ``type`` attribute: revolute, continuous, prismatic, fixed, floating or planar.
        parent: name of the link it hangs on.
        child: name of the link it carries.
        origin: ``(4, 4)`` pose of the joint's frame in the parent link.
        axis: ``(3,)`` unit vector in the joint's frame.
        lower: lowest position [rad or m]; minus infinity where the joint has none.
        upper: highest position [rad or m]; infinity where the joint has none.
        velocity: highest speed [rad/s or m/s]; infinity where the joint has none.
        mimics: name of the joint whose motion it repeats, or None.
    """

    name: str
    kind: str
    parent: str
    child: str
    origin: np.ndarray  # (4, 4)
    axis: np.ndarray  # (3,)
    lower: float
    upper: float
    velocity: float
    mimics: str | None

    @property
    def moves(self) -> bool:
        """Whether the joint has one degree of freedom."""
        return self.kind in MOVING_TYPES


def read_joints(urdf: str) -> tuple[set[str], dict[str, UrdfJoint]]:
    """Reads links and joints.

    Args:
        urdf: text of the URDF (XML, not xacro).

    Returns:
        the names of all links, and the joints by the name of their child link.

    Raises:
        UrdfError: the text is no URDF, or one of its joints is malformed.
    """
    try:
        root = ElementTree.fromstring(urdf)
    except ElementTree.ParseError as error:
        start = urdf.strip()[:60]
        raise UrdfError(f"the robot description is not XML ({error}); it starts with {start!r}") from error
    if root.tag != "robot":
        raise UrdfError(f"the robot description's outermost element is <{root.tag}>, expected <robot>")
    links = set()
    for element in root.findall("link"):
        name = element.get("name")
        if not name:
            raise UrdfError("a <link> of the robot description has no name")
        links.add(name)
    by_child: dict[str, UrdfJoint] = {}
    names: set[str] = set()
    for element in root.findall("joint"):
        joint = _read_joint(element, links)
        if joint.name in names:
            raise UrdfError(f"joint {joint.name!r} is defined twice")
        if joint.child in by_child:
            raise UrdfError(f"link {joint.child!r} hangs on two joints: {by_child[joint.child].name!r}, {joint.name!r}")
        names.add(joint.name)
        by_child[joint.child] = joint
    return links, by_child


def path_to(urdf: str, base: str, tip: str) -> list[UrdfJoint]:
    """The joints that one passes from a base link to a tip link, in this order.

    Args:
        urdf: text of the URDF.
        base: name of the link where the path starts.
        tip: name of the link where it ends; it must hang on the base.

    Raises:
        UrdfError: malformed, or there is no such path; the message names what is there.
    """
    links, by_child = read_joints(urdf)
    for role, name in (("base", base), ("tip", tip)):
        if name not in links:
            raise UrdfError(f"the robot description has no link {name!r} (wanted as {role}); it has {sorted(links)}")
    path: list[UrdfJoint] = []
    link = tip
    while link != base:
        joint = by_child.get(link)
        if joint is None:
            raise UrdfError(f"link {tip!r} does not hang on {base!r}: going up from it ends at {link!r}")
        if len(path) == len(by_child):
            raise UrdfError(f"going up from link {tip!r} never ends: joint {joint.name!r} is part of a loop")
        path.append(joint)
        link = joint.parent
    path.reverse()
    return path


def _read_joint(element: ElementTree.Element, links: set[str]) -> UrdfJoint:
    name = element.get("name")
    if not name:
        raise UrdfError("a <joint> of the robot description has no name")
    kind = element.get("type")
    if kind not in _KNOWN_TYPES:
        raise UrdfError(f"joint {name!r} has type {kind!r}; known are {', '.join(_KNOWN_TYPES)}")
    ends = []
    for tag in ("parent", "child"):
        end = element.find(tag)
        link = None if end is None else end.get("link")
        if not link:
            raise UrdfError(f"joint {name!r} has no <{tag} link=...>")
        if link not in links:
            raise UrdfError(f"joint {name!r} names link {link!r} as its {tag}, which is not defined")
        ends.append(link)
    lower, upper, velocity = _read_limits(element, name, kind)
    mimic = element.find("mimic")
    return UrdfJoint(
        name=name,
        kind=kind,
        parent=ends[0],
        child=ends[1],
        origin=_read_origin(element, name),
        axis=_read_axis(element, name),
        lower=lower,
        upper=upper,
        velocity=velocity,
        mimics=None if mimic is None else mimic.get("joint"),
    )


def _read_origin(element: ElementTree.Element, joint: str) -> np.ndarray:
    origin = element.find("origin")
    if origin is None:
        return np.eye(4)
    position = _numbers(origin.get("xyz", "0 0 0"), 3, f"<origin xyz> of joint {joint!r}")
    angles = _numbers(origin.get("rpy", "0 0 0"), 3, f"<origin rpy> of joint {joint!r}")
    return pose(np.array(position), rotation_from_rpy(*angles))


def _read_axis(element: ElementTree.Element, joint: str) -> np.ndarray:
    axis = element.find("axis")
    if axis is None:
        return np.array([1.0, 0.0, 0.0])  # the format's default
    vector = np.array(_numbers(axis.get("xyz", ""), 3, f"<axis xyz> of joint {joint!r}"))
    length = float(np.linalg.norm(vector))
    if length < 1e-9:
        raise UrdfError(f"<axis xyz> of joint {joint!r} has no direction: {axis.get('xyz')!r}")
    return vector / length


def _read_limits(element: ElementTree.Element, joint: str, kind: str) -> tuple[float, float, float]:
    limit = element.find("limit")
    if limit is None:
        if kind in _LIMITED_TYPES:
            raise UrdfError(f"{kind} joint {joint!r} has no <limit>")
        return -math.inf, math.inf, math.inf
    lower, upper, velocity = -math.inf, math.inf, math.inf
    where = f"of joint {joint!r}"
    if kind in _LIMITED_TYPES:
        lower = _numbers(limit.get("lower", "0"), 1, f"<limit lower> {where}")[0]  # the format's default is 0
        upper = _numbers(limit.get("upper", "0"), 1, f"<limit upper> {where}")[0]
        if lower > upper:
            raise UrdfError(f"<limit> of joint {joint!r} has lower {lower:g} above upper {upper:g}")
        if limit.get("velocity") is None:
            raise UrdfError(f"<limit> of joint {joint!r} has no velocity")
    if limit.get("velocity") is not None:
        velocity = _numbers(limit.get("velocity", ""), 1, f"<limit velocity> {where}")[0]
        if velocity < 0.0:
            raise UrdfError(f"<limit velocity> of joint {joint!r} is negative: {velocity:g}")
    return lower, upper, velocity


def _numbers(text: str, count: int, what: str) -> list[float]:
    try:
        values = [float(word) for word in text.split()]
    except ValueError:
        raise UrdfError(f"{what} is {text!r}, expected {count} number(s)") from None
    if len(values) != count or not all(math.isfinite(value) for value in values):
        raise UrdfError(f"{what} is {text!r}, expected {count} finite number(s)")
    return values
