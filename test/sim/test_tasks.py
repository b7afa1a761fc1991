# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Success is told from where things are, and only where the task is really done."""

import numpy as np
import pytest

from instructvla_ros.robot.poses import pose
from instructvla_ros.sim.scene import TableObject
from instructvla_ros.sim.table_top import TableTop
from instructvla_ros.sim.tasks import LEFT, RIGHT, TableState, Task, succeeded

THINGS = {thing.name: thing for thing in (TableObject("red", "cube"), TableObject("blue", "ball"))}
PLACES = {"red cube": (0.30, 0.10, 0.02), "blue ball": (0.30, -0.10, 0.02)}
RED = frozenset({"red cube"})
HOME_TIP = (0.25, 0.0, 0.2)


def state(
    tip: tuple[float, float, float] = HOME_TIP, touched: frozenset[str] = frozenset(), **places: tuple
) -> TableState:
    merged = {**PLACES, **{name.replace("_", " "): place for name, place in places.items()}}
    objects = {name: pose(np.array(place), np.eye(3)) for name, place in merged.items()}
    return TableState(0.0, pose(np.array(tip), np.eye(3)), 1.0, objects, touched)


@pytest.mark.parametrize(
    ("verb", "done", "not_done"),
    [
        ("reach", {"tip": (0.31, 0.11, 0.07)}, {"tip": (0.30, 0.14, 0.07)}),
        ("reach", {"tip": (0.30, 0.10, 0.05)}, {"tip": (0.30, 0.10, 0.12)}),
        ("touch", {"touched": RED}, {"touched": RED | {"blue ball"}}),
        ("touch", {"touched": RED}, {"touched": RED, "blue_ball": (0.3, 0.0, 0.02)}),
        ("push_left", {"red_cube": (0.30, 0.049, 0.02)}, {"red_cube": (0.30, 0.051, 0.02)}),
        ("push_left", {"red_cube": (0.32, 0.04, 0.02)}, {"red_cube": (0.37, 0.04, 0.02)}),
        ("push_right", {"red_cube": (0.30, 0.151, 0.02)}, {"red_cube": (0.30, 0.049, 0.02)}),
        ("push_right", {"red_cube": (0.30, 0.16, 0.02)}, {"red_cube": (0.30, 0.16, 0.09)}),
        ("pick_up", {"red_cube": (0.30, 0.10, 0.071)}, {"red_cube": (0.30, 0.10, 0.069)}),
        ("pick_up", {"red_cube": (0.30, 0.10, 0.071)}, {"blue_ball": (0.30, -0.10, 0.071)}),
    ],
)
def test_a_task_is_done_only_where_it_is(verb: str, done: dict, not_done: dict) -> None:
    task, start = Task(verb, "red cube"), state()
    assert not succeeded(task, start, start, THINGS)
    assert succeeded(task, start, state(**done), THINGS)
    assert not succeeded(task, start, state(**not_done), THINGS)


@pytest.mark.parametrize(
    "not_done",
    [
        {"red_cube": (0.30, 0.01, 0.02)},
        {"red_cube": (0.30, -0.02, 0.04)},
        {"red_cube": (0.30, -0.02, 0.02), "touched": frozenset({"red cube"})},
        {"red_cube": (0.30, -0.02, 0.02), "blue_ball": (0.30, -0.06, 0.02)},
    ],
)
def test_put_next_to_asks_for_standing_near_and_let_go(not_done: dict) -> None:
    task, start = Task("put_next_to", "red cube", "blue ball"), state()
    assert succeeded(task, start, state(red_cube=(0.30, -0.02, 0.02)), THINGS)
    assert not succeeded(task, start, state(**not_done), THINGS)


def test_where_the_target_is_absent_only_rest_is_success() -> None:
    task, start = Task("pick_up", "purple cone"), state()
    assert succeeded(task, start, start, THINGS)
    assert not succeeded(task, start, state(tip=(0.25, 0.04, 0.2)), THINGS)
    assert not succeeded(task, start, state(red_cube=(0.30, 0.10, 0.08)), THINGS)


def test_left_and_right_are_those_of_the_picture() -> None:
    table_top = TableTop(0)
    middle = np.array([0.3, 0.0, 0.02])
    points = np.stack([middle + 0.05 * LEFT, middle, middle + 0.05 * RIGHT])
    u, v, _ = table_top.project("front", points, 128, 128).T
    assert u[0] < u[1] < u[2]
    assert abs(v[2] - v[0]) < u[2] - u[0]
