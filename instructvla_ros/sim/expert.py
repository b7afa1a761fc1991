# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The scripted expert: the next action, told from the truth of one instant alone.

It remembers nothing, so that any instant can be labelled for any task: the arm may be anywhere, for whatever reason.
It also relies on nothing that a policy cannot see: not on what was commanded, and not on the yaw of objects, which turn
themselves between the fingers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import hypot

import numpy as np

from instructvla_ros.robot.poses import rotation_to_vector
from instructvla_ros.sim.arm_numbers import FINGER_LENGTH_BEYOND_TIP, FINGER_OPEN
from instructvla_ros.sim.scene import TableObject
from instructvla_ros.sim.tasks import LEFT, NEXT_TO_DISTANCE, RIGHT, VERBS, TableState, Task, free_spots

ACTION_SIZE = 7
CONTROL_PERIOD = 0.2  # [s] 5 Hz, as Bridge

# Fingers straight down, opening along y: the orientation at home, and everywhere else.
TOOL_DOWN = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])

LONGEST_STEP = 0.035  # [m] in 0.2 s
_LARGEST_TURN = 0.15  # [rad] in 0.2 s
_ALIGNED = 0.03  # [rad] the servos' own error; correcting it would be noise
CARRY_HEIGHT = 0.13  # [m] of gripper_link on its way: what it holds clears what stands
_LOWEST = 0.015  # [m] of gripper_link: its fingers clear the table by 7 mm
_FUNNEL_SLOPE, _FUNNEL_RADIUS = 3.0, 0.004  # height over the goal per distance from its axis; free radius [m]
FINGER_REACH = 0.0115  # [m] from the middle to the outer side of a closed finger
_OPEN_REACH = 0.048  # [m] from the middle to the outer side of an open finger
_OVER_IT = FINGER_LENGTH_BEYOND_TIP + 0.004  # [m] of gripper_link over an object that the fingers clear
_PUSH_GAP = 0.016  # [m] between a closed finger and the object before the push
_PUSH_EDGE = 0.24  # [m] |y| where pushing ends: the arm's room ends at 0.3

Vector = tuple[float, float, float]


@dataclass
class Truth:
    """What the expert decides from, in plain numbers: chunks take many of its decisions.

    Attributes:
        tip: x, y, z of gripper_link [m].
        opening: 0 closed to 1 open.
        places: x, y, z of each object's middle by its name [m].
    """

    tip: Vector
    opening: float
    places: dict[str, Vector]

    @classmethod
    def of(cls, state: TableState) -> "Truth":
        """The same, from the simulator's truth."""
        places = {name: _vector(pose[:3, 3]) for name, pose in state.objects.items()}
        return cls(_vector(state.gripper[:3, 3]), float(state.opening), places)


def expert_action(task: Task, state: TableState, things: Mapping[str, TableObject]) -> np.ndarray:
    """The next 0.2 s of an arm that does the task.

    Args:
        task: what to do; the arm rests where it speaks of something that is not on the table.
        state: the truth now.
        things: the objects by their names.

    Returns:
        ``(7,)`` float64: translation [m], rotation vector [rad], both in base_link's axes, gripper opening 0 to 1.
    """
    action = np.empty(ACTION_SIZE)
    translation, opening = decide(task, Truth.of(state), things)
    action[:3] = translation
    action[3:6] = aligning_turn(state.gripper[:3, :3])
    action[6] = opening
    return action


def aligning_turn(rotation: np.ndarray) -> np.ndarray:
    """Rotation vector ``(3,)`` [rad] that turns the tool downwards again, as far as one action turns."""
    turn = rotation_to_vector(TOOL_DOWN @ rotation.T)
    angle = float(np.linalg.norm(turn))
    if angle < _ALIGNED:
        return np.zeros(3)
    return turn * min(1.0, _LARGEST_TURN / angle)


def decide(task: Task, truth: Truth, things: Mapping[str, TableObject]) -> tuple[Vector, float]:
    """Translation [m] and gripper opening of the next action."""
    if not task.is_possible(truth.places):
        return (0.0, 0.0, 0.0), 1.0 if truth.opening > 0.8 else 0.0
    return _free_hand(task, truth, things) or _RULES[task.verb](task, truth, things)


def _free_hand(task: Task, truth: Truth, things: Mapping[str, TableObject]) -> tuple[Vector, float] | None:
    """Puts down what the task has no use for in the hand, and gets clear of what is around; None where that is done."""
    verb, tip = VERBS[task.verb], truth.tip
    near = [name for name, place in truth.places.items() if hypot(tip[0] - place[0], tip[1] - place[1]) < 0.08]
    held = [name for name in near if holds(truth, name, things[name])]
    for name in held:
        if not (verb.grasps and name == task.target):
            return _put_down(name, truth, things)
    low = [name for name in near if tip[2] < truth.places[name][2] + things[name].half_height + _OVER_IT]
    for name in low:
        across, along = abs(tip[0] - truth.places[name][0]), abs(tip[1] - truth.places[name][1])
        if verb.closed and hypot(across, along) < 0.025 and truth.opening > 0.25:
            return (0.0, 0.0, LONGEST_STEP), 1.0  # the fingers stand around it: they may close above it
        beside = along < things[name].half_width + _OPEN_REACH and across < things[name].half_width + 0.011
        if not verb.closed and not held and beside and truth.opening < 0.2:
            return (0.0, 0.0, LONGEST_STEP), 0.0  # opening here would knock it away
    return None


def _put_down(name: str, truth: Truth, things: Mapping[str, TableObject]) -> tuple[Vector, float]:
    x, y, z = truth.places[name]
    foot = z - things[name].half_height
    occupied = any(hypot(x - a, y - b) < 0.06 for a, b, c in truth.places.values() if c < z - 0.02)
    if foot > 0.008 and not occupied:
        return _limited(0.0, 0.0, 0.002 - foot), 0.0
    return (0.0, 0.0, 0.0), 1.0


# ---- one rule a verb ------------------------------------------------------------------------------------------------


def _reach(task: Task, truth: Truth, things: Mapping[str, TableObject]) -> tuple[Vector, float]:
    place, thing = truth.places[task.target], things[task.target]
    height = place[2] + thing.half_height + FINGER_LENGTH_BEYOND_TIP + 0.02
    return _approach(truth.tip, (place[0], place[1]), height, CARRY_HEIGHT), 1.0


def _touch(task: Task, truth: Truth, things: Mapping[str, TableObject]) -> tuple[Vector, float]:
    place, thing = truth.places[task.target], things[task.target]
    height = place[2] + thing.half_height + FINGER_LENGTH_BEYOND_TIP - 0.002
    return _approach(truth.tip, (place[0], place[1]), height, CARRY_HEIGHT), 0.0


def _push(direction: np.ndarray) -> Callable[[Task, Truth, Mapping[str, TableObject]], tuple[Vector, float]]:
    sign = float(direction[1])

    def rule(task: Task, truth: Truth, things: Mapping[str, TableObject]) -> tuple[Vector, float]:
        place, thing = truth.places[task.target], things[task.target]
        tip = truth.tip
        height = max(_LOWEST, place[2] - 0.1 * thing.half_height)
        contact = thing.half_width + FINGER_REACH
        behind = -sign * (tip[1] - place[1])  # positive on the side to push from
        sideways = place[0] - tip[0]
        low = tip[2] < height + 0.012
        if low and abs(sideways) < 0.014 and behind > 0.6 * contact and behind < contact + 2.5 * _PUSH_GAP:
            if sign * place[1] > _PUSH_EDGE:
                return (0.0, 0.0, 0.0), 0.0
            return _limited(sideways, sign * 0.030, height - tip[2]), 0.0
        standoff = (place[0], place[1] - sign * (contact + _PUSH_GAP))
        return _approach(tip, standoff, height, CARRY_HEIGHT), 0.0

    return rule


def _pick_up(task: Task, truth: Truth, things: Mapping[str, TableObject]) -> tuple[Vector, float]:
    if not holds(truth, task.target, things[task.target]):
        return _grasp(task, truth, things)
    return _limited(0.0, 0.0, CARRY_HEIGHT - truth.tip[2]), 0.0


def _grasp(task: Task, truth: Truth, things: Mapping[str, TableObject]) -> tuple[Vector, float]:
    place, thing = truth.places[task.target], things[task.target]
    tip, height = truth.tip, grasp_height(place, thing)
    wide_enough = truth.opening * FINGER_OPEN > 0.6 * finger_stop(place, thing, tip[2])
    if wide_enough and hypot(tip[0] - place[0], tip[1] - place[1]) < 0.010 and abs(tip[2] - height) < 0.008:
        return (0.0, 0.0, 0.0), 0.0
    return _approach(tip, (place[0], place[1]), height, CARRY_HEIGHT), 1.0


def _put_next_to(task: Task, truth: Truth, things: Mapping[str, TableObject]) -> tuple[Vector, float]:
    assert task.reference is not None
    place, thing, tip = truth.places[task.target], things[task.target], truth.tip
    reference, beside = truth.places[task.reference], things[task.reference]
    foot = place[2] - thing.half_height
    if foot < 0.008 and hypot(place[0] - reference[0], place[1] - reference[1]) < NEXT_TO_DISTANCE - 0.005:
        if truth.opening < 0.9 and tip[2] < 2.0 * thing.half_height + 0.02:
            return (0.0, 0.0, 0.0), 1.0
        return _limited(0.0, 0.0, CARRY_HEIGHT - tip[2]), 1.0
    if not holds(truth, task.target, thing):
        return _grasp(task, truth, things)
    names = [name for name in truth.places if name not in (task.target, task.reference)]
    others = [np.array(truth.places[name][:2]) for name in names]
    spots = free_spots(np.array(reference[:2]), others, thing, beside)
    if not spots:  # nowhere to put it: keep it
        return _limited(0.0, 0.0, CARRY_HEIGHT - tip[2]), 0.0
    spot = min(spots, key=lambda s: hypot(s[0] - place[0], s[1] - place[1]))
    # The hand's goal is where the object's would be, seen from the hand.
    goal = (spot[0] + tip[0] - place[0], spot[1] + tip[1] - place[1])
    return _approach(tip, goal, tip[2] - foot + 0.002, CARRY_HEIGHT), 0.0


_RULES: dict[str, Callable[[Task, Truth, Mapping[str, TableObject]], tuple[Vector, float]]] = {
    "reach": _reach,
    "touch": _touch,
    "push_left": _push(LEFT),
    "push_right": _push(RIGHT),
    "pick_up": _pick_up,
    "put_next_to": _put_next_to,
}


# ---- what the rules share -------------------------------------------------------------------------------------------


def grasp_height(place: Vector, thing: TableObject) -> float:
    """Height of gripper_link at which the fingers close on an object [m]."""
    if thing.shape == "cone":
        return max(_LOWEST, place[2] - 0.35 * thing.half_height)
    return max(_LOWEST, place[2])


def finger_stop(place: Vector, thing: TableObject, tip_height: float) -> float:
    """Position of a finger that lies against an object between the fingers [m]."""
    return thing.half_width_at(tip_height - place[2] + thing.half_height)


def is_between_fingers(truth: Truth, place: Vector, thing: TableObject) -> bool:
    """Whether the fingers, closing now, would close on the object."""
    tip = truth.tip
    return (
        abs(tip[0] - place[0]) < 0.016
        and abs(tip[1] - place[1]) < 0.016
        and abs(tip[2] - grasp_height(place, thing)) < 0.014
    )


def holds(truth: Truth, name: str, thing: TableObject) -> bool:
    """Whether the fingers lie against the object from both sides."""
    place = truth.places[name]
    stop = finger_stop(place, thing, truth.tip[2])
    # A cube that stands askew holds the fingers further apart, by up to the square root of 2.
    widest = (1.3 if thing.shape == "cube" else 1.1) * stop + 0.002
    narrowest = 0.6 * stop  # closer together they lie on it or beside it
    return is_between_fingers(truth, place, thing) and narrowest < truth.opening * FINGER_OPEN < widest


def _approach(tip: Vector, goal: tuple[float, float], low: float, high: float) -> Vector:
    """One step into a funnel: over things on the way, down only above the goal, up first where the tool is too low."""
    x, y = goal[0] - tip[0], goal[1] - tip[1]
    distance = hypot(x, y)
    wanted = low + min(max(_FUNNEL_SLOPE * (distance - _FUNNEL_RADIUS), 0.0), max(high - low, 0.0))
    too_low = wanted - 0.02 - tip[2]
    share = 1.0 - min(max(too_low / 0.03, 0.0), 1.0)
    longest = LONGEST_STEP / distance if distance > LONGEST_STEP else 1.0
    x, y = share * min(1.0, longest) * x, share * min(1.0, longest) * y
    # Where this step will lead, not where it begins, tells how far down it may go.
    left = hypot(goal[0] - tip[0] - x, goal[1] - tip[1] - y)
    wanted = low + min(max(_FUNNEL_SLOPE * (left - _FUNNEL_RADIUS), 0.0), max(high - low, 0.0))
    return _limited(x, y, wanted - tip[2])


def _limited(x: float, y: float, z: float) -> Vector:
    length = hypot(x, y, z)
    scale = LONGEST_STEP / length if length > LONGEST_STEP else 1.0
    return scale * x, scale * y, scale * z


def _vector(values: np.ndarray) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z
