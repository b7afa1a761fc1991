# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""rosbag2 recordings of one's own robot as demonstrations.

    python -m instructvla_ros.training.recordings DATASET BAG [BAG ...] --robot widowx

A recording holds pictures, joint states, and what was asked, as text. It is cut where another text begins, and sampled
at the rate of the robot's profile. An action is the gripper's measured way from one sample to the next, in the units
of the profile. ROS is not needed. Of a bag that was cut or damaged, what can be read is used; what is wrong is said.
"""

import argparse
import logging
import sys
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from instructvla_ros.bags.pictures import PictureError, to_rgb
from instructvla_ros.bags.reading import Bag, BagReadingError
from instructvla_ros.policy.action_units import ACTION_UNITS, RotationFormat
from instructvla_ros.policy.frames import frame_fault
from instructvla_ros.policy.picture import shown
from instructvla_ros.policy.policy import VIEWS
from instructvla_ros.policy.profile import ProfileError, RobotProfile
from instructvla_ros.policy.proprioception import PROPRIOCEPTION
from instructvla_ros.robot.joint_state import JointState, JointStateError
from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.robot.urdf import UrdfError
from instructvla_ros.timing import NANOSECONDS
from instructvla_ros.training.dataset import DatasetError, DatasetWriter, Demonstration, chunks_of
from instructvla_ros.training.extras import MissingExtraError
from instructvla_ros.training.frames import Frame, Label, encode_picture

CHUNK_LENGTH = 16
_SHORTEST = 4  # samples of an episode
_SAME_TIME = 1e-4  # [s] sums of binary fractions fall short of each other by less
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Topics:
    """Where a recording holds what.

    Attributes:
        images: sensor_msgs/Image or CompressedImage, one a view, the third-person view first.
        joint_states: sensor_msgs/JointState.
        instruction: std_msgs/String.
        robot_description: std_msgs/String with a URDF; needed unless one is given.
    """

    images: tuple[str, ...] = ("/image",)
    joint_states: str = "/joint_states"
    instruction: str = "/instruction"
    robot_description: str = "/robot_description"


@dataclass(frozen=True, eq=False)
class _Track:
    """Messages of one topic, by time [s]."""

    times: list[float]
    messages: list[Any]

    def newest(self, time: float, oldest: float) -> Any | None:
        """The newest message at a time, None if it is older than so many seconds."""
        index = bisect_right(self.times, time + _SAME_TIME) - 1
        return self.messages[index] if index >= 0 and time - self.times[index] <= oldest else None


def read_recording(
    bag: Path, profile: RobotProfile, topics: Topics, urdf: str | None = None, instruction: str | None = None
) -> Iterator[Demonstration]:
    """Read the episodes of a recording.

    Args:
        bag: folder of the bag.
        profile: names joints, gripper, rate, units and conventions.
        topics: where what is.
        urdf: the robot's description, if the recording has none.
        instruction: what was asked, if the recording does not say.

    Raises:
        DatasetError: names what the recording lacks, or what is wrong in it.
    """
    tracks = _read_tracks(bag, topics)
    if urdf is None:
        described = tracks.get(topics.robot_description)
        if described is None:
            raise DatasetError(f"{bag} has no {topics.robot_description}: give the robot's URDF with --urdf")
        urdf = described.messages[0].data
    chain = profile.chain(urdf)
    for topic in (*topics.images, topics.joint_states):
        if topic not in tracks:
            raise DatasetError(
                f"{bag} has no messages on {topic}; it has {', '.join(sorted(tracks)) or 'none of ours'}"
            )
    end = min(tracks[topic].times[-1] for topic in (*topics.images, topics.joint_states))
    for text, start, stop in _instructions(bag, tracks.get(topics.instruction), instruction, tracks[topics.images[0]]):
        frames = _sample(bag, tracks, topics, profile, chain, text, start, min(stop, end))
        if len(frames) >= _SHORTEST:
            yield Demonstration(text, frames)


def _instructions(
    bag: Path, track: _Track | None, given: str | None, images: _Track
) -> Iterator[tuple[str, float, float]]:
    """What was asked, from when to when; the same text again, and an empty one, are no new instruction."""
    if given is not None:
        yield given, images.times[0], float("inf")
        return
    if track is None:
        raise DatasetError(f"{bag} does not say what was asked: give it with --instruction")
    changes: list[tuple[str, float]] = []
    for time, message in zip(track.times, track.messages, strict=True):
        if not changes or message.data.strip() != changes[-1][0]:
            changes.append((message.data.strip(), time))
    for (text, start), (_, stop) in zip(changes, [*changes[1:], ("", float("inf"))], strict=True):
        if text:
            yield text, start, stop


def _sample(
    bag: Path,
    tracks: dict[str, _Track],
    topics: Topics,
    profile: RobotProfile,
    chain: KinematicChain,
    text: str,
    start: float,
    stop: float,
) -> list[Frame]:
    poses: list[np.ndarray] = []
    openings: list[float] = []
    states: list[np.ndarray] = []
    pictures: list[tuple[bytes, ...]] = []
    for index in range(int((stop - start + _SAME_TIME) / profile.period) + 1 if np.isfinite(stop) else 0):
        time = start + index * profile.period
        images = [tracks[topic].newest(time, profile.ages.image) for topic in topics.images]
        joints = tracks[topics.joint_states].newest(time, profile.ages.joint_state)
        if joints is None or any(image is None for image in images):
            if poses:  # a gap in the middle ends the episode: its actions would be leaps
                break
            continue
        state = JointState(time, tuple(joints.name), np.asarray(joints.position, dtype=np.float64))
        try:
            positions, _ = state.select(chain.joint_names)
            finger, _ = state.select((profile.gripper.joint,))
        except JointStateError as error:
            raise DatasetError(f"{bag}: {error}") from error
        pose, opening = chain.forward(positions), float(profile.gripper.opening(finger[0]))
        poses.append(pose)
        openings.append(opening)
        states.append(PROPRIOCEPTION[profile.proprioception](pose, opening).astype(np.float32))
        cameras = [profile.interface.cameras.get(view) for view in VIEWS]
        pictures.append(
            tuple(
                encode_picture(shown(_decode(bag, image), camera))
                for image, camera in zip(images, cameras, strict=False)
            )
        )
    if len(poses) < 2:
        return []
    actions = np.stack([_action(profile, *pair) for pair in zip(poses, poses[1:], openings[1:], strict=False)])
    chunks = chunks_of(actions.astype(np.float32), CHUNK_LENGTH)
    parts = zip(pictures, states, openings, chunks, strict=False)
    return [
        Frame(shown, state, round(opening, 4), (Label(chunk, instruction=text),))
        for shown, state, opening, chunk in parts
    ]


def _action(profile: RobotProfile, before: np.ndarray, after: np.ndarray, opening: float) -> np.ndarray:
    """``(7,)`` from pose to pose ``(4, 4)``, in the units of the profile's dataset."""
    units = ACTION_UNITS[profile.action_units]
    turn = Rotation.from_matrix(after[:3, :3] @ before[:3, :3].T)
    is_euler = units.rotation_format is RotationFormat.ROLL_PITCH_YAW
    rotation = turn.as_euler("xyz") if is_euler else turn.as_rotvec()
    way = (after[:3, 3] - before[:3, 3]) / units.translation_scale
    return np.array([*way, *(rotation / units.rotation_scale), float(opening > 0.5)])


def _read_tracks(bag: Path, topics: Topics) -> dict[str, _Track]:
    wanted = {*topics.images, topics.joint_states, topics.instruction, topics.robot_description}
    if not bag.exists():
        raise DatasetError(f"there is no recording {bag}")
    rows: dict[str, list[tuple[float, Any]]] = {}
    try:
        with Bag(bag) as opened:
            for message, content in opened.decoded(wanted):
                stamp = opened.header_stamp(message) or message.stamp
                rows.setdefault(message.topic, []).append((stamp / NANOSECONDS, content))
            for finding in opened.findings:
                _LOGGER.warning("%s", finding)
    except BagReadingError as error:
        raise DatasetError(str(error)) from error
    tracks = {}
    for topic, found in rows.items():
        found.sort(key=lambda row: row[0])
        tracks[topic] = _Track([time for time, _ in found], [message for _, message in found])
    return tracks


def _decode(bag: Path, message: Any) -> np.ndarray:
    """``(H, W, 3)`` uint8 RGB."""
    try:
        rgb = to_rgb(message)
    except PictureError as error:
        raise DatasetError(f"{bag}: {error}") from error
    fault = frame_fault(rgb)
    if fault:
        raise DatasetError(f"{bag}: a picture cannot be used: {fault}")
    return rgb


def main(argv: Sequence[str] | None = None) -> int:
    """Turn recordings into a dataset from the command line."""
    parser = argparse.ArgumentParser(description="rosbag2 recordings as a training dataset, in LeRobot's layout.")
    parser.add_argument("dataset", type=Path, help="folder to write")
    parser.add_argument("bags", type=Path, nargs="+", help="folders of the recordings")
    parser.add_argument("--robot", required=True, help="robot profile: a name in config/robots, or a YAML file")
    parser.add_argument("--images", nargs="+", default=list(Topics.images), help="topics, third-person view first")
    parser.add_argument("--joint-states", default=Topics.joint_states)
    parser.add_argument("--instruction-topic", default=Topics.instruction)
    parser.add_argument("--instruction", default=None, help="what was asked, if the recordings do not say")
    parser.add_argument("--urdf", type=Path, default=None, help="the robot's description, if the recordings have none")
    arguments = parser.parse_args(argv)
    topics = Topics(tuple(arguments.images), arguments.joint_states, arguments.instruction_topic)
    try:
        profile = RobotProfile.load(arguments.robot)
        urdf = None if arguments.urdf is None else arguments.urdf.read_text(encoding="utf-8")
        writer: DatasetWriter | None = None
        episodes = frames = 0
        for bag in arguments.bags:
            for demonstration in read_recording(bag, profile, topics, urdf, arguments.instruction):
                if writer is None:
                    height, width = demonstration.frames[0].images()[0].shape[:2]
                    views = ("front", "wrist")[: len(topics.images)]
                    rate = profile.control_rate
                    writer = DatasetWriter(arguments.dataset, views, rate, profile.name, (width, height))
                writer.add(demonstration)
                episodes, frames = episodes + 1, frames + len(demonstration.frames)
    except (DatasetError, MissingExtraError, ProfileError, UrdfError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{episodes} episodes, {frames} frames in {arguments.dataset}")
    return 0 if episodes else 1


if __name__ == "__main__":
    sys.exit(main())
