# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the safety filter promises of its commands, judged from the commands alone."""

from __future__ import annotations

from collections import Counter

import numpy as np

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.robot.trajectory import JointTrajectory
from instructvla_ros.safety import SafetyLimits
from instructvla_ros.safety.audit import CommandAudit

CONTINUITY = "continuity"


def jump(before: JointTrajectory, after: JointTrajectory, elapsed: float) -> float:
    """How far a trajectory begins from the nearest point of the one before it, of the joint that is farthest [rad].

    A command may come late, so when on the trajectory before it begins is searched for around the time elapsed.

    Args:
        before: the trajectory sent before.
        after: the one in question.
        elapsed: time between their arrivals [s].
    """
    start = after.positions[0]
    nearest = np.inf
    for instant in (elapsed, 0.0):
        for _ in range(8):
            instant = min(max(instant, 0.0), float(before.times[-1]))
            positions, velocities = before.sample(instant)
            nearest = min(nearest, float(np.abs(start - positions).max()))
            along = float(velocities @ velocities)
            if along < 1e-9:
                break
            instant += float(velocities @ (start - positions)) / along
    return nearest


class CommandWatch:
    """Judges a stream of commands as it was heard, and counts the promises that it breaks.

    Each must begin on the one before it; the rest is up to :class:`~instructvla_ros.safety.audit.CommandAudit`.

    Attributes:
        broken: how often each promise was broken.
        examples: the first case of each in words.
        commands: how many commands were heard.
        audit: the audit, with the largest use of each limit.

    Args:
        limits: the limits that the filter should keep.
        chain: the arm.
        jump_tolerance: how far a command may begin off the one before it [rad].
        every: of how many commands one is audited from end to end, which takes a few milliseconds.
    """

    def __init__(
        self, limits: SafetyLimits, chain: KinematicChain, jump_tolerance: float = 1e-4, every: int = 1
    ) -> None:
        self.broken: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.commands = 0
        self.audit = CommandAudit(limits, chain)
        self._jump_tolerance, self._every = jump_tolerance, every
        self._before: tuple[float, JointTrajectory] | None = None

    def judge(self, arrival: float, trajectory: JointTrajectory) -> None:
        """Take in one command with the monotonic time of its arrival [s]."""
        if self.commands % self._every == 0:
            try:
                self.audit.command(trajectory, None, 0.0)
            except AssertionError as error:
                self._break(str(error).split(" is ")[0], str(error))
        if self._before is not None:
            since, before = self._before
            distance = jump(before, trajectory, arrival - since)
            if not distance <= self._jump_tolerance:
                self._break(
                    CONTINUITY, f"begins {distance:.6g} rad off the one before, allowed {self._jump_tolerance:g}"
                )
        self._before = (arrival, trajectory)
        self.commands += 1

    def _break(self, promise: str, example: str) -> None:
        self.broken[promise] += 1
        self.examples.setdefault(promise, example)
