# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a bag says about where it comes from: versions, files of the robot, hash of the checkpoint."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
from pathlib import Path

import instructvla_ros
from instructvla_ros.checkpoint_files import newest_checkpoint


def versions() -> dict[str, str]:
    """Versions of what was at work, by name; of what is not installed here: nothing."""
    told = {
        "instructvla_ros": instructvla_ros.__version__,
        "python": platform.python_version(),
        "ROS_DISTRO": os.environ.get("ROS_DISTRO", "unknown"),
        "machine": platform.platform(),
    }
    for package in ("torch", "numpy", "rosbags", "mujoco"):
        try:
            told[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return told


def checkpoint_hashes(checkpoint: str | Path) -> dict[str, str]:
    """SHA-256 of the files that make a model what it is, by their names in the run folder.

    Takes as long as reading them does: seconds for a large model.

    Args:
        checkpoint: run folder, or one weights file in its checkpoints/.

    Returns:
        Weights (of a folder those that the policy loads), config.json and dataset_statistics.json; empty if there are
        none here, as when the policy runs on another machine.

    Raises:
        OSError: a file cannot be read.
    """
    given = Path(checkpoint).expanduser()
    folder = given.parent.parent if given.is_file() else given
    weights = given if given.is_file() else newest_checkpoint(folder)
    files = [*([weights] if weights else []), folder / "config.json", folder / "dataset_statistics.json"]
    hashes = {}
    for path in files:
        if path.is_file():
            with path.open("rb") as stream:
                digest = hashlib.sha256()
                while block := stream.read(1 << 20):
                    digest.update(block)
            hashes[str(path.relative_to(folder))] = digest.hexdigest()
    return hashes
