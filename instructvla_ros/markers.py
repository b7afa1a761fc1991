# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is drawn around an arm for people who look at it in RViz or Foxglove. No ROS.

Every mark stands in the base frame. Its kind is a number of visualization_msgs/Marker, its layer can be switched on and
off in the viewer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from scipy.spatial.transform import Rotation

from instructvla_ros.console.plan import way_ahead
from instructvla_ros.robot.action_chunk import ActionChunk
from instructvla_ros.safety import SafetyLimits, SafetyState
from instructvla_ros.safety.body import Body
from instructvla_ros.safety.limits import Box
from instructvla_ros.safety.rooms import Configurations

Colour = tuple[float, float, float, float]

LAYERS = ("workspace", "table", "keep_out", "body", "planned", "commanded", "trail", "status")

_CALM: Colour = (0.35, 0.75, 0.45, 0.9)
_FREE: Colour = (0.35, 0.60, 0.95, 0.25)
_FORBIDDEN: Colour = (0.80, 0.45, 0.20, 0.30)
_ACTING: Colour = (0.95, 0.15, 0.10, 0.65)
_SOLID: Colour = (0.55, 0.58, 0.62, 0.45)
_OPEN: Colour = (0.20, 0.60, 1.00, 1.0)
_CLOSED: Colour = (1.00, 0.60, 0.10, 1.0)
_COMMANDED: Colour = (0.30, 0.95, 0.35, 1.0)
_TRAIL: Colour = (0.60, 0.60, 0.60, 0.8)
_TEXT: Colour = (1.0, 1.0, 1.0, 1.0)
_LINE = 0.004  # [m] width of lines
_TABLE_THICKNESS = 0.002  # [m]
_TABLE_MARGIN = 0.2  # [m] beyond the workspace
_LETTERS = 0.025  # [m] height
_ABOVE_GRIPPER = 0.15  # [m] of the text
_MOST_LINES = 5  # of interventions


class Kind(IntEnum):
    """How a mark is drawn; the numbers of visualization_msgs/Marker."""

    CUBE = 1
    SPHERE = 2
    CYLINDER = 3
    LINE_STRIP = 4
    LINE_LIST = 5
    SPHERE_LIST = 7
    TEXT = 9


@dataclass(frozen=True, eq=False)
class Mark:
    """One thing to draw.

    Attributes:
        layer: one of ``LAYERS``.
        kind: how.
        colour: red, green, blue and opacity, 0 to 1.
        size: along the mark's own axes [m]; width of lines first, height of letters last.
        position: ``(3,)`` of its middle in the base frame [m].
        orientation: of its axes in the base frame.
        points: ``(n, 3)`` of lines and lists, from ``position`` on [m].
        colours: ``(n, 4)`` of the points; none where all have ``colour``.
        text: of texts.
    """

    layer: str
    kind: Kind
    colour: Colour
    size: tuple[float, float, float]
    position: np.ndarray = field(default_factory=lambda: np.zeros(3))  # (3,)
    orientation: Rotation = field(default_factory=Rotation.identity)
    points: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))  # (n, 3)
    colours: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))  # (n, 4)
    text: str = ""


@dataclass(frozen=True)
class Clamp:
    """A limit that acts now, as SafetyIntervention.msg tells it."""

    limit: str
    subject: str
    asked: float
    allowed: float
    unit: str

    @property
    def parts(self) -> frozenset[str]:
        """Names of the boxes or shapes that it speaks of."""
        return frozenset(word.strip() for word in self.subject.split(","))

    def __str__(self) -> str:
        what = f"{self.limit} {self.subject}".strip()
        if not (math.isfinite(self.asked) and math.isfinite(self.allowed)):
            return what
        return f"{what}: {self.asked:.3g} -> {self.allowed:.3g} {self.unit}".rstrip()


def room_marks(limits: SafetyLimits, clamps: Iterable[Clamp] = ()) -> list[Mark]:
    """Workspace, table and keep-out boxes; those that act now are red.

    Args:
        limits: of the robot.
        clamps: the limits that act now.
    """
    acting = list(clamps)
    names = {clamp.limit for clamp in acting}
    hit = frozenset().union(*(clamp.parts for clamp in acting if clamp.limit == "keep_out"))
    box = limits.workspace
    marks = [
        Mark("workspace", Kind.LINE_LIST, _ACTING if "workspace" in names else _CALM, (_LINE, 0.0, 0.0),
             points=box_edges(box)),
        _table(limits, "table" in names),
    ]  # fmt: skip
    for kept in limits.keep_out:
        red = kept.name in hit
        middle, size = 0.5 * (kept.lower + kept.upper), kept.upper - kept.lower
        marks.append(Mark("keep_out", Kind.CUBE, _ACTING if red else _FORBIDDEN, _three(size), middle))
        above = middle + [0.0, 0.0, 0.5 * size[2] + _LETTERS]
        marks.append(Mark("keep_out", Kind.TEXT, _TEXT, (0.0, 0.0, _LETTERS), above, text=kept.name))
    return marks


def box_edges(box: Box) -> np.ndarray:
    """Ends of the twelve edges of a box, ``(24, 3)`` [m], two for each edge."""
    corners = np.array(np.meshgrid(*zip(box.lower, box.upper, strict=True), indexing="ij")).reshape(3, 8).T  # (8, 3)
    pairs = [(i, j) for i in range(8) for j in range(i + 1, 8) if bin(i ^ j).count("1") == 1]
    return corners[np.array(pairs).reshape(-1)]


def body_marks(body: Body, arm: Configurations, clamps: Iterable[Clamp] = ()) -> list[Mark]:
    """The capsules that the filter takes the arm for; those of a limit that acts now are red.

    Args:
        body: of the robot.
        arm: one configuration.
        clamps: the limits that act now.
    """
    acting = frozenset().union(*(clamp.parts for clamp in clamps))
    ends = body.ends.of(arm)[0]  # (3, 2 s)
    count = len(body.shapes)
    marks = []
    for index, shape in enumerate(body.shapes):
        start, end, radius = ends[:, index], ends[:, count + index], float(body.radii[index])
        colour = _ACTING if shape.name in acting else _SOLID
        along = end - start
        length = float(np.linalg.norm(along))
        if length > 0.0:
            turn, _ = Rotation.align_vectors([along / length], [[0.0, 0.0, 1.0]])
            rod = (2.0 * radius, 2.0 * radius, length)
            marks.append(Mark("body", Kind.CYLINDER, colour, rod, 0.5 * (start + end), turn))
        balls = np.array([start, end] if length > 0.0 else [start])
        marks.append(Mark("body", Kind.SPHERE_LIST, colour, (2.0 * radius,) * 3, points=balls))
    return marks


def plan_marks(chunk: ActionChunk | None, now: float, gripper: np.ndarray) -> list[Mark]:
    """The way that the steps left of a chunk ask for: blue where the gripper is open, orange where it is closed.

    Args:
        chunk: the newest; its stamp is on the clock of ``now``.
        now: [s].
        gripper: ``(3,)`` the gripper point in the base frame [m].
    """
    times, points, openings = way_ahead(chunk, now, gripper)
    if not len(times):
        return []
    share = np.clip(openings, 0.0, 1.0)[:, None]
    colours = share * np.array(_OPEN) + (1.0 - share) * np.array(_CLOSED)
    return [
        Mark("planned", Kind.LINE_STRIP, _OPEN, (_LINE, 0.0, 0.0), points=points, colours=colours),
        Mark("planned", Kind.SPHERE_LIST, _OPEN, (2.5 * _LINE,) * 3, points=points[1:], colours=colours[1:]),
    ]


def commanded_marks(points: np.ndarray) -> list[Mark]:
    """What the filter makes of the plan: where the command now in force leads, ``(n, 3)`` [m], to its rest."""
    if len(points) < 2:
        return []
    line = Mark("commanded", Kind.LINE_STRIP, _COMMANDED, (2.0 * _LINE, 0.0, 0.0), points=points)
    rest = Mark("commanded", Kind.SPHERE, _COMMANDED, (4.0 * _LINE,) * 3, points[-1])
    return [line, rest]


def trail_marks(points: np.ndarray) -> list[Mark]:
    """Where the gripper point was, ``(n, 3)`` [m], oldest first."""
    if len(points) < 2:
        return []
    return [Mark("trail", Kind.LINE_STRIP, _TRAIL, (0.5 * _LINE, 0.0, 0.0), points=points)]


def status_mark(
    state: SafetyState | None, reason: str, clamps: Iterable[Clamp], gripper: np.ndarray | None, limits: SafetyLimits
) -> Mark:
    """State of the filter and what it changes, above the gripper, or above the workspace where that is not known.

    Args:
        state: None where nothing is heard of the filter.
        reason: why it is in this state.
        clamps: the limits that act now.
        gripper: ``(3,)`` the gripper point in the base frame [m], if it is known.
        limits: of the robot.
    """
    lines = [f"{state.name}: {reason}" if state is not None else "NO SAFETY STATUS"]
    told = list(dict.fromkeys(map(str, clamps)))
    lines += told[:_MOST_LINES]
    if len(told) > _MOST_LINES:
        lines.append(f"and {len(told) - _MOST_LINES} more")
    box = limits.workspace
    place = np.array([*(0.5 * (box.lower + box.upper))[:2], box.upper[2]]) if gripper is None else gripper
    calm = state in (SafetyState.HOLDING, SafetyState.MOVING)
    colour = _TEXT if calm else (*_ACTING[:3], 1.0)
    height = _ABOVE_GRIPPER + _LETTERS * len(lines)
    return Mark("status", Kind.TEXT, colour, (0.0, 0.0, _LETTERS), place + [0.0, 0.0, height], text="\n".join(lines))


class Acting:
    """The limits that acted within the last while: a status tells each once.

    Args:
        memory: how long a limit is shown after it was told last [s].
    """

    def __init__(self, memory: float = 0.4) -> None:
        self._memory = memory
        self._seen: dict[tuple[str, str], tuple[float, Clamp]] = {}

    def see(self, now: float, clamps: Iterable[Clamp]) -> None:
        """Interventions of a status that came now [s]."""
        for clamp in clamps:
            self._seen[clamp.limit, clamp.subject] = (now, clamp)

    def now(self, now: float) -> list[Clamp]:
        """Those that still count, in the order of their first coming."""
        self._seen = {key: entry for key, entry in self._seen.items() if now - entry[0] <= self._memory}
        return [clamp for _, clamp in self._seen.values()]


def by_layer(marks: Iterable[Mark]) -> Mapping[str, list[Mark]]:
    """Marks by layer, in the order of ``LAYERS``; a mark's place in its layer is its number in the viewer."""
    layers: dict[str, list[Mark]] = {layer: [] for layer in LAYERS}
    for mark in marks:
        layers[mark.layer].append(mark)
    return layers


def _table(limits: SafetyLimits, red: bool) -> Mark:
    lower, upper = limits.workspace.lower[:2] - _TABLE_MARGIN, limits.workspace.upper[:2] + _TABLE_MARGIN
    middle = np.array([*(0.5 * (lower + upper)), limits.table - 0.5 * _TABLE_THICKNESS])
    size = (float(upper[0] - lower[0]), float(upper[1] - lower[1]), _TABLE_THICKNESS)
    return Mark("table", Kind.CUBE, _ACTING if red else _FREE, size, middle)


def _three(numbers: np.ndarray) -> tuple[float, float, float]:
    return float(numbers[0]), float(numbers[1]), float(numbers[2])
