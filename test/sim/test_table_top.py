# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The simulated world: layouts, commands, time."""

from pathlib import Path

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructvla_ros.sim.arm_model import FINGER_OPEN, HOME
from instructvla_ros.sim.scene import (
    COLORS,
    LAYOUT_LOWER,
    LAYOUT_UPPER,
    LEAST_DISTANCE,
    MOST_OBJECTS,
    SHAPES,
    TableObject,
    random_layout,
)
from instructvla_ros.sim.table_top import TableTop

EVERY_OBJECT = [TableObject(color, shape) for color in COLORS for shape in SHAPES]


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, MOST_OBJECTS))
def test_layouts_keep_objects_apart_and_on_their_part_of_the_table(seed: int, count: int) -> None:
    places = random_layout(np.random.default_rng(seed), count)[:, :2]
    assert places.shape == (count, 2)
    assert (places >= LAYOUT_LOWER).all() and (places <= LAYOUT_UPPER).all()
    for index, place in enumerate(places):
        assert (np.linalg.norm(places[index + 1 :] - place, axis=1) >= LEAST_DISTANCE).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_objects_touch_nothing_but_the_table_at_the_start(shared_table_top: TableTop, seed: int) -> None:
    shared_table_top.reset(seed)
    shared_table_top.step(0.1)
    model, data = shared_table_top.model, shared_table_top._data
    table = model.geom("table").id
    assert data.ncon > 0
    for contact in data.contact:
        assert table in contact.geom, [
            mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_GEOM, geom) for geom in contact.geom
        ]


def test_home_is_at_rest(table_top: TableTop) -> None:
    places = {name: pose.copy() for name, pose in table_top.object_poses().items()}
    table_top.step(2.0)
    np.testing.assert_allclose(table_top.joint_positions(), HOME, atol=1e-4)
    np.testing.assert_allclose(table_top.joint_velocities(), 0.0, atol=1e-4)
    assert table_top.finger_position() == pytest.approx(FINGER_OPEN, abs=1e-4)
    for name, pose in table_top.object_poses().items():
        assert np.linalg.norm(pose[:3, 3] - places[name][:3, 3]) < 1e-3, name


def test_the_same_seed_and_commands_give_the_same_world() -> None:
    def run(seed: int) -> np.ndarray:
        table_top = TableTop(seed)
        table_top.command_joints(np.array(HOME) + 0.3)
        table_top.command_gripper(0.01)
        table_top.step(0.5)
        return table_top.snapshot().positions

    np.testing.assert_array_equal(run(5), run(5))
    assert not np.allclose(run(5), run(6))


def test_reset_brings_the_first_state_back(table_top: TableTop) -> None:
    before = table_top.snapshot()
    table_top.command_joints(np.array(HOME) + 0.5)
    table_top.step(0.3)
    assert not np.allclose(table_top.snapshot().positions, before.positions)
    table_top.reset(0)
    np.testing.assert_array_equal(table_top.snapshot().positions, before.positions)
    assert table_top.time == 0.0


@pytest.mark.parametrize("joint", range(6))
def test_arm_follows_a_sweep_of_one_radian_a_second(table_top: TableTop, joint: int) -> None:
    worst = 0.0
    for moment in np.arange(0.0, 1.6, 0.004):
        # Swings by 0.8 rad, away from the table; peaks at 1 rad/s.
        angle, speed = -0.4 * (1.0 - np.cos(2.5 * moment)), -np.sin(2.5 * moment)
        target, velocity = np.array(HOME), np.zeros(6)
        target[joint] += angle
        velocity[joint] = speed
        worst = max(worst, float(np.abs(table_top.joint_positions() - target).max()))
        table_top.command_joints(target, velocity)
        table_top.step(0.004)
    assert worst < 0.005


def test_joint_commands_beyond_the_limits_are_held_there(table_top: TableTop) -> None:
    target = np.array(HOME)
    target[5] = 10.0
    table_top.command_joints(target)
    table_top.step(3.0)
    assert table_top.joint_positions()[5] == pytest.approx(np.pi, abs=0.01)


@pytest.mark.parametrize(("command", "reached"), [(0.02, 0.02), (0.0, 0.0), (-1.0, 0.0), (1.0, FINGER_OPEN)])
def test_fingers_go_where_they_are_told_within_their_limits(
    table_top: TableTop, command: float, reached: float
) -> None:
    table_top.command_gripper(0.015)
    table_top.step(0.5)
    table_top.command_gripper(command)
    table_top.step(1.0)
    assert table_top.finger_position() == pytest.approx(reached, abs=5e-4)


def test_time_passes_by_whole_steps_without_drift(table_top: TableTop) -> None:
    for _ in range(1000):
        table_top.step(0.0033)
    assert table_top.time == pytest.approx(3.3, abs=table_top.timestep)


@pytest.mark.parametrize("positions", [np.zeros(5), np.zeros((6, 1)), [0, 0, 0, 0, 0, np.inf]])
def test_joint_command_of_wrong_shape_or_value_is_refused(table_top: TableTop, positions: np.ndarray) -> None:
    with pytest.raises(ValueError, match="positions must"):
        table_top.command_joints(positions)


def test_nan_in_a_command_is_refused_and_changes_nothing(table_top: TableTop) -> None:
    with pytest.raises(ValueError, match="elbow nan"):
        table_top.command_joints([0.0, 0.0, np.nan, 0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="velocities must be finite, got waist nan"):
        table_top.command_joints(np.zeros(6), [np.nan, 0.0, 0.0, 0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="finger position"):
        table_top.command_gripper(np.nan)
    table_top.step(0.5)
    np.testing.assert_allclose(table_top.joint_positions(), HOME, atol=1e-4)


@pytest.mark.parametrize("duration", [-0.1, np.nan, np.inf])
def test_impossible_duration_is_refused(table_top: TableTop, duration: float) -> None:
    with pytest.raises(ValueError, match="duration"):
        table_top.step(duration)


def test_unstable_physics_are_reported_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo writes a log file where it stands
    table_top = TableTop(0)
    table_top._data.qvel[:] = 1e12
    with pytest.raises(RuntimeError, match="unstable"):
        table_top.step(0.1)


def test_objects_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="more than one red cube"):
        TableTop(0, objects=[TableObject("red", "cube"), TableObject("red", "cube")])


def test_more_objects_than_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=f"{MOST_OBJECTS} objects at most, got {MOST_OBJECTS + 1}"):
        TableTop(0, objects=EVERY_OBJECT[: MOST_OBJECTS + 1])


@pytest.mark.parametrize(("color", "shape", "said"), [("pink", "cube", "'pink'"), ("red", "banana", "'banana'")])
def test_unknown_color_or_shape_is_refused(color: str, shape: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TableObject(color, shape)
