# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The recordings that come with the package are whole, say where they come from, and hold what they promise."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from instructvla_ros.bags.reading import Bag
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.policy.proprioception import bridge_proprioception
from instructvla_ros.robot.joint_state import JointState
from instructvla_ros.training.recordings import Topics, read_recording

ROOT = Path(__file__).resolve().parents[2]
BRIDGE = ROOT / "recordings" / "bridge_widowx"
SAMPLE = Path(os.environ.get("INSTRUCTVLA_SHARED", ROOT / ".." / "shared")) / "data" / "bridge_sample.npz"


@pytest.mark.parametrize("path", sorted((ROOT / "recordings").iterdir()), ids=lambda path: path.name)
def test_a_shipped_recording_has_nothing_wrong_and_says_what_it_is(path: Path) -> None:
    with Bag(path) as bag:
        assert sum(1 for _ in bag.decoded()) == bag.count > 100
        assert not bag.findings
        assert bag.about["robot"] == "sim"
    assert sum(file.stat().st_size for file in path.iterdir()) < 3_000_000


def test_the_real_recording_names_origin_and_licence_and_what_was_not_recorded() -> None:
    with Bag(BRIDGE) as bag:
        assert "BridgeData V2" in bag.about["origin"] and "MIT" in bag.about["license"]
        assert "joint angles are computed" in bag.about["not recorded"]


def test_joint_states_take_the_arm_to_the_recorded_poses() -> None:
    profile = RobotProfile.load("sim")
    joints, poses = {}, {}
    with Bag(BRIDGE) as bag:
        ((_, description),) = bag.decoded(["/robot_description"])
        chain = profile.chain(description.data)
        for message, content in bag.decoded(["/joint_states", "/end_effector_pose"]):
            if message.topic == "/joint_states":
                joints[message.stamp] = JointState(0.0, tuple(content.name), content.position)
            else:
                poses[message.stamp] = content.pose.position
    assert len(joints) == 180 and joints.keys() == poses.keys()
    for stamp, state in joints.items():
        positions, _ = state.select(chain.joint_names)
        where = poses[stamp]
        np.testing.assert_allclose(chain.forward(positions)[:3, 3], (where.x, where.y, where.z), atol=1e-4)


def test_recorded_actions_are_near_the_motion_that_followed() -> None:
    with Bag(BRIDGE) as bag:
        poses = [m.pose.position for _, m in bag.decoded(["/end_effector_pose"])]
        chunks = [m for _, m in bag.decoded(["/action_chunk"])]
        pictures = [m for _, m in bag.decoded(["/image"])]
    assert [len(chunk.actions) for chunk in chunks] == [*range(10, 0, -1)] * 18
    moved = np.array([(b.x - a.x, b.y - a.y, b.z - a.z) for a, b in zip(poses, poses[1:], strict=False)])
    wanted = np.array(
        [(c.actions[0].translation.x, c.actions[0].translation.y, c.actions[0].translation.z) for c in chunks]
    )
    within = [index for index in range(179) if index % 10 != 9]
    assert np.corrcoef(moved[within].ravel(), wanted[within].ravel())[0, 1] > 0.8
    assert {(picture.height, picture.width, picture.encoding) for picture in pictures} == {(64, 64, "rgb8")}


def test_the_real_recording_becomes_demonstrations_one_a_stretch() -> None:
    episodes = list(read_recording(BRIDGE, RobotProfile.load("sim"), Topics()))
    assert len(episodes) == 18 and {len(episode.frames) for episode in episodes} <= {9, 10}
    assert episodes[3].task == "put carrot on plate"


def test_the_command_makes_the_shipped_recording_again(tmp_path: Path) -> None:
    if not SAMPLE.exists():
        pytest.skip(f"{SAMPLE} is not here; INSTRUCTVLA_SHARED names the folder that holds data/")
    spec = importlib.util.spec_from_file_location("bridge_bag", ROOT / "tools" / "bridge_bag.py")
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.main([str(tmp_path / "bag"), "--sample", str(SAMPLE)]) == 0
    with Bag(tmp_path / "bag") as made, Bag(BRIDGE) as shipped, np.load(SAMPLE) as sample:
        for ours, theirs in zip(made.messages(), shipped.messages(), strict=True):
            if ours.topic == "/joint_states":  # computed: the last bits are the machine's
                mine, other = made.decode(ours), shipped.decode(theirs)
                np.testing.assert_allclose(mine.position, other.position, atol=1e-4)
            else:
                assert ours == theirs
        states = [bridge_proprioception(_matrix(m.pose), 1.0)[:6] for _, m in shipped.decoded(["/end_effector_pose"])]
        np.testing.assert_allclose(states, sample["states"].reshape(-1, 7)[:, :6], atol=1e-6)
        pictures = [m.data.reshape(64, 64, 3) for _, m in shipped.decoded(["/image"])]
        np.testing.assert_array_equal(np.array(pictures), sample["images"].reshape(-1, 64, 64, 3))
    assert tool.main([str(tmp_path / "bag"), "--sample", str(tmp_path / "none.npz")]) == 1


def _matrix(pose: Any) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = pose.position.x, pose.position.y, pose.position.z
    turned = (pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w)
    matrix[:3, :3] = Rotation.from_quat(turned).as_matrix()
    return matrix
