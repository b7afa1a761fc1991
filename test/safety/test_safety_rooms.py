# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the arm may be: table, keep-out boxes, its own parts, singularities; the rig audits each command."""

from dataclasses import replace

import numpy as np
import pytest

from bench.support.rig import Rig
from instructvla_ros.safety import KeepOutBox, SafetyState
from instructvla_ros.safety.rooms import Configurations

DOWN = (0.0, 0.0, -0.04)


def _rooms(rig: Rig, name: str) -> np.ndarray:
    """Rooms of one limit where the command is now."""
    (limit,) = [limit for limit in rig.filter._rooms._limits if limit.name == name]
    return limit.rooms(Configurations.of(rig.chain, rig.command.trajectory.positions[:1]))[0]


@pytest.mark.parametrize("turn", [(0.0, 0.0, 0.0), (0.0, 0.1, 0.0), (0.1, 0.0, 0.0), (0.0, -0.1, 0.1)])
def test_no_shape_goes_below_the_table_however_it_is_pushed(make_rig, limits, turn):
    rig = make_rig(limits=replace(limits, workspace=replace(limits.workspace, z=(-0.3, 0.4))))
    rig.step()
    rig.drive(4.0, DOWN, turn)
    assert rig.report.state is SafetyState.MOVING
    assert -1e-4 <= _rooms(rig, "table").min() < 0.01
    assert "table" in rig.limits_reported
    height = rig.point[2]
    rig.drive(0.6, (0.0, 0.0, 0.03))
    assert rig.point[2] > height + 0.03, "the table holds the arm captive"


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_no_shape_enters_a_keep_out_box(make_rig, limits, side):
    start = make_rig().chain.forward(np.array([0.2, -0.3, 0.3, 0.0, 1.2, 0.0]))[:3, 3]
    low, high = (start[1] + 0.12, start[1] + 0.3) if side > 0.0 else (start[1] - 0.3, start[1] - 0.12)
    post = KeepOutBox(x=(0.2, 0.6), y=(low, high), z=(0.0, 0.6), name="post")
    rig = make_rig(limits=replace(limits, keep_out=(post,)))
    rig.step()
    rig.drive(3.0, (0.0, 0.04 * side, 0.0))
    assert -1e-4 <= _rooms(rig, "keep_out").min() < 0.01
    reached = rig.point
    rig.drive(0.6, (0.0, -0.03 * side, 0.0))
    assert side * (reached[1] - rig.point[1]) > 0.03, "the box holds the arm captive"


def test_parts_of_the_arm_that_are_driven_together_do_not_touch(make_rig, limits):
    wide = replace(limits.workspace, x=(-0.5, 0.6), y=(-0.6, 0.6), z=(0.0, 0.8))
    rig = make_rig(limits=replace(limits, workspace=wide, keep_out=()))
    rig.step()
    rig.drive(8.0, (-0.03, 0.0, 0.0))
    assert _rooms(rig, "self_collision").min() > -1e-4
    reached = rig.point
    rig.drive(0.8, (0.03, 0.0, 0.0))
    assert rig.point[0] > reached[0] + 0.03, "its own body holds the arm captive"


def test_towards_a_singularity_the_arm_slows_and_halts_and_may_leave(make_rig, limits):
    rig = make_rig(limits=replace(limits, workspace=replace(limits.workspace, x=(0.1, 2.0), z=(0.0, 1.0))))
    rig.step()
    rig.drive(5.0, (0.03, 0.0, 0.0))  # until the arm is all but stretched out
    near = float(_rooms(rig, "singularity").min())
    assert -1e-4 <= near < 1.0 / limits.singularity_slow - 1.0 / limits.singularity_halt
    assert np.abs(rig.command.trajectory.velocities[0]).max() < 0.05, "it does not halt"
    stretched = rig.point[0]
    rig.drive(1.0, (-0.03, 0.0, 0.0))
    assert rig.point[0] < stretched - 0.05, "the singularity holds the arm captive"


def test_the_wrist_never_passes_through_its_singularity(rig, limits):
    across = rig.chain.forward(rig.arm)[:3, 1]  # the wrist turns about it
    nearest, reported = 1.0, set()
    for _ in range(40):  # brings wrist_angle towards 0, where two axes coincide
        rig.drive(0.1, (0.0, 0.0, 0.0), -0.15 * across)
        nearest = min(nearest, float(_rooms(rig, "singularity").min()))
        reported |= rig.limits_reported
    assert -1e-4 <= nearest < 1.0 / limits.singularity_slow - 1.0 / limits.singularity_halt
    assert "singularity" in reported


def test_an_arm_that_starts_in_a_singularity_may_leave_it(make_rig):
    rig = make_rig(start=np.array([0.2, -0.3, 0.3, 0.0, 0.01, 0.0]))
    rig.step()
    start = rig.command.trajectory.positions[0].copy()
    across = rig.chain.forward(rig.arm)[:3, 1]
    assert _rooms(rig, "singularity").min() < 0.0
    rig.drive(1.5, (0.0, 0.0, 0.0), 0.1 * across)
    assert rig.command.trajectory.positions[0, 4] > start[4] + 0.2
    assert _rooms(rig, "singularity").min() > 0.0


@pytest.mark.parametrize("seed", range(4))
def test_two_policies_that_pull_apart_cannot_make_the_command_jump(rig, make_chunk, seed):
    random = np.random.default_rng(seed)
    for index in range(100):
        pull, turn = random.normal(size=3), random.normal(size=3)
        sign = 1.0 if index % 2 else -1.0
        step = sign * 0.05 * pull / np.linalg.norm(pull)
        chunk = make_chunk(rig.now, index, step, sign * 0.2 * turn / np.linalg.norm(turn), epoch=index, period=0.1)
        rig.step([chunk])
        for _ in range(int(random.integers(0, 5))):
            rig.step()
    assert rig.audit.worst["joint jerk"] > 0.9  # they did pull


@pytest.mark.parametrize("scale", [0.05, 0.3])
def test_speed_scale_slows_and_never_hurries(rig, scale):
    start = rig.point
    rig.drive(1.0, (0.0, 0.02, 0.0))
    free = rig.point[1] - start[1]
    rig.speed_scale = scale
    rig.run(1.2)
    start = rig.point
    rig.drive(2.0, (0.0, -0.04, 0.0))
    covered = start[1] - rig.point[1]
    assert covered == pytest.approx(2.0 * scale * 0.2, rel=0.15)
    rig.speed_scale = 1.0
    rig.run(1.2)
    start = rig.point
    rig.drive(1.0, (0.0, 0.02, 0.0))
    assert rig.point[1] - start[1] == pytest.approx(free, abs=2e-3)


@pytest.mark.parametrize("scale", [0.0, float("nan"), -1.0, 2.0])
def test_a_speed_scale_that_is_none_rests_the_arm(rig, scale):
    rig.drive(0.5, (0.0, 0.02, 0.0))
    rig.speed_scale = scale
    rig.drive(0.5, (0.0, 0.02, 0.0))
    assert rig.at_rest and rig.report.state is SafetyState.MOVING
