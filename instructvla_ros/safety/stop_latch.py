# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A stop that stays until somebody resets it."""

import math

from instructvla_ros.safety.report import Intervention, Stops


class StopLatch:
    """Remembers that the arm must rest, and why.

    Attributes:
        latched: whether the arm must rest.
        is_fault: whether a broken promise or input latched it, rather than a person.
        limit: name under which it is reported: emergency_stop, stop or the limit that was broken; empty if not latched.
        reason: the same in words.
    """

    def __init__(self) -> None:
        self.latched = False
        self.is_fault = False
        self.limit = ""
        self.reason = ""

    def update(self, stops: Stops, obstacle: str) -> tuple[bool, list[Intervention]]:
        """Takes in what people want and what others see broken.

        Args:
            stops: the stops, resets and broken promises since the last step.
            obstacle: why a reset cannot be granted now, beside a stop that is still wanted and a promise that is still
                broken; empty if it can.

        Returns:
            whether this released the latch, and what to report.
        """
        notes: list[Intervention] = []
        broken = stops.broken
        if broken is not None and (not self.is_fault or self.limit == broken.limit):
            known = self.is_fault
            entry = self.fault(
                broken.limit, broken.subject, broken.message, broken.asked, broken.allowed, broken.unit
            )
            notes = [] if known else [entry]
        elif (stops.emergency or stops.requested) and not self.latched:
            self.latched = True
            self.limit = "emergency_stop" if stops.emergency else "stop"
            self.reason = "the emergency stop is pressed" if stops.emergency else "a stop was asked for"
            notes = [_note(self.limit, self.limit, self.reason)]
        if broken is not None or stops.emergency or stops.requested:
            why = "a stop is still wanted" if broken is None else broken.message
            return False, [*notes, _reset_refused(why)] if stops.reset else notes
        if not (stops.reset and self.latched):
            return False, []
        if obstacle:
            return False, [_reset_refused(obstacle)]
        self.latched, self.is_fault, self.limit, self.reason = False, False, "", ""
        return True, []

    def fault(self, limit: str, subject: str, reason: str, asked: float, allowed: float, unit: str) -> Intervention:
        """Latches because a promise or an input is broken."""
        self.latched, self.is_fault, self.limit, self.reason = True, True, limit, reason
        return Intervention(limit, subject, asked, allowed, unit, reason)


def _reset_refused(why: str) -> Intervention:
    return _note("reset", "reset", f"reset refused: {why}")


def _note(limit: str, subject: str, message: str) -> Intervention:
    return Intervention(limit, subject, math.nan, math.nan, "", message)
