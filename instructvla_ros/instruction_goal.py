# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What becomes of one instruction: from the messages of policy and filter to phases and an ending. No ROS.

All times are on one monotonic clock [s]. Nothing here publishes: :attr:`InstructionGoal.wants` says what is to be done.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, IntEnum

from instructvla_ros.asked_way import AskedWay, Extent
from instructvla_ros.robot.action_chunk import ActionChunk
from instructvla_ros.safety import LATCHED_STATES, SafetyState


class Outcome(IntEnum):
    """How a goal ended; same numbers as in ExecuteInstruction.action."""

    SETTLED = 1
    TIMEOUT = 2
    CANCELED = 3
    PREEMPTED = 4
    SUPERSEDED = 5
    STOPPED = 6
    NOT_STARTED = 7
    REFUSED = 8


class Phase(IntEnum):
    """Where a goal is; same numbers as in ExecuteInstruction.action."""

    WAITING = 1
    THINKING = 2
    ACTING = 3
    SETTLING = 4
    RESTING = 5


class Wants(Enum):
    """What a goal needs done for it."""

    NOTHING = "nothing"
    CLEARED = "the instruction taken back"
    STOPPED = "the instruction taken back and the filter told to stop"


class GoalError(ValueError):
    """A goal that cannot be pursued; the message says why."""


@dataclass(frozen=True)
class GoalSettings:
    """When a goal is over.

    Attributes:
        default_timeout: of goals that name none [s].
        start_timeout: longest wait for the first action chunk [s].
        settle_time: how long the way that is asked for must lead nowhere for the goal to be done [s].
        settle_translation: within a way of this extent the gripper counts as staying in its place [m].
        settle_rotation: likewise [rad].
        rest_timeout: how long the arm may take to rest after the instruction was taken back; then the filter is told to
            stop [s].
        status_timeout: without a safety status for so long the filter counts as gone [s].
    """

    default_timeout: float
    start_timeout: float
    settle_time: float
    settle_translation: float
    settle_rotation: float
    rest_timeout: float
    status_timeout: float


@dataclass(frozen=True)
class Ending:
    """How a goal ended.

    Attributes:
        outcome: in one word.
        success: whether the policy moved and then settled.
        message: in words.
        duration: since acceptance [s].
    """

    outcome: Outcome
    success: bool
    message: str
    duration: float


_GRIPPER_STILL = 0.05  # change of the opening that counts as none
_AT_REST = (SafetyState.INACTIVE, SafetyState.HOLDING, SafetyState.STOPPED)


class InstructionGoal:
    """One goal from acceptance to its end.

    Args:
        instruction: what to do.
        timeout: the goal's own [s]; 0 for the default.
        settings: when it is over.
        now: the present [s].
        floor: chunks of this epoch and older ones belong to goals before.

    Raises:
        GoalError: the instruction is blank, or the timeout no number from 0 up.
    """

    def __init__(self, instruction: str, timeout: float, settings: GoalSettings, now: float, floor: int = 0) -> None:
        self.instruction = instruction.strip()
        if not self.instruction:
            raise GoalError("the instruction is blank")
        if not (math.isfinite(timeout) and timeout >= 0.0):
            raise GoalError(f"timeout is {timeout}; it must be a number of seconds, 0 for the default")
        self._timeout = timeout or settings.default_timeout
        self._settings = settings
        self._started = now
        self._floor = floor
        self._epoch: int | None = None
        self._last_chunk: float | None = None
        self._way = AskedWay(settings.settle_time)
        self._moved = False
        self._voided_at: float | None = None
        self._reasoning, self._reasoning_final = "", False
        self._policy_says = ""
        self._state: SafetyState | None = None
        self._reason = ""
        self._status_at = now
        self._over: tuple[Outcome, str] | None = None
        self._over_since = 0.0
        self._stop_since: float | None = None
        self.ending: Ending | None = None
        """How it ended; None as long as it has not."""
        self.wants = Wants.NOTHING
        """What is to be done for it now; stays so once it is wanted."""

    @property
    def phase(self) -> Phase:
        """Where it is."""
        if self._over is not None:
            return Phase.RESTING
        if self._last_chunk is None:
            return Phase.THINKING if self._reasoning else Phase.WAITING
        return Phase.SETTLING if self._stays(0.5 * self._settings.settle_time) else Phase.ACTING

    @property
    def message(self) -> str:
        """More about the phase, in words; may be empty."""
        if self._over is not None:
            return self._over[1]
        return self._policy_says if self._last_chunk is None and not self._reasoning else ""

    @property
    def reasoning(self) -> tuple[str, bool]:
        """What the model has said about the instruction, and whether it has finished."""
        return self._reasoning, self._reasoning_final

    def elapsed(self, now: float) -> float:
        """Time since acceptance [s]."""
        return now - self._started

    def see_chunk(self, now: float, chunk: ActionChunk) -> None:
        """An action chunk came, its stamp on the clock of ``now``; those without steps open an epoch."""
        if chunk.epoch <= self._floor:
            return
        ours = chunk.instruction.strip() == self.instruction
        if self._over is not None:
            if not ours and self._voided_at is None and chunk.epoch > (self._epoch or 0):
                self._voided_at = now
            if len(chunk):
                self._last_chunk = now
            return
        if not ours:
            if self._epoch is not None and chunk.epoch > self._epoch:
                by = f'"{chunk.instruction}" has taken its place' if chunk.instruction.strip() else "it was cleared"
                self._end(now, Outcome.SUPERSEDED, f"somebody else gave an instruction: {by}")
            return
        self._epoch = max(self._epoch or 0, chunk.epoch)
        if not len(chunk):
            return
        self._last_chunk = now
        self._way.add(now, chunk)
        self._moved = self._moved or not self._is_still(self._way.extent())

    def see_reasoning(self, instruction: str, text: str, final: bool) -> None:
        """The model said something."""
        if instruction.strip() == self.instruction:
            self._reasoning, self._reasoning_final = text, final

    def see_policy(self, summary: str) -> None:
        """The policy's diagnostics came: why it does not act, in its own words."""
        self._policy_says = summary

    def see_status(self, now: float, state: SafetyState, reason: str) -> None:
        """A safety status came."""
        self._status_at, self._state, self._reason = now, state, reason

    def cancel(self, now: float) -> None:
        """Somebody wants it to end; it does when the arm is at rest."""
        self._finish(now, Outcome.CANCELED, "canceled")

    def preempt(self, now: float) -> None:
        """A newer goal takes its place; it ends at once, and the newer instruction ends its motion."""
        if self.ending is None:
            self._end(now, Outcome.PREEMPTED, "a newer goal has taken its place")

    def close(self, now: float) -> None:
        """The server ends: the instruction must be taken back, nobody will see the arm rest."""
        if self.ending is None:
            self.wants = Wants.CLEARED
            self._end(now, Outcome.CANCELED, "the server was ended; the arm was told to rest")

    def tick(self, now: float) -> None:
        """Let time pass; afterwards ``wants`` and ``ending`` are up to date."""
        if self.ending is not None:
            return
        if self._over is None:
            self._judge(now)
        if self._over is not None and self.ending is None:
            self._await_rest(now)

    def _judge(self, now: float) -> None:
        settings, elapsed = self._settings, self.elapsed(now)
        if now - self._status_at > settings.status_timeout:
            self.wants = Wants.CLEARED
            why = f"no safety_status for {now - self._status_at:.1f} s: is safety_filter_node running?"
            self._end(now, Outcome.STOPPED, why)
        elif self._state in LATCHED_STATES:
            self.wants = Wants.CLEARED  # else a reset would set the arm in motion again
            self._end(now, Outcome.STOPPED, f"the safety filter stopped the arm: {self._reason}")
        elif self._stays(settings.settle_time):
            if self._moved:
                self._finish(now, Outcome.SETTLED, "the policy asks for no more motion; nobody has judged the outcome")
            else:
                self._finish(now, Outcome.SETTLED, "the policy asked for no motion at all")
        elif elapsed >= self._timeout:
            self._finish(now, Outcome.TIMEOUT, f"not done after {elapsed:.1f} s{self._hint()}")
        elif self._last_chunk is None and elapsed >= settings.start_timeout:
            self._finish(now, Outcome.NOT_STARTED, f"no action chunk after {elapsed:.1f} s{self._hint()}")

    def _hint(self) -> str:
        if self._last_chunk is not None:
            return ""
        return f"; the policy says: {self._policy_says}" if self._policy_says else "; no diagnostics from policy_node"

    def _await_rest(self, now: float) -> None:
        """End once the arm rests; where the policy does not give it up, have the filter stop it."""
        assert self._over is not None
        outcome, message = self._over
        waited = now - self._over_since
        fresh = self._status_at > max(self._over_since, self._voided_at or 0.0)
        at_rest = fresh and self._state in _AT_REST
        quiet = self._last_chunk is None or now - self._last_chunk > 0.5 * self._settings.rest_timeout
        if self._stop_since is not None:
            if fresh and self._state is SafetyState.STOPPED:
                self._end(now, outcome, f"{message}; the policy went on, so the filter was stopped: it needs a reset")
            elif now - self._stop_since > self._settings.rest_timeout:
                self._end(now, outcome, f"{message}; THE ARM IS NOT KNOWN TO BE AT REST: {self._what_is_seen(now)}")
        elif fresh and self._state in LATCHED_STATES:
            self._end(now, outcome, f"{message}; the safety filter stopped the arm meanwhile: {self._reason}")
        elif at_rest and self._voided_at is not None:
            self._end(now, outcome, message)
        elif waited > self._settings.rest_timeout:
            if at_rest and quiet:
                self._end(now, outcome, message)
            else:
                self.wants, self._stop_since = Wants.STOPPED, now

    def _what_is_seen(self, now: float) -> str:
        if now - self._status_at > self._settings.status_timeout or self._state is None:
            return f"no safety_status for {now - self._status_at:.1f} s"
        return f"the filter says {self._state.name.lower()}: {self._reason}"

    def _stays(self, window: float) -> bool:
        """Whether the way that was asked for within the last while leads nowhere."""
        extent = self._way.extent(window)
        return extent is not None and self._is_still(extent)

    def _is_still(self, extent: Extent | None) -> bool:
        settings = self._settings
        return extent is None or (  # told so that what is not a number counts as motion
            extent.translation <= settings.settle_translation
            and extent.rotation <= settings.settle_rotation
            and extent.gripper <= _GRIPPER_STILL
        )

    def _finish(self, now: float, outcome: Outcome, message: str) -> None:
        """It is over; the ending follows when the arm is at rest."""
        if self._over is None and self.ending is None:
            self._over, self._over_since = (outcome, message), now
            self.wants = Wants.CLEARED

    def _end(self, now: float, outcome: Outcome, message: str) -> None:
        success = outcome is Outcome.SETTLED and self._moved
        self.ending = Ending(outcome, success, message, self.elapsed(now))
