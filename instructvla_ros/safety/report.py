# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What goes into the safety filter beside chunks and joint states, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from instructvla_ros.robot.trajectory import JointTrajectory


class SafetyState(IntEnum):
    """State of the filter; same numbers as in SafetyStatus.msg."""

    INACTIVE = 0  # no joint states yet: nothing is commanded
    HOLDING = 1  # the arm is held at rest, ready to move
    MOVING = 2  # a chunk is being followed, or the motion after it is running out
    STOPPING = 3  # a stop came: decelerating
    STOPPED = 4  # at rest, latched until a reset
    FAULT = 5  # a broken promise or input latched the stop


LATCHED_STATES = (SafetyState.STOPPING, SafetyState.STOPPED, SafetyState.FAULT)
"""States that last until a reset."""


@dataclass(frozen=True)
class Stops:
    """Who wants the arm to stop, and whether it may go on.

    Attributes:
        emergency: level of the emergency stop: true as long as it is pressed.
        requested: a stop was asked for since the last step.
        reset: a reset was asked for since the last step.
        broken: a promise that somebody outside of the filter sees broken now, such as a second publisher on its topics:
            a fault at once, and no reset while it lasts.
        released: why the arm must rest now without a latch, such as a button that is not held: chunks are refused, and
            those made before it is over are void; None where nothing asks for it.
    """

    emergency: bool = False
    requested: bool = False
    reset: bool = False
    broken: Intervention | None = None
    released: Intervention | None = None


@dataclass(frozen=True)
class Intervention:
    """One limit that changed what was asked, or refused it; the fields of SafetyIntervention.msg.

    Attributes:
        limit: name of the limit.
        subject: what it acted on: a joint, an axis, "gripper", an input; may be empty.
        asked: value asked for, in the unit below; NaN where a number makes no sense.
        allowed: value allowed instead; NaN likewise.
        unit: m, rad, m/s, rad/s, s, or empty.
        message: the same in words.
        duration: how long it has been acting without a pause [s]; 0 for a single one. Told by
            :class:`~.intervention_log.InterventionLog`, and 0 in the report of one step.
    """

    limit: str
    subject: str
    asked: float
    allowed: float
    unit: str
    message: str
    duration: float = 0.0


@dataclass(frozen=True)
class SafetyReport:
    """What one step decided and why; the fields of SafetyStatus.msg.

    Attributes:
        state: state after the step.
        reason: why it is in this state, in words.
        epoch: epoch of the chunk being followed, or of the last one.
        sequence: sequence number of that chunk.
        path_speed: share of the asked speed that is executed, 0 to 1; 0 while nothing is asked.
        joint_state_age: age of the newest usable joint state [s]; NaN before the first.
        chunk_age: age of the observation behind the chunk being followed [s]; NaN without one.
        interventions: every limit that changed or refused something in this step.
    """

    state: SafetyState
    reason: str
    epoch: int
    sequence: int
    path_speed: float
    joint_state_age: float
    chunk_age: float
    interventions: tuple[Intervention, ...]


@dataclass(frozen=True, eq=False)
class SafetyCommand:
    """What the arm is told.

    Attributes:
        trajectory: joint trajectory from now; its first point is the state commanded now, its last one is at rest.
        gripper: opening, 0 closed to 1 open; None until a chunk has asked for one.
    """

    trajectory: JointTrajectory
    gripper: float | None
