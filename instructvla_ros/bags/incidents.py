# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bags of incidents: writing one while there is room, and deleting the oldest so that they never fill the disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from instructvla_ros.bags.ring import Message
from instructvla_ros.bags.writing import BagWriter, Quality, require_room

PREFIX = "incident_"


def incident_path(folder: Path) -> Path:
    """Where the next incident goes: named by the local time."""
    return folder / time.strftime(f"{PREFIX}%Y-%m-%d_%H-%M-%S")


def write_incident(
    path: Path,
    messages: Sequence[Message],
    topics: Mapping[str, tuple[str, Quality]],
    about: Mapping[str, str],
    reserve: float,
) -> None:
    """Write messages as a bag.

    Args:
        path: folder to make.
        messages: of the flight recorder.
        topics: type and quality by name.
        about: what the bag says about itself.
        reserve: what must stay free on the disk [MB].

    Raises:
        OSError: there is too little room, or the disk fails.
        UnknownTypeError: there is no definition of a type.
    """
    require_room(path.parent, sum(len(message.data) for message in messages) / 1e6 + reserve)
    with BagWriter(path, about) as writer:
        for message in messages:
            writer.add_topic(message.topic, *topics[message.topic])
            writer.write(message.topic, message.stamp, message.data)


def delete_old(folder: Path, megabytes: float) -> list[Path]:
    """Delete the oldest incidents until the others are within a total size; the newest always stays.

    Only folders that are named as incidents are, and hold a bag and nothing else, are ever touched.

    Args:
        folder: of the incidents.
        megabytes: total size to keep [MB]; 0: nothing is deleted.

    Returns:
        What was deleted, oldest first.

    Raises:
        OSError: something cannot be deleted.
    """
    if not megabytes or not folder.is_dir():
        return []
    incidents = sorted((path for path in folder.iterdir() if _is_incident(path)), key=_age)
    sizes = [sum(file.stat().st_size for file in path.iterdir()) for path in incidents]
    deleted = []
    for path, size in list(zip(incidents, sizes, strict=True))[:-1]:
        if sum(sizes) <= megabytes * 1e6:
            break
        shutil.rmtree(path)
        sizes.remove(size)
        deleted.append(path)
    return deleted


def _age(path: Path) -> tuple[float, str]:
    return (path.stat().st_mtime, path.name)


def _is_incident(path: Path) -> bool:
    if not path.name.startswith(PREFIX) or path.is_symlink() or not path.is_dir():
        return False
    names = [file.name for file in path.iterdir()]
    return bool(names) and all(name == "metadata.yaml" or name.endswith(".mcap") for name in names)
