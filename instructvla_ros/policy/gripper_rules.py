# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Gripper rules: how the model's gripper number becomes a wanted opening.

The model's number is 1 for open and 0 for closed in all its datasets; after ensembling it lies anywhere between. A rule
is a pure function from state to state, so that the steps of a whole chunk can be planned without committing to them.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol


@dataclass(frozen=True)
class GripperState:
    """Where a gripper rule stands after a step.

    Attributes:
        opening: wanted gripper opening, 0 closed to 1 open.
        command: what the published evaluation sends to its simulator for the step: +1 open and -1 closed for the
            threshold rule, the closing motion (positive closes) for the sticky rule.
        reference: the gripper number that changes are counted from; None before the first step. Sticky rule only.
        held: the closing motion being repeated, 0 if none. Sticky rule only.
        repeats: how often it was sent so far. Sticky rule only.
    """

    opening: float
    command: float = 0.0
    reference: float | None = None
    held: float = 0.0
    repeats: int = 0


class GripperRule(Protocol):
    """What a policy needs of a gripper rule."""

    def step(self, state: GripperState, value: float) -> GripperState:
        """Returns the state after the model asked for ``value``, 1 open to 0 closed."""


@dataclass(frozen=True)
class ThresholdGripper:
    """The rule of Bridge: open above a threshold, closed at or below it.

    Attributes:
        threshold: the gripper number above which the gripper opens, within 0 to 1.
    """

    threshold: float = 0.5

    def __post_init__(self) -> None:
        _check_within_unit("threshold", self.threshold)

    def step(self, state: GripperState, value: float) -> GripperState:
        """Returns the state after the model asked for ``value``, 1 open to 0 closed."""
        is_open = value > self.threshold
        return GripperState(opening=float(is_open), command=1.0 if is_open else -1.0)


@dataclass(frozen=True)
class StickyGripper:
    """The rule of Fractal: changes of the gripper number are motions, and a large one is repeated.

    The change is counted from the number at the last large change. A change above the threshold is held: it is sent for
    ``repeats`` steps in a row, whatever the model asks meanwhile. Smaller changes are sent as they are, once. Each
    motion moves the wanted opening by its amount, within 0 to 1.

    Attributes:
        repeats: for how many steps a large change is sent.
        threshold: the size of a large change, within 0 to 1.
    """

    repeats: int = 10
    threshold: float = 0.5

    def __post_init__(self) -> None:
        _check_within_unit("threshold", self.threshold)
        if self.repeats < 1:
            raise ValueError(f"a sticky gripper repeats a change at least once, got {self.repeats}")

    def step(self, state: GripperState, value: float) -> GripperState:
        """Returns the state after the model asked for ``value``, 1 open to 0 closed."""
        reference = value if state.reference is None else state.reference
        command, held, repeats = reference - value, state.held, state.repeats
        if not held and abs(command) > self.threshold:
            held, reference = command, value
        if held:
            command, repeats = held, repeats + 1
        if repeats == self.repeats:
            held, repeats = 0.0, 0
        opening = min(max(state.opening - command, 0.0), 1.0)
        return replace(
            state, opening=opening, command=command, reference=reference, held=held, repeats=repeats
        )


def plan_gripper(rule: GripperRule, state: GripperState, values: Iterable[float]) -> list[GripperState]:
    """Follows a rule through the gripper numbers of a chunk.

    Args:
        rule: the rule.
        state: where the rule stands before the first step.
        values: the model's gripper numbers, step by step, 1 open to 0 closed.

    Returns:
        The state after each step.
    """
    states = []
    for value in values:
        state = rule.step(state, float(value))
        states.append(state)
    return states


def _check_within_unit(name: str, value: float) -> None:
    if not (math.isfinite(value) and 0.0 <= value <= 1.0):
        raise ValueError(f"the gripper {name} must lie within 0 to 1, got {value}")
