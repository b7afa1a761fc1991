# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a clumsy arm does in place of the expert's action, so that demonstrations show what going wrong looks like.

A trained hand closes beside the thing now and then, and lifts nothing. Were that never seen, it would stay up there
with empty fingers: whoever grasps must have seen a miss, and how it is begun anew.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import pi
from random import Random

import numpy as np

from instructvla_ros.sim.expert import CARRY_HEIGHT, expert_action
from instructvla_ros.sim.scene import TableObject
from instructvla_ros.sim.tasks import VERBS, TableState, Task

_NOISES = (0.0, 0.004, 0.008, 0.012)  # [m] an action
_KICK_SHARE, _KICK_CHANCE, _KICK = 0.5, 0.1, 0.04  # of the episodes; of a step; [m]
_FLIP_CHANCE = 0.015  # of a step: the fingers do the opposite
_MISS_SHARE = 0.4  # of the episodes with a grasp
_MISS = (0.012, 0.045)  # [m] beside the thing
_EMPTY_STEPS = (1, 8)  # that the hand goes on as if it held something
_EMPTY_LIFT, _EMPTY_DRIFT = 0.03, 0.02  # [m] a step


class Clumsy:
    """The executed actions of one episode.

    Args:
        task: of the episode.
        random: source of chance.
        noise: source of the actions' noise.
    """

    def __init__(self, task: Task, random: Random, noise: np.random.Generator) -> None:
        self._task, self._random, self._noise = task, random, noise
        self._spread, self._is_kicked = random.choice(_NOISES), random.random() < _KICK_SHARE
        self._beside: np.ndarray | None = None
        if VERBS[task.verb].grasps and random.random() < _MISS_SHARE:
            self._beside = _sideways(random, random.uniform(*_MISS))
        self._drift = _sideways(random, random.uniform(0.0, _EMPTY_DRIFT))
        self._empty_steps: int | None = None

    def action(self, state: TableState, things: Mapping[str, TableObject]) -> np.ndarray:
        """What is executed now, ``(7,)`` as of :func:`~instructvla_ros.sim.expert.expert_action`."""
        action = self._missing(state, things) if self._beside is not None else expert_action(self._task, state, things)
        action[:3] += self._noise.normal(0.0, self._spread, 3)
        if self._is_kicked and self._random.random() < _KICK_CHANCE:
            action[:3] += self._noise.uniform(-_KICK, _KICK, 3)
        if self._random.random() < _FLIP_CHANCE:
            action[6] = 1.0 - action[6]
        return action

    def _missing(self, state: TableState, things: Mapping[str, TableObject]) -> np.ndarray:
        """Grasps beside the thing, lifts empty fingers for a while, and has done with missing."""
        if self._empty_steps is None:
            target = self._task.target
            place = state.objects[target].copy()
            place[:3, 3] += self._beside
            believed = replace(state, objects={**state.objects, target: place})
            action = expert_action(self._task, believed, things)
            if action[6] < 0.5:
                self._empty_steps = self._random.randint(*_EMPTY_STEPS)
            return action
        self._empty_steps -= 1
        if self._empty_steps <= 0:
            self._beside = None
        lift = min(_EMPTY_LIFT, max(0.0, CARRY_HEIGHT - state.gripper[2, 3]))
        return np.array([self._drift[0], self._drift[1], lift, 0.0, 0.0, 0.0, 0.0])


def _sideways(random: Random, length: float) -> np.ndarray:
    """``(3,)`` a horizontal vector [m] in a random direction."""
    angle = random.uniform(-pi, pi)
    return length * np.array([np.cos(angle), np.sin(angle), 0.0])
