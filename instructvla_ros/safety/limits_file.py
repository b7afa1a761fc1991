# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reading :class:`SafetyLimits` from YAML so strictly that a slip of the pen cannot loosen a limit."""

import sys
from dataclasses import fields
from pathlib import Path

from instructvla_ros.checked_yaml import CheckedMapping, YamlError
from instructvla_ros.safety.limits import (
    BodyShape,
    JointLimit,
    KeepOutBox,
    LimitsError,
    SafetyLimits,
    WorkspaceBox,
    plain_limits,
)
from instructvla_ros.shared_files import UnknownNameError, yaml_path

LIMITS_FOLDER = "config/limits"
"""Where the limits that come with the package are."""

_FINITE = sys.float_info.max


def read_limits(name_or_path: str | Path) -> SafetyLimits:
    """Reads a limits file; see :meth:`SafetyLimits.load`."""
    try:
        path = yaml_path(LIMITS_FOLDER, "robot", name_or_path)
        return _read(CheckedMapping.from_file(path, [item.name for item in fields(SafetyLimits)]))
    except (UnknownNameError, FileNotFoundError, YamlError) as error:
        raise LimitsError(str(error)) from error
    except LimitsError as error:
        raise LimitsError(f"{path}: {error}") from error


def _read(file: CheckedMapping) -> SafetyLimits:
    numbers: dict = {
        item.name: file.number(item.name, -_FINITE, _FINITE, item.metadata["unit"]) for item in plain_limits()
    }
    numbers["max_steps"] = file.integer("max_steps", 1, 100_000)
    joints = file.mapping("joints", None)
    joint_keys = [item.name for item in fields(JointLimit)]
    return SafetyLimits(
        **numbers,
        joints={name: JointLimit(**_numbers(joints.mapping(name, joint_keys), joint_keys)) for name in joints.keys},
        workspace=WorkspaceBox(**_pairs(file.mapping("workspace", "xyz"), "xyz")),
        keep_out=tuple(
            KeepOutBox(name=box.text("name"), **_pairs(box, "xyz"))
            for box in file.mappings("keep_out", ["name", "x", "y", "z"])
        ),
        shapes=tuple(_shape(shape) for shape in file.mappings("shapes", ["name", "link", "from", "to", "radius"])),
        self_collision=file.name_pairs("self_collision"),
    )


def _shape(shape: CheckedMapping) -> BodyShape:
    return BodyShape(
        name=shape.text("name"),
        link=shape.text("link"),
        start=shape.triple("from", -_FINITE, _FINITE),
        end=shape.triple("to", -_FINITE, _FINITE),
        radius=shape.number("radius", -_FINITE, _FINITE, "m"),
    )


def _numbers(mapping: CheckedMapping, keys: list[str]) -> dict[str, float]:
    return {key: mapping.number(key, -_FINITE, _FINITE) for key in keys}


def _pairs(mapping: CheckedMapping, keys: str) -> dict[str, tuple[float, float]]:
    return {key: mapping.pair(key, -_FINITE, _FINITE) for key in keys}
