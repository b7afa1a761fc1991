# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The expert's next actions without physics: labels for any task at any instant."""

from collections.abc import Mapping

import numpy as np

from instructvla_ros.robot.poses import rotation_from_vector
from instructvla_ros.sim.arm_numbers import FINGER_OPEN
from instructvla_ros.sim.expert import (
    ACTION_SIZE,
    FINGER_REACH,
    Truth,
    Vector,
    aligning_turn,
    decide,
    finger_stop,
    is_between_fingers,
)
from instructvla_ros.sim.scene import TableObject
from instructvla_ros.sim.tasks import TableState, Task

# Share of the whole way that the fingers travel in one action, measured in the simulator.
_OPENING_STEP, _CLOSING_STEP = 0.95, 0.95


def expert_chunk(
    task: Task, state: TableState, things: Mapping[str, TableObject], horizon: int = 16
) -> np.ndarray:
    """What the expert does next, were the arm to follow exactly.

    The fingers close on what lies between them and carry it; closed fingers push what stands before them; what is let
    go falls onto the table. Nothing else moves.

    Args:
        task: what to do.
        state: the truth now.
        things: the objects by their names.
        horizon: number of actions H.

    Returns:
        ``(H, 7)`` float64, as of :func:`~instructvla_ros.sim.expert.expert_action`.
    """
    actions = np.empty((horizon, ACTION_SIZE))
    truth, rotation = Truth.of(state), state.gripper[:3, :3]
    for index in range(horizon):
        translation, opening = decide(task, truth, things)
        turn = aligning_turn(rotation)
        actions[index, :3], actions[index, 3:6], actions[index, 6] = translation, turn, opening
        _advance(truth, translation, opening, things)
        rotation = rotation_from_vector(turn) @ rotation
    return actions


def _advance(truth: Truth, translation: Vector, opening: float, things: Mapping[str, TableObject]) -> None:
    """Moves the truth on by one action."""
    between = None
    for name, place in truth.places.items():
        stop = finger_stop(place, things[name], truth.tip[2])
        if is_between_fingers(truth, place, things[name]) and truth.opening * FINGER_OPEN > 0.6 * stop:
            between = name
            break
    stop = 0.0 if between is None else finger_stop(truth.places[between], things[between], truth.tip[2]) / FINGER_OPEN
    held = opening < 0.5 and between is not None and truth.opening <= 1.2 * stop + 0.06
    if opening >= truth.opening:
        truth.opening = min(opening, truth.opening + _OPENING_STEP)
    else:
        truth.opening = max(opening, truth.opening - _CLOSING_STEP, stop)
    x, y, z = truth.tip
    truth.tip = (x + translation[0], y + translation[1], z + translation[2])
    for name, place in truth.places.items():
        thing = things[name]
        if name == between and held:
            truth.places[name] = (place[0] + translation[0], place[1] + translation[1], place[2] + translation[2])
        elif name == between and place[2] > thing.resting_height:
            truth.places[name] = (place[0], place[1], thing.resting_height)
        elif truth.opening < 0.1:
            truth.places[name] = _pushed(place, thing, truth.tip, translation)


def _pushed(place: Vector, thing: TableObject, tip: Vector, translation: Vector) -> Vector:
    """Where an object is after the closed fingers came to where they are."""
    if tip[2] > place[2] + thing.half_height or abs(tip[0] - place[0]) > thing.half_width:
        return place
    contact = thing.half_width + FINGER_REACH
    side = 1.0 if place[1] > tip[1] - translation[1] else -1.0  # from where the fingers came
    if side * (place[1] - tip[1]) >= contact or side * translation[1] <= 0.0:
        return place
    return (place[0], tip[1] + side * contact, place[2])
