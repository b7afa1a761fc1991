# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A robot description from a file: a URDF as it is, or one that the program xacro makes."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

XACRO_TIMEOUT = 30.0
"""Longest time that xacro may take [s]."""


def read_description(path: Path, xacro_arguments: Sequence[str] | None = None) -> str:
    """Text of a URDF.

    Args:
        path: of the file.
        xacro_arguments: ``name:=value`` each, where the file is xacro; None where it is a URDF.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is not text, or xacro is missing or fails; the message says what to do.
    """
    if xacro_arguments is None:
        try:
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is no text: {error}") from error
    if not path.is_file():
        raise FileNotFoundError(f"there is no xacro file {path}")
    program = shutil.which("xacro")
    if program is None:
        raise ValueError(
            f"{path} needs the program xacro, which is not installed: apt install ros-$ROS_DISTRO-xacro, or make a "
            "URDF of it elsewhere and name that with `from: file`"
        )
    try:
        done = subprocess.run(
            [program, str(path), *xacro_arguments], capture_output=True, text=True, timeout=XACRO_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"xacro {path} did not end within {XACRO_TIMEOUT:g} s") from None
    if done.returncode != 0:
        raise ValueError(f"xacro {path} failed: {done.stderr.strip()}")
    return done.stdout
