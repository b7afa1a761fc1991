# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether what was seen of a live graph fits a profile, and what to do where it does not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from instructvla_ros.checking.cameras import judge_cameras
from instructvla_ros.checking.clock import judge_clocks
from instructvla_ros.checking.findings import Finding, alike, error, good, warning
from instructvla_ros.checking.seen import Command, JointStream, Seen
from instructvla_ros.checking.streams import judge_stream, nobody_publishes
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.robot.urdf import read_joints
from instructvla_ros.safety import SafetyLimits

_OUTSIDE = 0.05  # [rad or m] by which a position may be outside of its range before it is told


def judge(profile: RobotProfile, limits: SafetyLimits, seen: Seen, description: str | None = None) -> list[Finding]:
    """Everything that was found, good and bad.

    Args:
        profile: of the robot.
        limits: of the robot.
        seen: of the graph.
        description: the robot description, where the profile reads it from a file.
    """
    text = description if description is not None else seen.description
    findings = list(_judge_description(profile, limits, seen, text, description is not None))
    findings += _judge_joints(profile, limits, seen.joints, text)
    findings += judge_cameras(profile, seen, text)
    findings += judge_clocks(profile, limits, seen)
    for command in seen.commands:
        findings += _judge_command(profile, command)
    return findings


def _judge_description(
    profile: RobotProfile, limits: SafetyLimits, seen: Seen, text: str | None, from_file: bool
) -> Iterator[Finding]:
    topic = "robot_description" if from_file else seen.description_topic
    if text is None:
        latched = [publisher for publisher in seen.description_publishers if publisher.latched]
        if seen.description_publishers and not latched:
            by = ", ".join(publisher.node for publisher in seen.description_publishers)
            yield error(
                topic,
                f"{by} publishes it, but not latched, and sent nothing while we listened",
                "publish it transient local, as robot_state_publisher does",
            )
        else:
            yield error(
                topic,
                f"no URDF came within {seen.seconds:.0f} s",
                "start robot_state_publisher with the robot's URDF, or name a file in the profile: "
                "robot_description: {from: file, path: ...}",
            )
        return
    try:
        chain = profile.chain(text)
    except ValueError as problem:
        yield error(topic, str(problem), "correct base_frame, tip_frame or joints of the profile, or the URDF")
        return
    if set(chain.joint_names) != set(profile.joints):
        yield error(
            topic,
            f"between {profile.base_frame} and {profile.tip_frame} the URDF has the joints "
            f"{', '.join(chain.joint_names)}, the profile names {', '.join(profile.joints)}",
            "name these joints in the profile, or other frames",
        )
        return
    try:
        limits.check_against(chain)
    except ValueError as problem:
        yield error(
            topic, f"limits {profile.interface.limits}: {problem}", "correct the limits file: it must not be looser"
        )
        return
    yield from _judge_gripper(profile, topic, text)
    yield good(topic, f"its chain has the profile's {len(chain.joint_names)} joints, and the limits fit it")


def _judge_gripper(profile: RobotProfile, topic: str, text: str) -> Iterator[Finding]:
    grip = profile.gripper
    joints = {joint.name: joint for joint in read_joints(text)[1].values()}
    joint = joints.get(grip.joint)
    if joint is None:
        yield warning(
            topic,
            f"the URDF has no gripper joint {grip.joint!r}{alike(grip.joint, joints)}",
            "harmless where the driver's joint has another name than the URDF's; check gripper.joint of the profile",
        )
        return
    for name, position in (("closed", grip.closed), ("open", grip.open)):
        if not joint.lower - _OUTSIDE <= position <= joint.upper + _OUTSIDE:
            yield warning(
                topic,
                f"gripper.{name} is {position:g}, the URDF's {grip.joint} goes from {joint.lower:g} to {joint.upper:g}",
                "measure the joint's position with the gripper closed and open: ros2 topic echo the joint states",
            )


def _judge_joints(
    profile: RobotProfile, limits: SafetyLimits, joints: JointStream, text: str | None
) -> Iterator[Finding]:
    if not joints.arrivals:
        yield nobody_publishes(joints, "the joint states of the arm", "joint_states", {})
        return
    missing = [name for name in (*profile.joints, profile.gripper.joint) if name not in joints.names]
    for name in missing:
        key = "gripper.joint" if name == profile.gripper.joint else "joints"
        yield error(
            joints.topic,
            f"no joint {name!r}{alike(name, joints.names)}; it has {', '.join(joints.names)}",
            f"correct {key} of the profile, or the driver's joint names or prefix; where arm and gripper publish on "
            "different topics, join them with joint_state_publisher",
        )
    longest = min(limits.joint_state_age, profile.ages.joint_state)
    yield from judge_stream(
        joints,
        longest,
        profile.ages.future,
        "joint states",
        "raise the driver's rate, or joint_state_age in the limits",
    )
    if not missing:
        apart = " (arm and gripper apart)" if joints.apart else ""
        yield good(joints.topic, f"has every joint of arm and gripper{apart}")
        yield from _judge_positions(profile, joints, text)


def _judge_positions(profile: RobotProfile, joints: JointStream, text: str | None) -> Iterator[Finding]:
    chain = _chain(profile, text)
    if chain is None:
        return
    for name, lower, upper in zip(chain.joint_names, chain.lower, chain.upper, strict=True):
        position = joints.positions.get(name, 0.0)
        if not lower - _OUTSIDE <= position <= upper + _OUTSIDE:
            degrees = " (is it in degrees?)" if abs(position) > 2.0 * np.pi else ""
            yield error(
                joints.topic,
                f"{name} is at {position:.3f}, the URDF allows {lower:.3f} to {upper:.3f} rad or m{degrees}",
                "calibrate the arm's zero, or correct the URDF; joint states are in radians",
            )


def _chain(profile: RobotProfile, text: str | None) -> KinematicChain | None:
    if text is None:
        return None
    try:
        return profile.chain(text)
    except ValueError:
        return None  # told already


def _judge_command(profile: RobotProfile, command: Command) -> Iterator[Finding]:
    what = "action" if command.action else "topic"
    others = [master.node for master in command.masters]
    if others:
        yield error(
            command.topic,
            f"{', '.join(others)} sends commands here too",
            "end it: two masters are a fault, and the safety filter would stop",
        )
    fitting = [listener for listener in command.listeners if listener.type == command.type or command.action]
    if fitting:
        yield good(command.topic, f"{', '.join(listener.node for listener in fitting)} takes {command.type}")
        return
    wrong = ", ".join(f"{listener.node} wants {listener.type}" for listener in command.listeners)
    if wrong:
        yield error(
            command.topic, f"{wrong}, the profile sends {command.type}", "another kind in output or gripper_output"
        )
    else:
        level = warning if profile.interface.simulation else error
        yield level(
            command.topic,
            f"no driver listens to this {what} ({command.type})",
            "start the driver and its controller (ros2 control list_controllers), or correct the topic in output or "
            "gripper_output of the profile",
        )
