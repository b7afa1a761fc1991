# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""rosbag2 recordings become demonstrations with the actions that the arm made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.sim.arm_model import ARM_JOINTS, GRIPPER_JOINT, HOME, urdf
from instructvla_ros.training.dataset import DatasetError, read_dataset
from instructvla_ros.training.recordings import Topics, main, read_recording

RATE = 30
SECONDS = 4


@pytest.fixture(scope="module", params=["SQLITE3", "MCAP"])
def bag(request, tmp_path_factory):
    """Four seconds of an arm that turns its waist and shuts its gripper half way, asked two things."""
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_JAZZY)
    types = store.types
    folder = tmp_path_factory.mktemp("bag") / "recording"
    with Writer(folder, version=9, storage_plugin=getattr(StoragePlugin, request.param)) as writer:

        def topic(name, kind):
            connection = writer.add_connection(name, kind, typestore=store)
            return lambda stamp, message: writer.write(connection, stamp, store.serialize_cdr(message, kind))

        image = topic("/image", "sensor_msgs/msg/Image")
        joints = topic("/joint_states", "sensor_msgs/msg/JointState")
        asked = topic("/instruction", "std_msgs/msg/String")
        described = topic("/robot_description", "std_msgs/msg/String")
        string = types["std_msgs/msg/String"]
        start = 1_000_000_000_000
        described(start, string(urdf()))
        rng = np.random.default_rng(0)
        for index in range(SECONDS * RATE + 1):
            stamp = start + index * 1_000_000_000 // RATE
            seconds = index / RATE
            header = types["std_msgs/msg/Header"](
                types["builtin_interfaces/msg/Time"](stamp // 10**9, stamp % 10**9), ""
            )
            pixels = rng.integers(0, 256, 24 * 32 * 3, dtype=np.uint8)
            image(stamp, types["sensor_msgs/msg/Image"](header, 24, 32, "rgb8", 0, 96, pixels))
            finger = 0.037 if seconds < 2.0 else 0.0
            positions = np.array([*waist(seconds), finger])
            names = [*ARM_JOINTS, GRIPPER_JOINT]
            joints(stamp, types["sensor_msgs/msg/JointState"](header, names, positions, np.array([]), np.array([])))
            if index % 15 == 0:
                asked(stamp, string("wave" if seconds < 3.0 else "stop waving"))
    return folder


def waist(seconds: float) -> np.ndarray:
    positions = np.array(HOME, dtype=np.float64)
    positions[0] += 0.2 * seconds
    return positions


def test_a_recording_becomes_an_episode_for_each_instruction(bag):
    profile = RobotProfile.load("sim")
    first, second = read_recording(bag, profile, Topics())
    assert (first.task, second.task) == ("wave", "stop waving")
    assert len(first.frames) == 15 and len(second.frames) == 5
    chain = KinematicChain.from_urdf(urdf(), profile.base_frame, profile.tip_frame)
    for index, frame in enumerate(first.frames):
        (label,) = frame.labels
        assert label.instruction == "wave" and label.chunk.shape == (16, 7)
        before, after = chain.forward(waist(0.2 * index)), chain.forward(waist(0.2 * (index + 1)))
        np.testing.assert_allclose(label.chunk[0, :3], (after - before)[:3, 3], atol=2e-3)
        np.testing.assert_allclose(label.chunk[0, 3:6], (0.0, 0.0, 0.04), atol=2e-3)
        np.testing.assert_allclose(frame.state[:3], before[:3, 3], atol=2e-3)
        assert label.chunk[0, 6] == float(0.2 * (index + 1) < 1.99)


def test_of_a_recording_that_was_cut_what_is_there_is_used_and_the_cut_is_told(bag, tmp_path, caplog):
    (file,) = (path for path in bag.iterdir() if path.suffix in (".mcap", ".db3"))
    cut = tmp_path / file.name
    cut.write_bytes(file.read_bytes()[: file.stat().st_size * 3 // 5])
    (episode,) = read_recording(cut, RobotProfile.load("sim"), Topics())
    assert 5 <= len(episode.frames) < 15
    assert "that can be read is of /" in caplog.text


def test_the_command_writes_a_dataset_that_training_reads(bag, tmp_path, capsys):
    pytest.importorskip("pyarrow")
    assert main([str(tmp_path / "dataset"), str(bag), "--robot", "sim"]) == 0
    assert "2 episodes, 20 frames" in capsys.readouterr().out
    first, second = read_dataset(tmp_path / "dataset", 8)
    assert first.frames[0].labels[0].chunk.shape == (8, 7)
    assert second.frames[0].labels[0].instruction == "stop waving"


def test_what_a_recording_lacks_is_told(bag, tmp_path, capsys):
    profile = RobotProfile.load("sim")
    with pytest.raises(DatasetError, match="has no messages on /camera"):
        list(read_recording(bag, profile, Topics(images=("/camera",))))
    with pytest.raises(DatasetError, match="does not say what was asked"):
        list(read_recording(bag, profile, Topics(instruction="/nothing")))
    with pytest.raises(DatasetError, match="give the robot's URDF with --urdf"):
        list(read_recording(bag, profile, Topics(robot_description="/nothing")))
    with pytest.raises(DatasetError, match="has no value for joint|lacks"):
        list(read_recording(bag, RobotProfile.load("widowx"), Topics(), urdf=_renamed()))
    assert main([str(tmp_path / "new"), str(tmp_path / "missing"), "--robot", "sim"]) == 1
    assert "there is no recording" in capsys.readouterr().err


def _renamed() -> str:
    """The arm with the frames of another robot, whose finger joint is the same but one arm joint is not."""
    profile = RobotProfile.load("widowx")
    text = urdf().replace("base_link", profile.base_frame).replace("gripper_link", profile.tip_frame)
    return text.replace('"waist"', '"hip"')


def test_pictures_are_cut_and_turned_as_the_policy_s_are(bag):
    profile = RobotProfile.load("sim")
    camera = replace(profile.interface.cameras["primary"], crop=(0.5, 0.0, 1.0, 1.0), rotate=90)
    turned = replace(profile, interface=replace(profile.interface, cameras={"primary": camera}))
    whole = next(iter(read_recording(bag, profile, Topics()))).frames[0].images()[0]  # (24, 32, 3)
    part = next(iter(read_recording(bag, turned, Topics()))).frames[0].images()[0]
    assert whole.shape == (24, 32, 3) and part.shape == (16, 24, 3)
