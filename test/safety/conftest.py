# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An arm that follows what the filter sends, and a watch over every promise that commands alone can show."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.support.rig import FRAME, READY, Rig, chunk_of
from instructvla_ros.robot.action_chunk import ActionChunk
from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.safety import SafetyLimits, SafetyState

_REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def limits() -> SafetyLimits:
    """Those of the simulated arm."""
    return SafetyLimits.load(_REPOSITORY / "config" / "limits" / "sim.yaml")


@pytest.fixture(scope="session")
def chain() -> KinematicChain:
    """A six-joint table-top arm."""
    urdf = (_REPOSITORY / "test" / "robot" / "six_joint_arm.urdf").read_text(encoding="utf-8")
    return KinematicChain.from_urdf(urdf, FRAME, "gripper_link")


@pytest.fixture
def rig(limits: SafetyLimits, chain: KinematicChain) -> Rig:
    """A perfect arm, standing ready, one step after its first joint state."""
    rig = Rig(limits, chain)
    assert rig.step().state is SafetyState.HOLDING
    return rig


@pytest.fixture
def make_rig(limits: SafetyLimits, chain: KinematicChain) -> Callable[..., Rig]:
    """Makes a rig with an arm that starts elsewhere or lags; nothing has been stepped yet."""

    def make(start: np.ndarray = READY, lag: float = 0.0, limits: SafetyLimits = limits) -> Rig:
        return Rig(limits, chain, start, lag)

    return make


@pytest.fixture
def make_chunk() -> Callable[..., ActionChunk]:
    """Makes a chunk of equal steps; see :func:`chunk_of`."""
    return chunk_of
