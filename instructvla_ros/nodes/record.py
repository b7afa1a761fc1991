# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`ros2 run instructvla_ros record`: recorder_node with a command line of its own; records until Ctrl-C."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from instructvla_ros.bags.recording import recording_name
from instructvla_ros.command_line import ROS_ARGUMENTS, split_ros_arguments
from instructvla_ros.nodes.recorder_node import RecorderNode
from instructvla_ros.nodes.running import run_node


def ros_arguments(argv: Sequence[str]) -> list[str]:
    """The command line as arguments of the node.

    Args:
        argv: without the program's name; ``--ros-args`` and what follows is handed on.
    """
    parser = argparse.ArgumentParser(
        description="Record inputs and outputs of policy and filter.", epilog="--ros-args and what follows goes to ROS."
    )
    parser.add_argument("path", nargs="?", default="", help="folder to make; default: recording_ and the time")
    parser.add_argument("--images", choices=("received", "jpeg"), default="received")
    parser.add_argument("--compressed", action="store_true", help="cameras come as CompressedImage")
    parser.add_argument("--cameras", choices=("used", "all"), default="all")
    parser.add_argument("--robot", default="", help="profile to keep in the bag")
    parser.add_argument("--split-megabytes", type=float, default=0.0, help="begin another bag after so many MB")
    parser.add_argument("--split-seconds", type=float, default=0.0, help="begin another bag after so many seconds")
    ours, ros = split_ros_arguments(argv)
    given = parser.parse_args(ours)
    parameters = {
        "path": given.path or recording_name(),
        "images": given.images,
        "cameras": given.cameras,
        "robot": given.robot,
        "split_megabytes": given.split_megabytes,
        "split_seconds": given.split_seconds,
        "flight_recorder": False,
    }
    if given.compressed:
        parameters["image_transport"] = "compressed"
    arguments = [*(ros or [ROS_ARGUMENTS])]
    for name, value in parameters.items():
        arguments += ["-p", f"{name}:={json.dumps(value)}"]
    return arguments


def main() -> int:
    """Record until told to stop."""
    sys.argv[1:] = ros_arguments(sys.argv[1:])
    return run_node(RecorderNode)


if __name__ == "__main__":
    sys.exit(main())
