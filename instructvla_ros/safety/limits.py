# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The numbers that the safety filter enforces, for one robot."""

import math
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.robot.urdf import UrdfError

STRUCTURED_LIMITS = ("joints", "workspace", "keep_out", "shapes", "self_collision")
"""The fields of :class:`SafetyLimits` that are more than one number."""

# A limit may exceed the URDF's by this much: what is lost when numbers are printed and read again.
_PRINTING = 1e-6  # [rad, m, rad/s or m/s]


class LimitsError(ValueError):
    """The limits contradict themselves, their file's format or the robot; the message names the key."""


@dataclass(frozen=True)
class JointLimit:
    """Limits of one joint.

    Attributes:
        lower: lowest position [rad or m].
        upper: highest position [rad or m].
        velocity: highest speed [rad/s or m/s].
        acceleration: highest acceleration and deceleration [rad/s^2 or m/s^2].
        jerk: highest change of the acceleration [rad/s^3 or m/s^3].
    """

    lower: float
    upper: float
    velocity: float
    acceleration: float
    jerk: float


@dataclass(frozen=True)
class Box:
    """A box in the base frame, its sides along the frame's axes.

    Attributes:
        x: lowest and highest [m].
        y: lowest and highest [m].
        z: lowest and highest [m].
    """

    x: tuple[float, float]
    y: tuple[float, float]
    z: tuple[float, float]

    @property
    def lower(self) -> np.ndarray:
        """``(3,)`` corner [m]."""
        return np.array([self.x[0], self.y[0], self.z[0]])

    @property
    def upper(self) -> np.ndarray:
        """``(3,)`` corner [m]."""
        return np.array([self.x[1], self.y[1], self.z[1]])


class WorkspaceBox(Box):
    """Where the gripper point (origin of the chain's tip) may be, in the base frame."""


@dataclass(frozen=True)
class KeepOutBox(Box):
    """Where no moving part of the arm may be, in the base frame.

    Attributes:
        name: what is there.
    """

    name: str


@dataclass(frozen=True)
class BodyShape:
    """A capsule that covers a part of the arm: all points within a radius of a straight line; a ball without length.

    Attributes:
        name: of the part.
        link: the link it is fixed to.
        start: one end of the line, in the link's frame [m].
        end: the other end [m].
        radius: [m].
    """

    name: str
    link: str
    start: tuple[float, float, float]
    end: tuple[float, float, float]
    radius: float


def _limit(unit: str) -> Any:
    return field(metadata={"unit": unit})


@dataclass(frozen=True)
class SafetyLimits:
    """All limits of one robot. Each field is one key of the YAML file; ``unit`` in its metadata says in what.

    Attributes:
        joints: limits of every moving joint of the chain, by name.
        joint_margin: distance kept from both ends of every joint's range.
        workspace: box for the gripper point.
        table: height of the table top in the base frame; no moving shape may be below it.
        keep_out: boxes that no moving shape may be in.
        shapes: capsules that cover the arm; those on links that stand still count for self-collision alone.
        self_collision: pairs of shapes, by name, that must not touch.
        clearance_halt: distance kept from table, keep-out boxes and between shapes.
        clearance_slow: distance from which the arm slows while it comes nearer.
        singularity_halt: highest condition number of the gripper's Jacobian.
        singularity_slow: condition number from which the arm slows while it rises.
        translation_speed: highest speed of the gripper point.
        rotation_speed: highest angular speed of the gripper.
        translation_acceleration: highest acceleration of the gripper point.
        rotation_acceleration: highest angular acceleration of the gripper.
        path_lag_translation: how far the commanded path may run ahead of what the joints can follow.
        path_lag_rotation: the same, of the orientation.
        gripper_speed: highest change of the opening.
        max_step_translation: longest translation of one step of a chunk; beyond it the chunk is refused.
        max_step_rotation: largest rotation of one step of a chunk.
        max_steps: most steps in a chunk.
        period_min: shortest period of a chunk.
        period_max: longest period of a chunk.
        chunk_age: oldest observation behind a chunk that is still followed.
        joint_state_age: oldest joint state that is relied on.
        stamp_ahead: how far a stamp may lie in the future.
        tracking_tolerance: how far measured and commanded joints may part before it is a fault.
        horizon: longest trajectory sent: the arm is at rest this long after the last command.
    """

    joints: dict[str, JointLimit] = _limit("")
    joint_margin: float = _limit("rad")
    workspace: WorkspaceBox = _limit("m")
    table: float = _limit("m")
    keep_out: tuple[KeepOutBox, ...] = _limit("m")
    shapes: tuple[BodyShape, ...] = _limit("m")
    self_collision: tuple[tuple[str, str], ...] = _limit("")
    clearance_halt: float = _limit("m")
    clearance_slow: float = _limit("m")
    singularity_halt: float = _limit("")
    singularity_slow: float = _limit("")
    translation_speed: float = _limit("m/s")
    rotation_speed: float = _limit("rad/s")
    translation_acceleration: float = _limit("m/s^2")
    rotation_acceleration: float = _limit("rad/s^2")
    path_lag_translation: float = _limit("m")
    path_lag_rotation: float = _limit("rad")
    gripper_speed: float = _limit("1/s")
    max_step_translation: float = _limit("m")
    max_step_rotation: float = _limit("rad")
    max_steps: int = _limit("")
    period_min: float = _limit("s")
    period_max: float = _limit("s")
    chunk_age: float = _limit("s")
    joint_state_age: float = _limit("s")
    stamp_ahead: float = _limit("s")
    tracking_tolerance: float = _limit("rad")
    horizon: float = _limit("s")

    def __post_init__(self) -> None:
        if not self.joints:
            raise LimitsError("joints: no joint is named")
        for name, joint in self.joints.items():
            for key in ("velocity", "acceleration", "jerk"):
                _require_positive(f"joints.{name}.{key}", getattr(joint, key))
            _require_range(f"joints.{name}", "lower", joint.lower, "upper", joint.upper)
            if joint.upper - joint.lower <= 2.0 * self.joint_margin:
                raise LimitsError(
                    f"joint_margin: {self.joint_margin} leaves no range of joint {name!r}, "
                    f"{joint.lower} to {joint.upper}"
                )
        _require_box("workspace", self.workspace)
        for item in plain_limits():
            value = getattr(self, item.name)
            if item.name in ("joint_margin", "stamp_ahead", "clearance_halt"):
                if not (math.isfinite(value) and value >= 0.0):
                    raise LimitsError(f"{item.name}: must be 0 or positive, got {value}")
            elif item.name == "table":
                if not math.isfinite(value):
                    raise LimitsError(f"{item.name}: must be a finite number, got {value}")
            else:
                _require_positive(item.name, value)
        _require_range("period", "period_min", self.period_min, "period_max", self.period_max)
        _require_range("clearance", "clearance_halt", self.clearance_halt, "clearance_slow", self.clearance_slow)
        _require_range(
            "singularity", "singularity_slow", self.singularity_slow, "singularity_halt", self.singularity_halt
        )
        if self.singularity_slow <= 1.0:
            raise LimitsError(f"singularity_slow: must be above 1, the best there is, got {self.singularity_slow}")
        self._check_shapes()

    def _check_shapes(self) -> None:
        for box in self.keep_out:
            _require_box(f"keep_out {box.name!r}", box)
        for shape in self.shapes:
            _require_positive(f"shapes {shape.name!r}: radius", shape.radius)
            if not np.isfinite((shape.start, shape.end)).all():
                raise LimitsError(f"shapes {shape.name!r}: from {shape.start} to {shape.end} is not finite")
        names = [shape.name for shape in self.shapes]
        for key, given in (("keep_out", [box.name for box in self.keep_out]), ("shapes", names)):
            twice = sorted({name for name in given if given.count(name) > 1})
            if twice:
                raise LimitsError(f"{key}: the name {twice[0]!r} is given twice")
        pairs: set[frozenset[str]] = set()
        for pair in self.self_collision:
            for name in pair:
                if name not in names:
                    raise LimitsError(f"self_collision: {name!r} is no shape; shapes: {', '.join(names) or 'none'}")
            if frozenset(pair) in pairs:
                raise LimitsError(f"self_collision: the pair {list(pair)} is given twice")
            pairs.add(frozenset(pair))

    @classmethod
    def load(cls, name_or_path: str | Path) -> "SafetyLimits":
        """Reads the limits of a robot.

        Args:
            name_or_path: name of a robot with a file in the package's config/limits folder, or the path of a YAML file
                (a ``Path``, or a string with a slash or ending in .yaml or .yml).

        Raises:
            LimitsError: no such file; a key is unknown, missing or given twice; a value is impossible. The message
                names file, line and key.
        """
        from instructvla_ros.safety.limits_file import read_limits

        return read_limits(name_or_path)

    def check_against(self, chain: KinematicChain) -> None:
        """Makes sure that these limits are of this robot, and nowhere looser than its URDF.

        Raises:
            LimitsError: joints are missing, unknown, or looser than the URDF; a shape is on no link between base and
                tip; a pair of shapes can never part. The message names joint or shape.
        """
        missing = [name for name in chain.joint_names if name not in self.joints]
        unknown = [name for name in self.joints if name not in chain.joint_names]
        if missing or unknown:
            raise LimitsError(
                f"joints: the chain {chain.base} to {chain.tip} has {', '.join(chain.joint_names)}; "
                f"limits lack {', '.join(missing) or 'none'} and name beyond it {', '.join(unknown) or 'none'}"
            )
        for index, name in enumerate(chain.joint_names):
            joint = self.joints[name]
            if joint.lower < chain.lower[index] - _PRINTING or joint.upper > chain.upper[index] + _PRINTING:
                raise LimitsError(
                    f"joints.{name}: {joint.lower} to {joint.upper} is wider than the URDF's "
                    f"{chain.lower[index]:.6g} to {chain.upper[index]:.6g}"
                )
            if joint.velocity > chain.velocity[index] + _PRINTING:
                raise LimitsError(
                    f"joints.{name}.velocity: {joint.velocity} is above the URDF's {chain.velocity[index]:.6g}"
                )
        carriers = {}
        for shape in self.shapes:
            try:
                carriers[shape.name], _ = chain.link_frame(shape.link)
            except UrdfError as error:
                raise LimitsError(f"shapes {shape.name!r}: {error}") from error
        for first, second in self.self_collision:
            if carriers[first] == carriers[second]:
                raise LimitsError(f"self_collision: {[first, second]} are carried by the same joint: they never part")


def plain_limits() -> list[Field]:
    """The fields of :class:`SafetyLimits` that are one number each."""
    return [item for item in fields(SafetyLimits) if item.name not in STRUCTURED_LIMITS]


def _require_positive(key: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0.0):
        raise LimitsError(f"{key}: must be a positive finite number, got {value}")


def _require_box(key: str, box: Box) -> None:
    for axis in "xyz":
        low, high = getattr(box, axis)
        _require_range(f"{key}.{axis}", "first", low, "second", high)


def _require_range(key: str, low_name: str, low: float, high_name: str, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise LimitsError(f"{key}: {low_name} must be below {high_name}, both finite, got {low} and {high}")
