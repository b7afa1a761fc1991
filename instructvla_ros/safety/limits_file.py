# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reading :class:`SafetyLimits` from YAML so strictly that a slip of the pen cannot loosen a limit."""

from dataclasses import fields
from pathlib import Path

import yaml

from instructvla_ros.safety.limits import JointLimit, LimitsError, SafetyLimits, WorkspaceBox, plain_limits


def limits_folder() -> Path:
    """The folder of the limits that come with the package: of a source checkout, or as installed by colcon.

    Raises:
        LimitsError: neither is there.
    """
    beside_source = Path(__file__).resolve().parents[2] / "config" / "limits"
    if beside_source.is_dir():
        return beside_source
    try:
        from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

        installed = Path(get_package_share_directory("instructvla_ros")) / "config" / "limits"
    except (ImportError, PackageNotFoundError) as error:
        raise LimitsError(
            f"no limits: {beside_source} is missing and the ROS 2 environment does not know instructvla_ros ({error}); "
            "source its install/setup.bash, or give the path of a limits file"
        ) from error
    if not installed.is_dir():
        raise LimitsError(f"no limits: neither {beside_source} nor {installed} is there")
    return installed


def read_limits(name_or_path: str | Path) -> SafetyLimits:
    """Reads a limits file; see :meth:`SafetyLimits.load`."""
    path = _path(name_or_path)
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise LimitsError(f"cannot read the limits file {path}: {error}") from error
    except yaml.YAMLError as error:
        raise LimitsError(f"{path} is not YAML: {error}") from error
    if root is None:
        raise LimitsError(f"{path} is empty")
    nodes = _mapping(path, root, "", [item.name for item in fields(SafetyLimits)])
    values: dict = {item.name: _number(path, nodes[item.name], item.name) for item in plain_limits()}
    if values["max_steps"] != int(values["max_steps"]):
        raise _error(path, nodes["max_steps"], f"max_steps: must be a whole number, got {values['max_steps']}")
    values["max_steps"] = int(values["max_steps"])
    joints = _mapping(path, nodes["joints"], "joints", None)
    joint_keys = [item.name for item in fields(JointLimit)]
    values["joints"] = {}
    for name, node in joints.items():
        numbers = _mapping(path, node, f"joints.{name}", joint_keys)
        values["joints"][name] = JointLimit(
            **{key: _number(path, numbers[key], f"joints.{name}.{key}") for key in joint_keys}
        )
    axes = _mapping(path, nodes["workspace"], "workspace", ["x", "y", "z"])
    values["workspace"] = WorkspaceBox(**{axis: _pair(path, axes[axis], f"workspace.{axis}") for axis in axes})
    try:
        return SafetyLimits(**values)
    except LimitsError as error:
        raise LimitsError(f"{path}: {error}") from error


def _path(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in text or text.endswith((".yaml", ".yml")):
        return Path(name_or_path)
    folder = limits_folder()
    path = folder / f"{text}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.yaml")))
        raise LimitsError(f"no limits for robot {text!r} in {folder}; known: {known}; or give the path of a file")
    return path


def _mapping(path: Path, node: yaml.Node, name: str, keys: list[str] | None) -> dict[str, yaml.Node]:
    """The values of a mapping by key; ``keys`` are those it must have, None for any."""
    what = name or "the file"
    if not isinstance(node, yaml.MappingNode):
        raise _error(path, node, f"{what} must be a mapping of keys to values")
    values: dict[str, yaml.Node] = {}
    prefix = f"{name}." if name else ""
    for key_node, value in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise _error(path, key_node, f"a key of {what} is not a word")
        key = key_node.value
        if keys is not None and key not in keys:
            raise _error(path, key_node, f"unknown key {prefix}{key}; known: {', '.join(keys)}")
        if key in values:
            raise _error(path, key_node, f"key {prefix}{key} is given twice")
        values[key] = value
    missing = [prefix + key for key in keys or [] if key not in values]
    if missing:
        raise _error(path, node, f"missing: {', '.join(missing)}")
    return values


def _number(path: Path, node: yaml.Node, key: str) -> float:
    if isinstance(node, yaml.ScalarNode) and node.tag in ("tag:yaml.org,2002:float", "tag:yaml.org,2002:int"):
        loader = yaml.SafeLoader("")
        try:
            return float(loader.construct_object(node))
        except (ValueError, OverflowError, yaml.YAMLError):
            pass
        finally:
            loader.dispose()
    raise _error(path, node, f"{key}: must be a number, got {getattr(node, 'value', '')!r}")


def _pair(path: Path, node: yaml.Node, key: str) -> tuple[float, float]:
    if not isinstance(node, yaml.SequenceNode) or len(node.value) != 2:
        raise _error(path, node, f"{key}: must be two numbers in brackets, the lowest and the highest")
    return _number(path, node.value[0], key), _number(path, node.value[1], key)


def _error(path: Path, node: yaml.Node, message: str) -> LimitsError:
    return LimitsError(f"{path}, line {node.start_mark.line + 1}: {message}")
