# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Make a bag of real WidowX steps from a sample of BridgeData V2.

    . tools/environment.sh
    python tools/bridge_bag.py recordings/bridge_widowx --sample ../shared/data/bridge_sample.npz

The sample is an .npz with `images` (N, T, H, W, 3) uint8 RGB, `states` (N, T, 7) x, y, z [m], roll, pitch, yaw [rad],
gripper opening, `actions` (N, T, 7) deltas of the same and the gripper wanted, `instructions` (N,). Each of the N
stretches is played at 5 Hz, with a pause after it in which nothing is asked.

Recorded are frames, gripper poses, gripper openings, actions and instructions. Two things are not in the sample: times,
and joint angles. The latter are those with which the arm of a URDF takes the recorded poses; by default that is the
simulated arm of this package, as the URDF of the WidowX is not ours to ship.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from instructvla_ros.bags.message_types import type_store  # noqa: E402
from instructvla_ros.bags.writing import BagWriter, Quality  # noqa: E402
from instructvla_ros.policy.action_units import ACTION_UNITS  # noqa: E402
from instructvla_ros.policy.profile import RobotProfile  # noqa: E402
from instructvla_ros.policy.proprioception import TOP_DOWN  # noqa: E402
from instructvla_ros.robot.action_chunk import DeltaReference  # noqa: E402
from instructvla_ros.sim.arm_model import HOME, urdf  # noqa: E402
from instructvla_ros.timing import NANOSECONDS  # noqa: E402

RATE = 5  # [Hz] of the data set
PAUSE = 2 * NANOSECONDS
START = 1_672_531_200 * NANOSECONDS  # 2023-01-01: the sample has no times
SENSOR, RELIABLE, LATCHED = Quality(reliable=False), Quality(), Quality(latched=True, depth=1)
ABOUT = {
    "origin": "BridgeData V2 (Walke et al., BridgeData V2: A Dataset for Robot Learning at Scale, CoRL 2023, "
    "https://rail-berkeley.github.io/bridgedata/), from the test sample in https://github.com/octo-models/octo",
    "license": "MIT, as the Octo project publishes the sample",
    "recorded": "image, end_effector_pose, the gripper's opening in joint_states, action_chunk (the actions of the "
    "steps that follow, deltas from the pose wanted last), instruction",
    "not recorded": "times are made up, at 5 Hz; joint angles are computed: with them the arm in robot_description "
    "takes the recorded poses",
}


class _Topics:
    """Writes messages that are given by their fields."""

    def __init__(self, writer: BagWriter, frame: str) -> None:
        self._writer, self._frame, self._store = writer, frame, type_store()

    def make(self, kind: str, *fields: Any) -> Any:
        return self._store.types[kind](*fields)

    def header(self, stamp: int, frame: str | None = None) -> Any:
        time = self.make("builtin_interfaces/msg/Time", stamp // NANOSECONDS, stamp % NANOSECONDS)
        return self.make("std_msgs/msg/Header", time, frame or self._frame)

    def write(self, topic: str, kind: str, quality: Quality, stamp: int, *fields: Any) -> None:
        self._writer.add_topic(topic, kind, quality)
        self._writer.write(topic, stamp, bytes(self._store.serialize_cdr(self.make(kind, *fields), kind)))


def write_bag(path: Path, sample: dict[str, np.ndarray], profile: RobotProfile, description: str) -> int:
    """Write the bag.

    Args:
        path: folder to make.
        sample: arrays by name, see above.
        profile: names frames, joints and gripper of the arm.
        description: its URDF.

    Returns:
        How many steps were written.

    Raises:
        ValueError: the arm cannot take a recorded pose.
    """
    about = {**ABOUT, "robot": profile.name, "steps per stretch": json.dumps(sample["states"].shape[1])}
    chain = profile.chain(description)
    stamp = START
    with BagWriter(path, about) as writer:
        topics = _Topics(writer, profile.base_frame)
        topics.write("/robot_description", "std_msgs/msg/String", LATCHED, stamp, description)
        for number, text in enumerate(sample["instructions"]):
            joints = np.array(HOME, dtype=np.float64)
            topics.write("/instruction", "std_msgs/msg/String", LATCHED, stamp, str(text))
            states, actions = sample["states"][number].astype(float), sample["actions"][number].astype(float)
            for step, (picture, state) in enumerate(zip(sample["images"][number], states, strict=True)):
                pose = np.eye(4)
                pose[:3, 3] = state[:3]
                pose[:3, :3] = Rotation.from_euler("xyz", state[3:6]).as_matrix() @ TOP_DOWN
                found = chain.inverse(pose, joints)
                if not found.converged:
                    raise ValueError(f"the arm cannot take the pose of step {step} of stretch {number}: {state[:6]}")
                joints = found.positions
                _write_state(
                    topics, stamp, profile, chain.joint_names, joints, pose, float(np.clip(state[6], 0.0, 1.0))
                )
                height, width, _ = picture.shape
                fields = (height, width, "rgb8", 0, 3 * width, np.ascontiguousarray(picture).reshape(-1))
                topics.write("/image", "sensor_msgs/msg/Image", SENSOR, stamp, topics.header(stamp, "camera"), *fields)
                _write_actions(topics, stamp, profile, number, step, actions[step:], str(text))
                stamp += NANOSECONDS // RATE
            topics.write("/instruction", "std_msgs/msg/String", LATCHED, stamp, "")
            stamp += PAUSE
    return int(sample["states"].shape[0] * sample["states"].shape[1])


def _write_state(
    topics: _Topics,
    stamp: int,
    profile: RobotProfile,
    names: Sequence[str],
    joints: np.ndarray,
    pose: np.ndarray,
    opening: float,
) -> None:
    gripper = profile.gripper
    positions = np.array([*joints, gripper.closed + opening * (gripper.open - gripper.closed)])
    nothing = np.zeros(0)
    fields = (topics.header(stamp), [*names, gripper.joint], positions, nothing, nothing)
    topics.write("/joint_states", "sensor_msgs/msg/JointState", SENSOR, stamp, *fields)
    where = topics.make("geometry_msgs/msg/Point", *map(float, pose[:3, 3]))
    turned = topics.make("geometry_msgs/msg/Quaternion", *map(float, Rotation.from_matrix(pose[:3, :3]).as_quat()))
    fields = (topics.header(stamp), topics.make("geometry_msgs/msg/Pose", where, turned))
    topics.write("/end_effector_pose", "geometry_msgs/msg/PoseStamped", SENSOR, stamp, *fields)


def _write_actions(
    topics: _Topics, stamp: int, profile: RobotProfile, epoch: int, sequence: int, actions: np.ndarray, text: str
) -> None:
    translations, rotations = ACTION_UNITS["bridge"].to_metric(actions)
    vector = "geometry_msgs/msg/Vector3"
    steps = [
        topics.make(
            "instructvla_ros/msg/EndEffectorAction",
            topics.make(vector, *way),
            topics.make(vector, *turn),
            float(opening),
        )
        for way, turn, opening in zip(translations.tolist(), rotations.tolist(), actions[:, 6], strict=True)
    ]
    zero = topics.make("builtin_interfaces/msg/Time", 0, 0)
    numbers = (epoch + 1, sequence + 1, 1.0 / RATE, int(DeltaReference.TARGET))
    header = topics.header(stamp)
    fields = (header, *numbers, steps, text, 0.0, 0.0, header.stamp, zero)  # from the joint states of the same stamp
    topics.write("/action_chunk", "instructvla_ros/msg/ActionChunk", RELIABLE, stamp, *fields)


def main(argv: Sequence[str] | None = None) -> int:
    """Make the bag named on the command line."""
    shared = Path(os.environ.get("INSTRUCTVLA_SHARED", ROOT / ".." / "shared"))
    parser = argparse.ArgumentParser(description="A bag of real WidowX steps from a sample of BridgeData V2.")
    parser.add_argument("bag", type=Path, help="folder to make")
    parser.add_argument("--sample", type=Path, default=shared / "data" / "bridge_sample.npz", help="the .npz")
    parser.add_argument("--robot", default="sim", help="profile of the arm that takes the poses")
    parser.add_argument("--urdf", type=Path, default=None, help="its description; default: the simulated arm's")
    parser.add_argument("--stretches", type=int, nargs="+", default=None, help="numbers from 0; default: all")
    parser.add_argument("--overwrite", action="store_true", help="remove the folder first")
    arguments = parser.parse_args(argv)
    try:
        with np.load(arguments.sample, allow_pickle=False) as file:
            sample = {name: file[name] for name in ("images", "states", "actions", "instructions")}
        if arguments.stretches is not None:
            sample = {name: values[arguments.stretches] for name, values in sample.items()}
        if arguments.overwrite and (arguments.bag / "metadata.yaml").exists():
            shutil.rmtree(arguments.bag)
        description = urdf() if arguments.urdf is None else arguments.urdf.read_text(encoding="utf-8")
        count = write_bag(arguments.bag, sample, RobotProfile.load(arguments.robot), description)
    except (OSError, ValueError, KeyError, IndexError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{count} steps in {arguments.bag}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
