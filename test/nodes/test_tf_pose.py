# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pose by tf2, against a stand-in of tf2_ros, which is not among the Python wheels."""

import subprocess
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from geometry_msgs.msg import TransformStamped

from instructvla_ros.nodes.tf_pose import TfPose
from instructvla_ros.policy.profile import ROBOTS_FOLDER
from instructvla_ros.shared_files import shared_folder


class TransformException(Exception):
    """As tf2_ros raises it."""


class Buffer:
    """Knows the transforms that were put in, by target and source frame."""

    def __init__(self, node: object = None) -> None:
        self.known: dict[tuple[str, str], TransformStamped] = {}

    def lookup_transform(self, target: str, source: str, time: object) -> TransformStamped:
        try:
            return self.known[target, source]
        except KeyError:
            raise TransformException(f"{source} is not connected to {target}") from None


@pytest.fixture
def tf(monkeypatch):
    listened = []
    stand_in = SimpleNamespace(
        Buffer=Buffer,
        TransformException=TransformException,
        TransformListener=lambda buffer, node: listened.append((buffer, node)),
    )
    monkeypatch.setitem(sys.modules, "tf2_ros", stand_in)
    return TfPose("node", "base_link", "tool"), listened


def test_the_pose_of_a_frame_is_told_in_the_base_frame_with_its_stamp(tf):
    pose, [(buffer, node)] = tf
    assert node == "node" and pose.newest() is None, "not connected yet"
    transform = TransformStamped()
    transform.header.stamp.sec, transform.header.stamp.nanosec = 7, 500_000_000
    transform.transform.translation.x = 0.3
    transform.transform.rotation.z, transform.transform.rotation.w = 1.0, 0.0
    buffer.known["base_link", "tool"] = transform
    stamp, matrix = pose.newest()
    assert stamp == 7.5 and matrix[0, 3] == 0.3
    np.testing.assert_allclose(matrix[:3, :3], np.diag([-1.0, -1.0, 1.0]), atol=1e-12)
    transform.transform.translation.y = float("nan")
    with pytest.raises(ValueError, match="not finite"):
        pose.newest()


@pytest.mark.skipif(find_spec("tf2_ros") is not None, reason="tf2_ros is installed")
def test_a_profile_that_needs_tf_says_what_to_install_where_it_is_missing(tmp_path, untrained_checkpoint):
    content = yaml.safe_load((shared_folder(ROBOTS_FOLDER) / "sim.yaml").read_text())
    content["end_effector_pose"] = {"from": "tf", "frame": "tool"}
    robot = tmp_path / "mine.yaml"
    robot.write_text(yaml.safe_dump(content))
    command = [sys.executable, "-m", "instructvla_ros.nodes.policy_node", "--ros-args"]
    command += ["-p", f"robot:={robot}", "-p", f"checkpoint:={untrained_checkpoint}"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2 and "apt install ros-$ROS_DISTRO-tf2-ros-py" in ended.stderr, ended.stderr
