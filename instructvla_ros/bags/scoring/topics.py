# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which topics of a bag are the policy's inputs and the recorded actions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from instructvla_ros.bags.reading import BagTopic
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.policy.profile_interface import IMAGE_NAMES

IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
_JOINT_STATE = "sensor_msgs/msg/JointState"
_STRING = "std_msgs/msg/String"
_POSE = "geometry_msgs/msg/PoseStamped"
_CHUNK = "instructvla_ros/msg/ActionChunk"
_TRAJECTORY = "trajectory_msgs/msg/JointTrajectory"
GRIPPER_TYPES = ("std_msgs/msg/Float64MultiArray", _TRAJECTORY)
_STATUS = "instructvla_ros/msg/SafetyStatus"


class ScoringError(ValueError):
    """A recording cannot be scored; the message says what it lacks and what to do."""


@dataclass(frozen=True)
class Given:
    """Names of topics that a user gives; empty: as the profile or the package names them.

    Attributes:
        images: by view.
        joint_states: sensor_msgs/JointState.
        instruction: std_msgs/String.
        pose: geometry_msgs/PoseStamped of the gripper in the base frame.
    """

    images: Mapping[str, str]
    joint_states: str = ""
    instruction: str = ""
    pose: str = ""


@dataclass(frozen=True)
class Topics:
    """Full names of topics that the bag has, empty where it has none.

    Attributes:
        images: by view.
        joint_states: measured.
        instruction: what was asked.
        robot_description: URDF.
        pose: measured pose of the gripper.
        chunks: of a policy.
        trajectory: joint trajectories that the arm was sent.
        gripper: positions that the gripper was sent.
        status: of the safety filter.
        notes: what was taken for what, where that is not plain.
    """

    images: Mapping[str, str]
    joint_states: str
    instruction: str
    robot_description: str
    pose: str
    chunks: str
    trajectory: str
    gripper: str
    status: str
    notes: tuple[str, ...]


def find_topics(topics: Mapping[str, BagTopic], profile: RobotProfile, views: tuple[str, ...], given: Given) -> Topics:
    """Find them.

    Looked for are the profile's names, then those of this package. A name that does not begin with a slash is looked
    for without a namespace first, then in any, if there is only one.

    Args:
        topics: of the bag, by full name.
        profile: names the robot's topics.
        views: cameras that the model takes.
        given: by the user.

    Raises:
        ScoringError: the bag has no images for a view, or not the topic that the user names.
    """
    there = {name: topic.message_type for name, topic in topics.items() if topic.count}
    notes: list[str] = []
    interface = profile.interface

    def find(kinds: tuple[str, ...], by_user: str, *names: str) -> str:
        for name in (by_user,) if by_user else names:
            found = _find(there, name, kinds)
            if found:
                if not by_user and found.removesuffix("/compressed").lstrip("/") != names[0].lstrip("/"):
                    notes.append(f"{found} is taken for {names[0]}")
                return found
        if by_user:
            listed = ", ".join(sorted(name for name, kind in there.items() if kind in kinds)) or "none"
            raise ScoringError(f"the bag has no messages on {by_user}; topics of type {' or '.join(kinds)}: {listed}")
        return ""

    images = {}
    for view in views:
        camera = interface.cameras.get(view)
        names = (*([camera.topic] if camera else []), IMAGE_NAMES[view])
        found = find(IMAGE_TYPES, given.images.get(view, ""), *names)
        if not found:
            found = _only_one(there, views, names[0], view)
            notes.append(f"{found} is taken for the {view} camera, whose topic is {names[0]} in the profile")
        images[view] = found
    arm, gripper = interface.output, interface.gripper_output
    return Topics(
        images=images,
        joint_states=find((_JOINT_STATE,), given.joint_states, interface.joint_states, "joint_states"),
        instruction=find((_STRING,), given.instruction, "instruction"),
        robot_description=find((_STRING,), "", interface.robot_description.topic, "robot_description"),
        pose=find((_POSE,), given.pose, interface.end_effector_pose.topic, "end_effector_pose"),
        chunks=find((_CHUNK,), "", "action_chunk"),
        trajectory=find((_TRAJECTORY,), "", *_if(arm.kind == "joint_trajectory", arm.topic), "joint_trajectory"),
        gripper=find(GRIPPER_TYPES, "", *_if(bool(gripper.topic), gripper.topic), "gripper_command"),
        status=find((_STATUS,), "", "safety_status"),
        notes=tuple(notes),
    )


def _if(holds: bool, name: str) -> tuple[str, ...]:
    return (name,) if holds else ()


def _find(there: Mapping[str, str], name: str, kinds: tuple[str, ...]) -> str:
    """A topic of one of the kinds: by its full name, else in the only namespace that has it; raw images first."""
    full = name if name.startswith("/") else f"/{name}"
    fitting = [topic for topic, kind in there.items() if kind in kinds]
    for wanted in (full, f"{full}/compressed"):
        if wanted in fitting:
            return wanted
    if name.startswith("/"):
        return ""
    for end in (full, f"{full}/compressed"):
        inside = [topic for topic in fitting if topic.endswith(end)]
        if len(inside) == 1:
            return inside[0]
    return ""


def _only_one(there: Mapping[str, str], views: tuple[str, ...], name: str, view: str) -> str:
    """The only images of a bag, for a model with one camera."""
    images = sorted(topic for topic, kind in there.items() if kind in IMAGE_TYPES)
    if len(views) == 1 and len(images) == 1:
        return images[0]
    option = "--image" if view == "primary" else "--wrist-image"
    listed = ", ".join(images) or "none"
    raise ScoringError(
        f"the bag has no images of the {view} camera on {name or 'any topic that the profile names'}; "
        f"topics of images: {listed}. Name it with {option}"
    )
