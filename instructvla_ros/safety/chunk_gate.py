# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which action chunks may be followed at all: nothing malformed, nothing stale, nothing twice.

A chunk without steps is well formed: it asks for rest.
"""

import math
from dataclasses import dataclass

import numpy as np

from instructvla_ros.robot.action_chunk import ActionChunk, DeltaReference
from instructvla_ros.safety.limits import SafetyLimits
from instructvla_ros.safety.report import Intervention

_SUBJECT = "action_chunk"


@dataclass(frozen=True)
class Refusal:
    """Why a chunk was refused.

    Attributes:
        intervention: what to report.
        malformed: whether the chunk itself is wrong (its maker can no longer be trusted), rather than late or repeated
            (which says nothing about the chunk being followed).
    """

    intervention: Intervention
    malformed: bool


class ChunkGate:
    """Judges chunks one by one, each as a whole.

    Args:
        limits: the limits in force.
        base_frame: the frame that deltas must be expressed in.
    """

    def __init__(self, limits: SafetyLimits, base_frame: str) -> None:
        self._limits = limits
        self._base_frame = base_frame
        self._newest: tuple[int, int] | None = None
        self._not_before = -math.inf

    def void_until(self, now: float, forget: bool = True) -> None:
        """From here on refuse chunks whose observation was made at or before this instant [s].

        Args:
            now: the instant.
            forget: whether to forget which chunk was the newest, as after a reset by hand: else a policy restarted
                under a clock that was set back would never be heard again.
        """
        self._not_before = now
        if forget:
            self._newest = None

    def judge(self, chunk: ActionChunk, now: float) -> Refusal | None:
        """None where the chunk may be followed, else why not.

        A chunk that passes becomes the newest one: it and everything before it will be refused from now on.
        """
        refusal = self._malformed(chunk) or self._untimely(chunk, now)
        if refusal is None:
            self._newest = (chunk.epoch, chunk.sequence)
        return refusal

    def _malformed(self, chunk: ActionChunk) -> Refusal | None:
        limits = self._limits
        if chunk.frame != self._base_frame:
            return _malformed("chunk_frame", f"deltas are in frame {chunk.frame!r}, expected {self._base_frame!r}")
        if not (_is_count(chunk.epoch) and _is_count(chunk.sequence)):
            return _malformed("chunk_sequence", f"epoch {chunk.epoch!r} or sequence {chunk.sequence!r} is no count")
        if chunk.delta_reference not in (DeltaReference.TARGET, DeltaReference.MEASURED):
            return _malformed("chunk_values", f"delta reference {chunk.delta_reference!r} is unknown")
        if not (math.isfinite(chunk.stamp) and math.isfinite(chunk.period)):
            return _malformed("chunk_values", f"stamp {chunk.stamp} or period {chunk.period} is not finite")
        try:
            translations = np.asarray(chunk.translations, dtype=np.float64)
            rotations = np.asarray(chunk.rotations, dtype=np.float64)
            grippers = np.asarray(chunk.grippers, dtype=np.float64)
        except (TypeError, ValueError) as error:
            return _malformed("chunk_values", f"steps are not numbers: {error}")
        steps = len(grippers) if grippers.ndim == 1 else -1
        if not 0 <= steps <= limits.max_steps or {translations.shape, rotations.shape} != {(steps, 3)}:
            return _malformed(
                "chunk_length",
                f"translations {translations.shape}, rotations {rotations.shape} and grippers {grippers.shape} must "
                f"agree and hold {limits.max_steps} steps at most",
                float(steps),
                float(limits.max_steps),
            )
        if not (np.isfinite(translations).all() and np.isfinite(rotations).all() and np.isfinite(grippers).all()):
            return _malformed("chunk_values", "a step holds NaN or infinity")
        if not limits.period_min <= chunk.period <= limits.period_max:
            allowed = limits.period_min if chunk.period < limits.period_min else limits.period_max
            return _malformed(
                "chunk_period",
                f"period {chunk.period:g} s, allowed {limits.period_min:g} to {limits.period_max:g} s",
                chunk.period,
                allowed,
                "s",
            )
        if steps == 0:
            return None
        for name, steps_of, allowed, unit in (
            ("max_step_translation", translations, limits.max_step_translation, "m"),
            ("max_step_rotation", rotations, limits.max_step_rotation, "rad"),
        ):
            # The largest component first: the square of a huge number would overflow in the norm.
            if float(np.max(np.abs(steps_of))) <= allowed:
                longest = float(np.max(np.linalg.norm(steps_of, axis=1)))
            else:
                longest = float(np.max(np.abs(steps_of)))
            if longest > allowed:
                return _malformed(name, f"a step of {longest:g} {unit}, allowed {allowed:g}", longest, allowed, unit)
        return None

    def _untimely(self, chunk: ActionChunk, now: float) -> Refusal | None:
        key, age = (chunk.epoch, chunk.sequence), now - chunk.stamp
        if self._newest is not None and key <= self._newest:
            return _untimely(
                "chunk_sequence",
                f"epoch {key[0]}, sequence {key[1]} is not newer than epoch {self._newest[0]}, "
                f"sequence {self._newest[1]}",
                float(chunk.sequence),
                float(self._newest[1] + 1),
            )
        if chunk.stamp <= self._not_before:
            return _untimely(
                "stop", "its observation was made before the reset", chunk.stamp - self._not_before, 0.0, "s"
            )
        if -age > self._limits.stamp_ahead:
            return _untimely(
                "stamp_ahead", f"its stamp lies {-age:.3f} s in the future", -age, self._limits.stamp_ahead, "s"
            )
        if age > self._limits.chunk_age:
            return _untimely("chunk_age", f"its observation is {age:.3f} s old", age, self._limits.chunk_age, "s")
        covered = len(chunk) * chunk.period
        if len(chunk) and age >= covered:
            return _untimely(
                "chunk_passed", f"all its steps have passed: it covers {covered:.3f} s and came after {age:.3f} s",
                age, covered, "s",
            )
        return None


def _is_count(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and int(value) >= 0


def _malformed(limit: str, why: str, asked: float = math.nan, allowed: float = math.nan, unit: str = "") -> Refusal:
    return Refusal(Intervention(limit, _SUBJECT, asked, allowed, unit, f"chunk refused: {why}"), malformed=True)


def _untimely(limit: str, why: str, asked: float, allowed: float, unit: str = "") -> Refusal:
    return Refusal(Intervention(limit, _SUBJECT, asked, allowed, unit, f"chunk refused: {why}"), malformed=False)
