# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a bag holds for a score: all but the pictures in memory, the pictures one after the other.

A joint state takes about 0.4 kB here, a chunk 3 kB. Pictures are read a second time while the policy looks at them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from instructvla_ros.bags.clocks import FAR
from instructvla_ros.bags.message_types import UnknownTypeError
from instructvla_ros.bags.pictures import to_rgb
from instructvla_ros.bags.reading import Bag, BagMessage
from instructvla_ros.bags.scoring.alignment import Spans
from instructvla_ros.bags.scoring.playback import Picture
from instructvla_ros.bags.scoring.topics import Topics
from instructvla_ros.policy.picture import shown
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.robot.action_chunk import ActionChunk, DeltaReference
from instructvla_ros.robot.joint_state import JointState
from instructvla_ros.robot.joint_state_merger import JointStateMerger
from instructvla_ros.robot.poses import pose
from instructvla_ros.safety import LATCHED_STATES
from instructvla_ros.stamps import seconds
from instructvla_ros.timing import NANOSECONDS


@dataclass
class Recorded:
    """What was recorded, on the clock of the pictures' stamps.

    Attributes:
        start: of the bag [s].
        end: of the bag [s].
        offset: what is added to record times to bring them onto that clock [s].
        urdf: the robot description; None where there is none.
        instructions: text and from when on [s].
        joint_times: when each joint state was recorded [s], rising.
        joint_states: likewise.
        chunks: with steps and without, in the order of recording.
        trajectories: from when on [s], joint names, times ``(P,)`` [s], positions ``(P, n)`` [rad or m].
        gripper_commands: when [s], and position in the driver's units.
        poses: measured, stamp [s], position ``(3,)`` [m], quaternion x, y, z, w ``(4,)``.
        stopped: from when to when the safety filter kept the arm stopped [s].
    """

    start: float
    end: float
    offset: float = 0.0
    urdf: str | None = None
    instructions: list[tuple[float, str]] = field(default_factory=list)
    joint_times: list[float] = field(default_factory=list)
    joint_states: list[JointState] = field(default_factory=list)
    chunks: list[ActionChunk] = field(default_factory=list)
    trajectories: list[tuple[float, tuple[str, ...], np.ndarray, np.ndarray]] = field(default_factory=list)
    gripper_commands: list[tuple[float, float]] = field(default_factory=list)
    poses: list[tuple[float, np.ndarray, np.ndarray]] = field(default_factory=list)
    stopped: list[tuple[float, float]] = field(default_factory=list)

    def spans(self) -> Spans:
        """What was asked, and when the arm was stopped."""
        return Spans(tuple(self.instructions), tuple(self.stopped))


def read_recorded(bag: Bag, topics: Topics, profile: RobotProfile, instruction: str | None = None) -> Recorded:
    """Read all but the pictures.

    Args:
        bag: open.
        topics: where what is.
        profile: names the joints.
        instruction: what was asked, whatever the bag says; None: what it says.
    """
    offset = _offset(bag, topics.images["primary"])
    recorded = Recorded(bag.start / NANOSECONDS + offset, bag.end / NANOSECONDS + offset, offset)
    merger = JointStateMerger(profile.joints, profile.gripper.joint)
    same_names: dict[tuple[str, ...], tuple[str, ...]] = {}  # each message brings its own copy of them
    pose_is_measured = profile.interface.end_effector_pose.is_measured
    stop_began: float | None = None
    names = [
        name
        for name in (
            topics.joint_states, topics.instruction, topics.robot_description, topics.pose, topics.chunks,
            topics.trajectory, topics.gripper, topics.status,
        )
        if name
    ]  # fmt: skip
    for message, content in bag.decoded(names):
        time = message.stamp / NANOSECONDS + offset
        if message.topic == topics.joint_states:
            joints = tuple(content.name)
            joints = same_names.setdefault(joints, joints)
            positions = np.array(content.position, dtype=float)
            state = merger.merge(JointState(_stamp(bag, message, time), joints, positions))
            if state is not None:
                if pose_is_measured:
                    state = _with_pose(state, recorded, profile.ages.joint_state)
                recorded.joint_times.append(max(time, recorded.joint_times[-1] if recorded.joint_times else time))
                recorded.joint_states.append(state)
        elif message.topic == topics.instruction:
            recorded.instructions.append((time, content.data.strip()))
        elif message.topic == topics.robot_description:
            recorded.urdf = recorded.urdf or content.data
        elif message.topic == topics.chunks:
            recorded.chunks.append(chunk_of(content, _stamp(bag, message, time)))
        elif message.topic == topics.trajectory:
            _add_trajectory(recorded, content, _stamp(bag, message, time))
        elif message.topic == topics.gripper:
            position = _gripper_position(content, profile.gripper.joint)
            if position is not None:
                recorded.gripper_commands.append((time, position))
        elif message.topic == topics.pose:
            place, turn = content.pose.position, content.pose.orientation
            where = np.array((place.x, place.y, place.z))
            turned = np.array((turn.x, turn.y, turn.z, turn.w))
            ours = content.header.frame_id == profile.base_frame  # others the policy node refuses as well
            if ours and np.isfinite(where).all() and np.isfinite(turned).all() and turned.any():
                recorded.poses.append((_stamp(bag, message, time), where, turned))
        elif message.topic == topics.status:
            stopped = content.state in LATCHED_STATES
            if stopped and stop_began is None:
                stop_began = time
            elif not stopped and stop_began is not None:
                recorded.stopped.append((stop_began, time))
                stop_began = None
    if stop_began is not None:
        recorded.stopped.append((stop_began, recorded.end))
    if not topics.instruction:  # a chunk says what it serves
        recorded.instructions = [(chunk.stamp, chunk.instruction) for chunk in recorded.chunks if chunk.instruction]
    if instruction is not None:
        recorded.instructions = [(-np.inf, instruction.strip())]
    return recorded


def pictures_of(bag: Bag, topics: Topics, profile: RobotProfile, offset: float) -> Iterator[Picture]:
    """The pictures of a bag in the order of their record times, not decoded yet.

    Args:
        bag: open.
        topics: where they are.
        profile: says which part of them the model is shown.
        offset: as of :class:`Recorded`.
    """
    views = {topic: view for view, topic in topics.images.items()}
    for message in bag.messages(list(views)):
        time = message.stamp / NANOSECONDS + offset

        def decode(message: BagMessage = message) -> np.ndarray:
            try:
                return shown(to_rgb(bag.decode(message)), profile.interface.cameras.get(views[message.topic]))
            except UnknownTypeError as error:
                raise ValueError(str(error)) from error

        yield Picture(views[message.topic], _stamp(bag, message, time), time, decode)


def chunk_of(content: Any, stamp: float) -> ActionChunk:
    """An action chunk of a decoded message; a delta reference that is unknown counts as a target.

    Args:
        content: of instructvla_ros/msg/ActionChunk.
        stamp: that it shall have [s].
    """
    steps = np.array(
        [
            (a.translation.x, a.translation.y, a.translation.z, a.rotation.x, a.rotation.y, a.rotation.z, a.gripper)
            for a in content.actions
        ]
    ).reshape(-1, 7)
    measured = content.delta_reference == DeltaReference.MEASURED
    return ActionChunk(
        stamp=stamp,
        frame=content.header.frame_id,
        epoch=int(content.epoch),
        sequence=int(content.sequence),
        period=float(content.period),
        translations=steps[:, :3],
        rotations=steps[:, 3:6],
        grippers=steps[:, 6],
        delta_reference=DeltaReference.MEASURED if measured else DeltaReference.TARGET,
        instruction=content.instruction,
        observation_age=float(getattr(content, "observation_age", 0.0)),
        inference_time=float(content.inference_time),
        joint_state_stamp=_stamp_in(content, "joint_state_stamp"),
        reasoning_stamp=_stamp_in(content, "reasoning_stamp"),
    )


def _stamp_in(content: Any, name: str) -> float | None:
    """A time that a message may name [s]; None where it is zero, or where messages had no such field yet."""
    stamp = getattr(content, name, None)
    return None if stamp is None else seconds(stamp) or None


def rotation_matrices(quaternions: np.ndarray) -> np.ndarray:
    """Rotations ``(N, 3, 3)`` of quaternions x, y, z, w ``(N, 4)`` of any length but zero."""
    return Rotation.from_quat(quaternions).as_matrix() if len(quaternions) else np.empty((0, 3, 3))


def _stamp(bag: Bag, message: BagMessage, time: float) -> float:
    """When a message was made [s]: its header's stamp, or else when it was recorded."""
    stamp = bag.header_stamp(message)
    if not stamp:
        return time
    whole, rest = divmod(stamp, NANOSECONDS)
    return whole + rest / NANOSECONDS


def _offset(bag: Bag, topic: str) -> float:
    """From record times to the clock of a topic's headers [s]; 0 where they are the same."""
    for message in bag.messages([topic]):
        stamp = bag.header_stamp(message)
        if stamp:
            apart = stamp - message.stamp
            return apart / NANOSECONDS if abs(apart) > FAR else 0.0
    return 0.0


def _with_pose(state: JointState, recorded: Recorded, oldest: float) -> JointState:
    """The joint state with the newest measured pose, as the policy node adds it; without one where that is too old."""
    if not recorded.poses or abs(state.stamp - recorded.poses[-1][0]) > oldest:
        return state
    _, where, turned = recorded.poses[-1]
    return replace(state, end_effector=pose(where, rotation_matrices(turned[None])[0]))


def _gripper_position(content: Any, joint: str) -> float | None:
    """Where the gripper is sent: the only number, or the end of its joint's trajectory."""
    if hasattr(content, "data"):
        return float(content.data[0]) if len(content.data) else None
    names = list(content.joint_names)
    if not content.points or joint not in names or len(content.points[-1].positions) != len(names):
        return None
    return float(content.points[-1].positions[names.index(joint)])


def _add_trajectory(recorded: Recorded, content: Any, start: float) -> None:
    """Add what the arm was sent; of the trajectory before, only what had its turn until then is kept."""
    names = tuple(content.joint_names)
    points = [point for point in content.points if len(point.positions) == len(names)]
    if not points:
        return
    if recorded.trajectories:
        began, of, times, positions = recorded.trajectories[-1]
        count = int(np.searchsorted(times, start - began)) + 1
        recorded.trajectories[-1] = (began, of, times[:count].copy(), positions[:count].copy())
    times = np.array([seconds(point.time_from_start) for point in points])
    positions = np.array([point.positions for point in points]).reshape(-1, len(names))
    recorded.trajectories.append((start, names, times, positions))
