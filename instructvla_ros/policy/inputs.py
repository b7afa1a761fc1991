# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Judging the newest inputs of a policy: fresh enough, close enough together, usable; if not, why in plain words."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from instructvla_ros.policy.frames import frame_fault
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.robot.joint_state import JointState, JointStateError


@dataclass(frozen=True, eq=False)
class Frame:
    """One camera frame.

    Attributes:
        stamp: when it was taken [s].
        rgb: ``(H, W, 3)`` uint8; not checked yet.
    """

    stamp: float
    rgb: np.ndarray


@dataclass(frozen=True)
class InputAges:
    """Ages of the newest inputs [s]; None for what never came.

    Attributes:
        images: by view.
        joint_state: of the joint state.
    """

    images: Mapping[str, float | None]
    joint_state: float | None


def input_ages(now: float, frames: Mapping[str, Frame | None], joint_state: JointState | None) -> InputAges:
    """Ages at the time ``now`` [s], on the clock of the stamps."""
    return InputAges(
        images={view: None if frame is None else now - frame.stamp for view, frame in frames.items()},
        joint_state=None if joint_state is None else now - joint_state.stamp,
    )


def frames_fault(now: float, frames: Mapping[str, Frame | None], profile: RobotProfile) -> str | None:
    """Why the frames cannot be acted upon, in plain words; None if they can.

    Args:
        now: the present [s], on the clock of the stamps.
        frames: the newest frame of each view that the model takes; None for what never came.
        profile: names the limits.
    """
    for view, frame in frames.items():
        if frame is None:
            return f"no image from the {view} camera yet"
        fault = _age_fault(f"the {view} image", now, frame.stamp, profile.ages.image, profile.ages.future)
        if fault:
            return fault
        fault = frame_fault(frame.rgb)
        if fault:
            return f"the {view} image cannot be used: {fault}"
    stamps = [frame.stamp for frame in frames.values() if frame is not None]
    gap = max(stamps) - min(stamps)
    if gap > profile.ages.view_gap:
        return (
            f"the {' and '.join(frames)} images were taken {gap:.3f} s apart, more than {profile.ages.view_gap:g} s: "
            "are the cameras synchronised?"
        )
    return None


def joint_state_fault(now: float, joint_state: JointState | None, profile: RobotProfile) -> str | None:
    """Why the joint state cannot be acted upon, in plain words; None if it can.

    Args:
        now: the present [s], on the clock of the stamps.
        joint_state: the newest one; None if none ever came.
        profile: names the joints and the limits.
    """
    if joint_state is None:
        return "no joint state yet"
    fault = _age_fault("the joint state", now, joint_state.stamp, profile.ages.joint_state, profile.ages.future)
    if fault:
        return fault
    try:
        joint_state.select((*profile.joints, profile.gripper.joint))
    except JointStateError as error:
        return str(error)
    source = profile.interface.end_effector_pose
    if source.is_measured and joint_state.end_effector is None:
        return (
            f"no pose of the end effector {source} that is as new as the joint state to within "
            f"{profile.ages.joint_state:g} s and in frame {profile.base_frame}"
        )
    return None


def _age_fault(what: str, now: float, stamp: float, limit: float, future: float) -> str | None:
    if not math.isfinite(stamp):
        return f"the time stamp of {what} is {stamp}"
    age = now - stamp
    if age < -future:
        return (
            f"{what} is stamped {-age:.3f} s in the future, more than {future:g} s: "
            "are the clocks of its sender and of this machine synchronised?"
        )
    if age <= limit:
        return None
    if stamp == 0.0:
        return f"{what} has no time stamp: its sender leaves header.stamp at zero"
    return f"{what} is {age:.3f} s old, more than {limit:g} s"
