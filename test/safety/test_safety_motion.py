# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the gripper goes along its path: as asked, slower, and only at last aside."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from instructvla_ros.safety import SafetyState, WorkspaceBox


def _direction(displacement: np.ndarray) -> np.ndarray:
    return displacement / np.linalg.norm(displacement)


def test_what_is_within_all_limits_is_not_touched(rig):
    start, reported = rig.point, set()
    for index in range(60):
        rig.step([rig.chunk((0.02, 0.01, -0.01), (0.0, 0.0, 0.05))] if index == 0 else [])
        reported |= rig.limits_reported
        assert rig.report.path_speed in (0.0, 1.0)
    rig.run(0.5)
    assert not reported
    np.testing.assert_allclose(rig.point - start, [0.08, 0.04, -0.04], atol=1.5e-3)


@pytest.mark.parametrize("step", [(0.09, 0.03, 0.0), (0.0, -0.08, 0.02), (0.05, 0.05, -0.05)])
def test_a_fast_path_keeps_its_direction_and_loses_speed(rig, step):
    start = rig.point
    rig.step([rig.chunk(step, steps=2)])
    rig.run(0.2)
    (bound,) = [entry for entry in rig.report.interventions if entry.limit in ("translation_speed", "joint_velocity")]
    assert rig.report.path_speed < 0.9 and bound.asked > bound.allowed
    rig.run(0.05)
    assert float(_direction(rig.point - start) @ _direction(np.array(step))) > 0.999


def test_a_fast_turn_is_slowed_to_its_limit(rig):
    rig.step([rig.chunk(rotation=(0.0, 0.0, 0.6), steps=4)])
    rig.run(0.3)
    assert "rotation_speed" in rig.limits_reported
    assert rig.report.path_speed == pytest.approx(rig.limits.rotation_speed / 3.0, rel=0.1)


def test_a_path_into_a_wall_slides_along_it(make_rig, limits):
    rig = make_rig(limits=replace(limits, workspace=replace(limits.workspace, z=(0.08, 0.4))))
    rig.step()
    rig.drive(1.5, (0.0, 0.01, -0.04))
    wall = rig.limits.workspace.lower[2]
    assert wall <= rig.point[2] < wall + 0.005
    start = rig.point
    rig.drive(1.0, (0.0, 0.01, -0.04))
    assert "workspace" in rig.limits_reported
    assert rig.point[1] - start[1] == pytest.approx(0.05, abs=0.005)
    assert wall <= rig.point[2] < wall + 0.005


@pytest.mark.parametrize("seed", range(12))
def test_from_every_wall_and_corner_the_arm_can_go_back(rig, seed):
    start, random = rig.point, np.random.default_rng(seed)
    heading = random.normal(size=3)
    for _ in range(8):
        heading += 0.3 * random.normal(size=3)
        rig.drive(0.2, 0.045 * _direction(heading))
    away = float(np.linalg.norm(rig.point - start))
    for _ in range(12):
        rig.drive(0.2, 0.045 * _direction(start - rig.point))
    assert float(np.linalg.norm(rig.point - start)) < max(0.3 * away, 0.03)


@pytest.mark.parametrize("distance", [5e-5, -5e-5, -0.03])
@pytest.mark.parametrize(("axis", "inward"), [(0, 1.0), (1, -1.0), (2, 1.0)])
def test_an_arm_found_at_a_wall_or_beyond_it_can_leave_it_at_any_speed(make_rig, limits, chain, axis, inward, distance):
    box = limits.workspace
    target = chain.forward(np.array([0.2, -0.3, 0.3, 0.0, 1.2, 0.0]))
    wall = (box.lower if inward > 0.0 else box.upper)[axis]
    target[axis, 3] = wall + inward * distance
    found = chain.inverse(target, np.array([0.2, -0.3, 0.3, 0.0, 1.2, 0.0]))
    assert found.converged
    rig = make_rig(start=found.positions)
    rig.step()
    step = np.zeros(3)
    step[axis] = 0.05 * inward
    rig.drive(0.6, step)
    assert inward * (rig.point[axis] - wall) - distance > 0.045


def test_leaving_a_wall_is_free(rig):
    rig.drive(1.5, (0.0, 0.0, -0.04))
    rig.run(1.2)
    start = rig.point
    rig.step([rig.chunk((0.0, 0.0, 0.02))])
    rig.run(1.2)
    assert rig.point[2] - start[2] == pytest.approx(0.08, abs=0.004)


def test_a_path_out_of_reach_ends_at_rest_and_leads_back(make_rig, limits):
    wide = replace(limits, workspace=WorkspaceBox((0.05, 2.0), (-2.0, 2.0), (0.01, 2.0)))
    rig = make_rig(limits=wide)
    rig.step()
    rig.drive(4.0, (0.04, 0.0, 0.0))
    assert np.abs(rig.command.trajectory.velocities).max() < 0.05
    assert {"path_lag_translation", "path_lag_rotation"} & rig.limits_reported
    rig.run(1.2)
    start = rig.point
    rig.drive(1.0, (-0.02, 0.0, 0.0))
    assert rig.point[0] < start[0] - 0.03


def test_when_chunks_stop_coming_the_arm_finishes_the_last_and_rests(rig):
    start = rig.point
    rig.step([rig.chunk((0.02, 0.0, 0.0), steps=2)])
    report = rig.run(0.7)
    assert report.state is SafetyState.HOLDING and rig.at_rest
    np.testing.assert_allclose(rig.point - start, [0.04, 0.0, 0.0], atol=1e-3)
    held = rig.command.trajectory.positions[0]
    rig.run(3.0)
    np.testing.assert_array_equal(rig.command.trajectory.positions, np.tile(held, (2, 1)))


def test_uneven_ticks_change_neither_path_nor_speed(rig):
    start, random = rig.point, np.random.default_rng(0)
    end = rig.now + 0.8
    while rig.now < end:
        # A new chunk every few ticks, as from a policy that overlaps its chunks: no moment may be counted twice.
        chunks = [rig.chunk((0.02, 0.01, 0.0), steps=1)] if random.uniform() < 0.4 else []
        rig.step(chunks, elapsed=float(random.uniform(0.002, 0.018)))
    stopped_asking = rig.now
    rig.run(0.6)
    asked = 0.8 + (stopped_asking - end) + 0.2  # the last chunk is followed to its end
    np.testing.assert_allclose(rig.point - start, [0.1 * asked, 0.05 * asked, 0.0], atol=4e-3)


def test_no_moment_is_counted_twice_when_ticks_and_chunks_come_early(rig):
    start = rig.point
    for _ in range(160):
        rig.step([rig.chunk((0.02, 0.0, 0.0), steps=1)], elapsed=0.005)
    rig.run(0.6)
    np.testing.assert_allclose(rig.point - start, [0.1, 0.0, 0.0], atol=3e-3)


def test_a_filter_that_freezes_leaves_the_arm_at_rest_within_the_horizon(rig):
    rig.drive(0.5, (0.04, 0.0, 0.0))
    trajectory = rig.command.trajectory
    assert trajectory.duration <= rig.limits.horizon
    _, velocities = trajectory.sample(rig.limits.horizon)
    np.testing.assert_array_equal(velocities, 0.0)
    rig.step(elapsed=5.0)
    np.testing.assert_array_equal(rig.command.trajectory.positions[0], trajectory.positions[-1])


def test_the_gripper_opens_and_closes_at_its_speed_and_finishes(rig):
    rig.step([rig.chunk(gripper=1.0, steps=1)])
    assert rig.command.gripper == 1.0
    rig.run(0.5)
    rig.step([rig.chunk(gripper=0.0, steps=1)])
    assert "gripper_speed" in rig.limits_reported
    rig.run(0.1)
    assert rig.command.gripper == pytest.approx(1.0 - 0.11 * rig.limits.gripper_speed, abs=1e-9)
    rig.run(0.5)
    assert rig.command.gripper == 0.0


@pytest.mark.parametrize(("asked", "given"), [(1.4, 1.0), (-0.2, 0.0)])
def test_an_opening_beyond_its_range_is_brought_into_it_and_reported(rig, asked, given):
    rig.step([rig.chunk(gripper=asked)])
    assert rig.command.gripper == given and "gripper_range" in rig.limits_reported


def test_nothing_in_the_filter_grows(rig):
    rig.drive(0.4, (0.01, 0.0, 0.0))
    tracemalloc.start()
    rig.drive(0.4, (-0.01, 0.0, 0.0))
    before, _ = tracemalloc.get_traced_memory()
    rig.drive(0.6, (0.01, 0.0, 0.0))
    rig.drive(0.6, (-0.01, 0.0, 0.0))
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # A chunk kept by mistake would be 6 of some 4 kB, a report kept every step 120 of some 500 bytes.
    assert after - before < 10_000
