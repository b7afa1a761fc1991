# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The gripper holds what it closes on."""

from collections.abc import Callable

import numpy as np
import pytest

from instructvla_ros.sim.scene import STANDARD_OBJECTS
from instructvla_ros.sim.table_top import TableTop


@pytest.mark.parametrize("name", [thing.name for thing in STANDARD_OBJECTS])
def test_gripper_lifts_an_object_and_holds_it(table_top: TableTop, scripted_hand: Callable, name: str) -> None:
    hand = scripted_hand(table_top)
    start = table_top.object_poses()
    hand.pick(name, lift=0.12)
    table_top.step(2.0)
    lifted = table_top.object_poses()
    assert lifted[name][2, 3] - start[name][2, 3] > 0.11
    assert np.linalg.norm(lifted[name][:3, 3] - table_top.gripper_pose()[:3, 3]) < 0.02
    for other in start.keys() - {name}:
        assert np.linalg.norm(lifted[other][:3, 3] - start[other][:3, 3]) < 0.005, other
    assert 0.015 < table_top.finger_position() < 0.03  # around 4 cm, not closed on nothing


def test_an_opened_gripper_lets_go(table_top: TableTop, scripted_hand: Callable) -> None:
    hand = scripted_hand(table_top)
    hand.pick("red cube", lift=0.08)
    table_top.command_gripper(0.037)
    table_top.step(1.0)
    assert table_top.object_poses()["red cube"][2, 3] == pytest.approx(0.02, abs=2e-3)


def test_the_arm_pushes_what_stands_in_its_way(table_top: TableTop, scripted_hand: Callable) -> None:
    hand = scripted_hand(table_top)
    place = table_top.object_poses()["blue cylinder"][:3, 3].copy()
    table_top.command_gripper(0.0)
    for offset in ([0.0, 0.06, 0.1], [0.0, 0.06, 0.0], [0.0, -0.04, 0.0]):
        hand.move_to(place + offset)
    moved = table_top.object_poses()["blue cylinder"][:3, 3] - place
    assert moved[1] < -0.05


def test_the_fingers_carry_the_weight_of_what_they_hold(table_top: TableTop, scripted_hand: Callable) -> None:
    hand = scripted_hand(table_top)
    assert table_top.finger_forces() == {}
    hand.pick("red cube", lift=0.08)
    table_top.step(1.0)
    forces = table_top.finger_forces()
    assert set(forces) == {"red cube"} == table_top.touched_objects()
    weight = float(table_top.model.body("red cube").mass[0]) * 9.81
    np.testing.assert_allclose(forces["red cube"], [0.0, 0.0, weight], atol=0.05 * weight)
