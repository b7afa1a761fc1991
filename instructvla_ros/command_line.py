# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What in a command line is for us, and what is for ROS."""

from __future__ import annotations

from collections.abc import Sequence

ROS_ARGUMENTS = "--ros-args"


def split_ros_arguments(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part a command line, without the program's name, at ``--ros-args``.

    Returns:
        What is ours; and what is for ROS, which begins with ``--ros-args`` or is empty.
    """
    at = list(argv).index(ROS_ARGUMENTS) if ROS_ARGUMENTS in argv else len(argv)
    return list(argv[:at]), list(argv[at:])
