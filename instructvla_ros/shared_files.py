# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the package's own data files are: beside the sources in a checkout, in the share folder where installed."""

import os
from pathlib import Path

PACKAGE = "instructvla_ros"


class UnknownNameError(ValueError):
    """No file of the package has this name; the message lists those there are."""


def shared_folder(name: str) -> Path:
    """A folder of the package's data, such as ``config/robots``.

    Raises:
        FileNotFoundError: it is neither beside the sources nor installed.
    """
    beside_source = Path(__file__).resolve().parents[1] / name
    if beside_source.is_dir():
        return beside_source
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        installed = Path(prefix, "share", PACKAGE, name)
        if prefix and installed.is_dir():
            return installed
    raise FileNotFoundError(
        f"{name}/ is neither in {beside_source.parent} nor in share/{PACKAGE}/ of a prefix in AMENT_PREFIX_PATH; "
        "source the install/setup.bash of the workspace"
    )


def names_in(folder: str) -> tuple[str, ...]:
    """Names of the YAML files in a folder of the package's data, sorted.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    return tuple(sorted(path.stem for path in shared_folder(folder).glob("*.yaml")))


def yaml_path(folder: str, what: str, name_or_path: str | Path) -> Path:
    """The YAML file that a user means by a name or a path.

    Args:
        folder: folder of the package's data in which names are looked up.
        what: what the file is of, for the message: ``robot``, say.
        name_or_path: a path is a ``Path``, or text with a slash or ending in .yaml or .yml; all else is a name.

    Raises:
        UnknownNameError: no file has this name.
        FileNotFoundError: the folder itself is missing.
    """
    text = str(name_or_path)
    if not text:
        raise UnknownNameError(f"no {what} is named: give one of {', '.join(names_in(folder))}, or the path of a file")
    if isinstance(name_or_path, Path) or "/" in text or text.endswith((".yaml", ".yml")):
        return Path(name_or_path)
    known = names_in(folder)
    if text not in known:
        raise UnknownNameError(
            f"unknown {what} {text!r}; known: {', '.join(known)} (from {shared_folder(folder)}). "
            "For one of your own give the path of its file"
        )
    return shared_folder(folder) / f"{text}.yaml"
