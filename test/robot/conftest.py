# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Two arms for the tests: a small one like the simulated arm, and one with every kind of joint and turned frames."""

from pathlib import Path

import pytest

from instructvla_ros.robot.kinematics import KinematicChain

_FOLDER = Path(__file__).parent
_ARMS = {"six": ("six_joint_arm.urdf", "base_link", "gripper_link"), "seven": ("seven_joint_arm.urdf", "world", "tool")}


def _urdf(arm: str) -> str:
    return (_FOLDER / _ARMS[arm][0]).read_text(encoding="utf-8")


@pytest.fixture(scope="session", params=["six", "seven"])
def arm(request: pytest.FixtureRequest) -> tuple[str, KinematicChain]:
    """URDF text and chain of each arm in turn."""
    urdf = _urdf(request.param)
    return urdf, KinematicChain.from_urdf(urdf, *_ARMS[request.param][1:])


@pytest.fixture(scope="session")
def six_joint_urdf() -> str:
    """URDF text of the small arm."""
    return _urdf("six")


@pytest.fixture(scope="session")
def seven_joint_urdf() -> str:
    """URDF text of the larger arm."""
    return _urdf("seven")
