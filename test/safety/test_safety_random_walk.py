# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever comes in, in whatever order: the watch in the rig checks every command that comes out."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from bench.support.hostile_world import HostileWorld
from instructvla_ros.robot.action_chunk import DeltaReference
from instructvla_ros.robot.poses import pose_error
from instructvla_ros.safety import SafetyState


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("examples", [15])
def test_every_command_keeps_every_limit_whatever_comes_in(make_rig, examples):
    machine = type("HostileWorldOnThisArm", (HostileWorld,), {"make_rig": staticmethod(make_rig)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_walks_from_anywhere_keep_every_limit(make_rig, limits, chain, seed):
    random = np.random.default_rng(seed)
    lower = np.array([limits.joints[name].lower for name in chain.joint_names])
    upper = np.array([limits.joints[name].upper for name in chain.joint_names])
    rig = make_rig(start=random.uniform(lower - 0.1, upper + 0.1))
    rig.step()
    heading, turning = random.normal(size=3), random.normal(size=3)
    for _ in range(15):
        heading += 0.5 * random.normal(size=3)
        turning += 0.5 * random.normal(size=3)
        rig.drive(0.2, 0.02 * heading, 0.1 * turning, reference=DeltaReference(int(random.integers(2))))


@pytest.mark.parametrize("seed", [0, 10, 11, 38])
def test_wherever_a_policy_has_pushed_the_arm_another_can_bring_it_back(make_rig, chain, seed):
    """Seeds that once left it at a singularity with a path that nothing could follow."""
    random = np.random.default_rng(seed)
    rig = make_rig()
    rig.step()
    ready = chain.forward(rig.arm)
    heading, turning = random.normal(size=3), random.normal(size=3)
    for _ in range(20):
        heading += 0.4 * random.normal(size=3)
        turning += 0.4 * random.normal(size=3)
        rig.drive(0.2, 0.045 * _unit(heading), 0.15 * _unit(turning))
    for _ in range(60):
        away = pose_error(ready, chain.forward(rig.command.trajectory.positions[0]))
        far, turned = np.linalg.norm(away[:3]), np.linalg.norm(away[3:])
        if far < 0.01 and turned < 0.1:
            break
        rig.drive(0.2, away[:3] * min(1.0, 0.03 / far), away[3:] * min(1.0, 0.15 / turned))
    assert far < 0.01 and turned < 0.1, (far, turned, rig.report)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_pushing_at_a_wall_of_the_workspace_ends_before_it(rig, axis, sign):
    step = np.zeros(3)
    step[axis] = 0.04 * sign
    report = rig.drive(4.0, step)
    assert report.state is SafetyState.MOVING
    assert np.abs(rig.command.trajectory.velocities).max() < 0.01


def test_an_arm_that_starts_outside_the_workspace_moves_only_inward(make_rig, limits):
    start = np.array([0.0, 0.9, -0.4, 0.0, 0.6, 0.0])
    rig = make_rig(start=start)
    rig.step()
    outside = limits.workspace.lower[2] - rig.point[2]
    assert outside > 0.01
    rig.drive(1.0, (0.0, 0.0, -0.03))
    assert rig.point[2] >= limits.workspace.lower[2] - outside - 1e-3
    rig.run(1.2)
    before = rig.point[2]
    rig.drive(3.0, (-0.005, 0.0, 0.02))
    assert rig.point[2] > before + 0.05
    rig.drive(4.0, (0.0, 0.0, -0.03))
    assert rig.point[2] >= limits.workspace.lower[2]


def test_a_joint_that_starts_beyond_its_range_moves_only_back(make_rig, limits):
    start = np.array([0.2, -0.3, 0.3, 0.0, 1.2, 3.2])
    rig = make_rig(start=start)
    rig.step()
    upper = limits.joints["wrist_rotate"].upper
    assert rig.command.trajectory.positions[0, 5] > upper
    about_fingers = rig.chain.forward(start)[:3, 0]
    rig.drive(1.0, rotation=0.15 * about_fingers)
    assert rig.command.trajectory.positions[0, 5] <= 3.2 + 1e-9
    rig.run(1.2)
    rig.drive(2.0, rotation=-0.15 * about_fingers)
    assert rig.command.trajectory.positions[0, 5] < upper
