# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is put on the board, as plain types."""

from __future__ import annotations

from dataclasses import dataclass

from instructvla_ros.safety import LATCHED_STATES, SafetyState

STATES = tuple(state.name.lower() for state in SafetyState)
"""Names of the states by their numbers in SafetyStatus.msg."""

LATCHED_NAMES = tuple(state.name.lower() for state in LATCHED_STATES)
"""Names of those that last until a reset."""


@dataclass(frozen=True)
class Camera:
    """One camera of the page.

    Attributes:
        name: its topic.
        label: for people.
        oldest: age from which the policy refuses its frames [s].
    """

    name: str
    label: str
    oldest: float


@dataclass(frozen=True)
class ActingLimit:
    """One intervention of the filter, with the fields of SafetyIntervention.msg; NaN becomes None."""

    limit: str
    subject: str
    asked: float | None
    allowed: float | None
    duration: float
    unit: str
    message: str


@dataclass(frozen=True)
class FilterStatus:
    """The safety status with what the page shows of it; ages in seconds, None where SafetyStatus.msg has NaN."""

    stamp: float
    state: int
    reason: str
    path_speed: float
    speed_scale: float
    joint_state_age: float | None
    chunk_age: float | None
    limits: tuple[ActingLimit, ...]
    count: int


@dataclass
class Exchange:
    """An instruction or a question, and what came of it."""

    text: str
    answer: str = ""
    success: bool = True
    pending: bool = False
    at: float = 0.0


@dataclass(frozen=True)
class HeardWords:
    """What the voice bridge heard.

    Attributes:
        text: the words.
        confidence: 0 to 1.
        asks: whether it waits for a yes or no.
        reason: what became of them, for people.
    """

    text: str
    confidence: float
    asks: bool
    reason: str
