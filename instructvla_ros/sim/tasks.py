# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What can be asked of the arm on its table, and whether it was done, told from the simulator's truth."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from instructvla_ros.sim.arm_numbers import FINGER_LENGTH_BEYOND_TIP
from instructvla_ros.sim.randomisation import Scene
from instructvla_ros.sim.scene import LAYOUT_LOWER, LAYOUT_UPPER, TableObject

# Left and right are those of the front camera's picture: what the person who gives the instruction looks at, and the
# model too. That camera faces the arm, so left in the picture is the arm's own right, -y of base_link.
LEFT = np.array([0.0, -1.0, 0.0])
RIGHT = np.array([0.0, 1.0, 0.0])

REACH_DISTANCE = 0.03  # [m] horizontally, from the object's middle
REACH_HEIGHT = 0.05  # [m] from the ends of the fingers down to the object's top
PUSH_DISTANCE = 0.05  # [m]
LIFT_HEIGHT = 0.05  # [m]
NEXT_TO_DISTANCE = 0.10  # [m] between two middles
STILL = 0.03  # [m] how far what should stay where it is may move
_STANDING = 0.01  # [m] how far above its resting height an object still stands on the table
_APART = 0.13  # [m] between the middles of two objects that are to be brought together


@dataclass(frozen=True, eq=False)
class TableState:
    """The truth at one instant.

    Attributes:
        time: since the episode began [s].
        gripper: ``(4, 4)`` pose of gripper_link in base_link.
        opening: measured gripper opening, 0 closed to 1 open.
        objects: ``(4, 4)`` pose of each object's middle in base_link, by its name.
        touched: names of the objects that a finger touches.
    """

    time: float
    gripper: np.ndarray  # (4, 4)
    opening: float
    objects: Mapping[str, np.ndarray]
    touched: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Task:
    """One thing to do.

    Attributes:
        verb: one of :data:`VERBS`.
        target: name of the object that it is done to; where no such object lies on the table, the arm should rest.
        reference: name of the other object, for verbs that need one.
    """

    verb: str
    target: str
    reference: str | None = None

    def __post_init__(self) -> None:
        if self.verb not in VERBS:
            raise ValueError(f"verb {self.verb!r} is not known; there are {', '.join(VERBS)}")
        if (self.reference is not None) != VERBS[self.verb].needs_reference or self.reference == self.target:
            raise ValueError(f"{self.verb} of {self.target!r} cannot have the reference {self.reference!r}")

    @property
    def phrase(self) -> str:
        """The task in the plainest words, as in ``pick up the red cube``."""
        reference = "" if self.reference is None else f" next to the {self.reference}"
        return VERBS[self.verb].words.format(target=self.target) + reference

    def is_possible(self, names: Mapping[str, object]) -> bool:
        """Whether everything that it speaks of lies on the table; if not, the arm should rest."""
        return self.target in names and (self.reference is None or self.reference in names)


@dataclass(frozen=True)
class Verb:
    """A kind of task.

    Attributes:
        name: how code calls it.
        words: its plainest words, with ``{target}``.
        needs_reference: whether a second object belongs to it.
        closed: whether the fingers are closed on the way.
        grasps: whether the target gets between the fingers.
        time_limit: after which the attempt has failed [s].
        done: tells from task, start, now and the objects by name whether it is done.
        feasible: tells from task and scene whether there is room for it.
    """

    name: str
    words: str
    needs_reference: bool
    closed: bool
    grasps: bool
    time_limit: float
    done: Callable[[Task, TableState, TableState, Mapping[str, TableObject]], bool]
    feasible: Callable[[Task, Scene], bool]


def succeeded(task: Task, start: TableState, now: TableState, things: Mapping[str, TableObject]) -> bool:
    """Whether the task is done now.

    A task about an object that is not on the table is done as long as the arm has rested: see :func:`rested`.

    Args:
        task: what was asked.
        start: the truth when it was asked.
        now: the truth now.
        things: the objects by their names.
    """
    if not task.is_possible(now.objects):
        return rested(start, now)
    return VERBS[task.verb].done(task, start, now, things)


def rested(start: TableState, now: TableState) -> bool:
    """Whether the gripper stayed within 3 cm of where it was, and every object too."""
    moved = [now.gripper[:3, 3] - start.gripper[:3, 3]]
    moved += [now.objects[name][:3, 3] - start.objects[name][:3, 3] for name in start.objects]
    return all(float(np.linalg.norm(way)) < STILL for way in moved)


def _others_still(task: Task, start: TableState, now: TableState) -> bool:
    return all(
        float(np.linalg.norm(now.objects[name][:3, 3] - start.objects[name][:3, 3])) < STILL
        for name in start.objects
        if name != task.target
    )


def _reached(task: Task, start: TableState, now: TableState, things: Mapping[str, TableObject]) -> bool:
    place = now.objects[task.target][:3, 3]
    away = now.gripper[:3, 3] - place
    above = float(away[2]) - FINGER_LENGTH_BEYOND_TIP - things[task.target].half_height
    moved = float(np.linalg.norm(place - start.objects[task.target][:3, 3]))
    return float(np.hypot(*away[:2])) < REACH_DISTANCE and -0.01 < above < REACH_HEIGHT and moved < STILL


def _touched(task: Task, start: TableState, now: TableState, things: Mapping[str, TableObject]) -> bool:
    return now.touched == {task.target} and _others_still(task, start, now)


def _pushed(direction: np.ndarray) -> Callable[[Task, TableState, TableState, Mapping[str, TableObject]], bool]:
    def done(task: Task, start: TableState, now: TableState, things: Mapping[str, TableObject]) -> bool:
        way = now.objects[task.target][:3, 3] - start.objects[task.target][:3, 3]
        along = float(way @ direction)
        across = float(np.linalg.norm(way[:2] - along * direction[:2]))
        return along >= PUSH_DISTANCE and across <= along and abs(float(way[2])) < 2.0 * _STANDING

    return done


def _picked(task: Task, start: TableState, now: TableState, things: Mapping[str, TableObject]) -> bool:
    return float(now.objects[task.target][2, 3] - start.objects[task.target][2, 3]) >= LIFT_HEIGHT


def _put(task: Task, start: TableState, now: TableState, things: Mapping[str, TableObject]) -> bool:
    assert task.reference is not None
    place, other = now.objects[task.target][:3, 3], now.objects[task.reference][:3, 3]
    stands = abs(float(place[2]) - things[task.target].resting_height) < _STANDING
    near = float(np.hypot(*(place - other)[:2])) <= NEXT_TO_DISTANCE
    return stands and near and task.target not in now.touched and _others_still(task, start, now)


def _always(task: Task, scene: Scene) -> bool:
    return True


def _room_beside(direction: np.ndarray) -> Callable[[Task, Scene], bool]:
    """Room for the fingers on one side of the target, and for the target on the other."""

    def feasible(task: Task, scene: Scene) -> bool:
        names = [thing.name for thing in scene.objects]
        index = names.index(task.target)
        offsets = np.delete(scene.layout[:, :2] - scene.layout[index, :2], index, axis=0)  # (n - 1, 2)
        along, across = offsets @ direction[:2], np.abs(offsets @ np.array([direction[1], direction[0]]))
        behind = (along < 0.0) & (along > -0.105) & (across < 0.055)
        ahead = (along > 0.0) & (along < 0.13) & (across < 0.055)
        goal = scene.layout[index, :2] + 0.07 * direction[:2]
        return not (behind | ahead).any() and abs(float(goal[1])) < LAYOUT_UPPER[1] + 0.05

    return feasible


def _apart(task: Task, scene: Scene) -> bool:
    names = [thing.name for thing in scene.objects]
    places = {name: scene.layout[index, :2] for index, name in enumerate(names)}
    assert task.reference is not None
    target, reference = places[task.target], places[task.reference]
    others = [place for name, place in places.items() if name not in (task.target, task.reference)]
    spots = free_spots(reference, others, scene.things[task.target], scene.things[task.reference])
    return float(np.linalg.norm(target - reference)) > _APART and len(spots) > 0


def free_spots(
    reference: np.ndarray, others: list[np.ndarray], thing: TableObject, beside: TableObject
) -> list[tuple[float, float]]:
    """Places next to an object where another one, and the fingers around it, fit.

    Args:
        reference: ``(2,)`` middle of the object that is there [m].
        others: ``(2,)`` middles of all further objects [m].
        thing: what is to be put there.
        beside: what is there.

    Returns:
        x, y of each such place in base_link [m], nearest to the middle of the table first.
    """
    x, y = float(reference[0]), float(reference[1])
    # Along x the fingers' sides pass the neighbour, along y they open towards it.
    ahead = thing.half_width + beside.half_width + 0.025
    aside = beside.half_width + 0.055
    spots = [(x + ahead, y), (x - ahead, y), (x, y + aside), (x, y - aside)]
    free = [
        (a, b)
        for a, b in spots
        if LAYOUT_LOWER[0] - 0.03 <= a <= LAYOUT_UPPER[0] + 0.02
        and LAYOUT_LOWER[1] - 0.02 <= b <= LAYOUT_UPPER[1] + 0.02
        and all(abs(a - float(o[0])) > 0.06 or abs(b - float(o[1])) > 0.08 for o in others)
    ]
    middle_x = 0.5 * (LAYOUT_LOWER[0] + LAYOUT_UPPER[0])
    return sorted(free, key=lambda spot: (spot[0] - middle_x) ** 2 + spot[1] ** 2)


VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb("reach", "reach the {target}", False, False, False, 5.0, _reached, _always),
        Verb("touch", "touch the {target}", False, True, False, 6.0, _touched, _always),
        Verb("push_left", "push the {target} left", False, True, False, 8.0, _pushed(LEFT), _room_beside(LEFT)),
        Verb("push_right", "push the {target} right", False, True, False, 8.0, _pushed(RIGHT), _room_beside(RIGHT)),
        Verb("pick_up", "pick up the {target}", False, False, True, 8.0, _picked, _always),
        Verb("put_next_to", "put the {target}", True, False, True, 12.0, _put, _apart),
    )
}


def every_task(scene: Scene, verb: str) -> list[Task]:
    """All tasks with a verb that name objects of the scene, feasible or not.

    Raises:
        ValueError: the verb is not known.
    """
    if verb not in VERBS:
        raise ValueError(f"verb {verb!r} is not known; there are {', '.join(VERBS)}")
    names = [thing.name for thing in scene.objects]
    if not VERBS[verb].needs_reference:
        return [Task(verb, name) for name in names]
    return [Task(verb, name, other) for name in names for other in names if other != name]


def feasible_tasks(scene: Scene, verb: str) -> list[Task]:
    """Those of :func:`every_task` that there is room for."""
    return [task for task in every_task(scene, verb) if VERBS[verb].feasible(task, scene)]
