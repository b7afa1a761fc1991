# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Message types of ROS 2 Jazzy and our own, for reading and writing bags without ROS.

Our own are read from the package's msg/ and srv/ files, in a checkout or where it is installed, so that they are always
those that the nodes speak.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from instructvla_ros.shared_files import PACKAGE, shared_folder


class UnknownTypeError(LookupError):
    """No definition of a message type is to be found; the message names the type and where was looked."""


@cache
def type_store() -> Typestore:
    """The standard messages of Jazzy and our own; made once.

    Raises:
        FileNotFoundError: our msg/ files are neither beside the sources nor installed.
    """
    store = get_typestore(Stores.ROS2_JAZZY)
    types = {}
    for path in sorted(shared_folder("msg").glob("*.msg")):
        types.update(get_types_from_msg(path.read_text(encoding="utf-8"), f"{PACKAGE}/msg/{path.stem}"))
    for path in sorted(shared_folder("srv").glob("*.srv")):
        halves = path.read_text(encoding="utf-8").split("\n---\n")
        for text, part in zip(halves, ("Request", "Response"), strict=True):
            types.update(get_types_from_msg(text, f"{PACKAGE}/srv/{path.stem}_{part}"))
    store.register(types)
    return store


def message_definition(name: str) -> str:
    """The definition of a type as an MCAP schema of encoding ``ros2msg`` holds it: with all that it depends on.

    Args:
        name: such as ``sensor_msgs/msg/Image``.

    Raises:
        UnknownTypeError: neither the standard messages, nor ours, nor the installed packages have it.
    """
    learn_installed(name)
    definition, _ = type_store().generate_msgdef(name, ros_version=2)
    return definition


def type_hash(name: str) -> str:
    """The REP-2016 hash of a type, as ``offered`` in a bag's metadata.

    Raises:
        UnknownTypeError: as of :func:`message_definition`.
    """
    learn_installed(name)
    return type_store().hash_rihs01(name)


def learn_installed(name: str) -> None:
    """Make a type of another package known, from the .msg files that its installation has.

    Raises:
        UnknownTypeError: the name is none, they are not installed here, or are of a form that cannot be read.
    """
    if name.count("/") != 2:
        raise UnknownTypeError(f"{name!r} is no name of a message type of ROS 2")
    store = type_store()
    missing = [name]
    while missing:
        wanted = missing.pop()
        if wanted in store.fielddefs:
            continue
        path = _installed(wanted)
        if path is None:
            raise UnknownTypeError(
                f"message type {wanted} is not known: it is no standard message of Jazzy and no .msg file of it is "
                "installed in a prefix of AMENT_PREFIX_PATH; source the workspace that has it"
            )
        try:
            types = get_types_from_msg(path.read_text(encoding="utf-8"), wanted)
        except Exception as error:  # rosbags has several of its own
            raise UnknownTypeError(f"message type {wanted}: {path} cannot be read: {error!r}") from error
        store.register({key: value for key, value in types.items() if key not in store.fielddefs})
        missing += [other for _, fields in types.values() for other in _named_in(fields)]


def _named_in(fields: object) -> list[str]:
    """Message types that field definitions of rosbags name, at any depth."""
    if isinstance(fields, str):
        return [fields] if fields.count("/") == 2 else []
    if isinstance(fields, (list, tuple)):
        return [name for entry in fields for name in _named_in(entry)]
    return []


def _installed(name: str) -> Path | None:
    package, kind, stem = name.split("/")
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        path = Path(prefix, "share", package, kind, f"{stem}.msg")
        if prefix and path.is_file():
            return path
    return None
