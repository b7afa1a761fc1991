# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Says what a robot profile will do, and checks it against the running graph.

    ros2 run instructvla_ros check_profile widowx            # in words; needs no ROS
    ros2 run instructvla_ros check_profile widowx --live     # and against what runs now

It commands nothing and asks nobody for anything but the time.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from instructvla_ros.checking.findings import Finding, Level, alike, error, good
from instructvla_ros.checking.judge import judge
from instructvla_ros.checking.words import in_words
from instructvla_ros.command_line import split_ros_arguments
from instructvla_ros.policy.profile import ProfileError, RobotProfile
from instructvla_ros.safety import LimitsError, SafetyLimits


def main(argv: Sequence[str] | None = None) -> int:
    """Check a profile; exit code 0 where nothing stands in the way, 1 where something does, 2 for a wrong profile."""
    given, ros = _arguments(sys.argv[1:] if argv is None else argv)
    try:
        profile = RobotProfile.load(given.name)
        limits = SafetyLimits.load(given.limits or profile.interface.limits)
        description = profile.urdf()
    except (ProfileError, LimitsError) as problem:
        print(f"cannot be used: {problem}", file=sys.stderr)
        return 2
    print("\n".join(in_words(profile, limits, given.image_transport)), flush=True)
    findings: list[Finding] = []
    if given.checkpoint is not None:
        findings.append(_judge_checkpoint(profile, given.checkpoint))
    if given.live:
        print(f"\nlooking at the running graph for {given.seconds:g} s ...", flush=True)
        findings += _look(profile, limits, description, given, ros)
    for finding in sorted(findings, key=lambda each: -each.level):
        print(finding)
    errors = sum(finding.level is Level.ERROR for finding in findings)
    warnings = sum(finding.level is Level.WARNING for finding in findings)
    if findings:
        told = _counted(warnings, "warning")
        print(f"\n{_counted(errors, 'error')}, {told}" if errors else f"\nnothing stands in the way; {told}")
    return 1 if errors else 0


def _arguments(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        description="Say what a robot profile will do, and check it against the running graph.",
        epilog="--ros-args and what follows goes to ROS, such as -r __ns:=/left.",
    )
    parser.add_argument("name", help="of a robot in config/robots/, or the path of a profile")
    parser.add_argument("--live", action="store_true", help="check it against the running graph")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long to look [%(default)s]")
    parser.add_argument("--limits", default="", help="limits to check: a name or a path; default: the profile's")
    parser.add_argument("--checkpoint", type=Path, help="run folder, whose statistics must have the profile's dataset")
    parser.add_argument("--image-transport", choices=("profile", "raw", "compressed"), default="profile")
    ours, ros = split_ros_arguments(argv)
    given = parser.parse_args(ours)
    if not 0.5 <= given.seconds <= 600.0:
        parser.error(f"--seconds must be 0.5 to 600, not {given.seconds:g}")
    return given, ros


def _counted(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def _judge_checkpoint(profile: RobotProfile, folder: Path) -> Finding:
    file = folder / "dataset_statistics.json"
    try:
        datasets = list(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as problem:
        return error(
            str(folder), f"{file.name} cannot be read: {problem}", "name a run folder: fetch_checkpoint lists some"
        )
    if profile.dataset not in datasets:
        return error(
            str(folder),
            f"it has no statistics for dataset {profile.dataset!r}{alike(profile.dataset, datasets)}; "
            f"it has {', '.join(datasets)}",
            "set dataset in the profile, or launch with dataset:=",
        )
    return good(str(folder), f"has the statistics of dataset {profile.dataset!r}")


def _look(
    profile: RobotProfile, limits: SafetyLimits, description: str | None, given: argparse.Namespace, ros: list[str]
) -> list[Finding]:
    try:
        import rclpy
    except ImportError:
        remedy = "source a ROS distribution, or . tools/environment.sh"
        return [error("ROS", "rclpy cannot be imported: the running graph was not looked at", remedy)]

    from instructvla_ros.nodes.graph_look import GraphLook

    rclpy.init(args=[sys.argv[0], *ros])
    node = rclpy.create_node("check_profile")
    try:
        seen = GraphLook(node, profile, given.image_transport).look(given.seconds)
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return judge(profile, limits, seen, description)


if __name__ == "__main__":
    sys.exit(main())
