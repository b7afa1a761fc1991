# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the safety filter promises of its commands, judged from the commands alone."""

from __future__ import annotations

from collections import Counter

import numpy as np

from instructvla_ros.robot.trajectory import JointTrajectory
from instructvla_ros.safety import SafetyLimits

_TINY = 1e-6  # rounding on the way through a message, in the units of what is compared
_SLACK = 1.01  # times a limit on speed or acceleration: points are 0.01 s apart, and times are whole nanoseconds


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
    """Judges every command of a stream, and counts the promises that it breaks.

    Attributes:
        broken: how often each promise was broken.
        examples: the first case of each in words.
        commands: how many commands were judged.

    Args:
        limits: the limits that the filter should keep.
        jump_tolerance: how far a command may begin off the one before it [rad].
    """

    def __init__(self, limits: SafetyLimits, jump_tolerance: float = 1e-4) -> None:
        self.broken: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.commands = 0
        self._limits, self._jump_tolerance = limits, jump_tolerance
        self._before: tuple[float, JointTrajectory] | None = None

    def judge(self, arrival: float, trajectory: JointTrajectory) -> None:
        """Take in one command with the monotonic time of its arrival [s]."""
        self.commands += 1
        joints = [self._limits.joints[name] for name in trajectory.joint_names]
        lower, upper = np.array([j.lower for j in joints]), np.array([j.upper for j in joints])
        speed = np.array([j.velocity for j in joints])
        acceleration = np.array([j.acceleration for j in joints])
        outside = np.maximum(lower - trajectory.positions, trajectory.positions - upper).max()
        self._check("joint range", outside, _TINY)
        self._check("joint speed", (np.abs(trajectory.velocities) / speed).max(), _SLACK)
        if len(trajectory.times) > 1:
            steps = np.diff(trajectory.times)[:, None]  # (points - 1, 1)
            change = np.abs(np.diff(trajectory.velocities, axis=0)) - _TINY
            self._check("joint acceleration", (change / steps / acceleration).max(), _SLACK)
        self._check("rest at the end", np.abs(trajectory.velocities[-1]).max(), _TINY)
        self._check("horizon", float(trajectory.times[-1]), self._limits.horizon + _TINY)
        if self._before is not None:
            since, before = self._before
            self._check("continuity", jump(before, trajectory, arrival - since), self._jump_tolerance)
        self._before = (arrival, trajectory)

    def _check(self, promise: str, value: float, allowed: float) -> None:
        if not value <= allowed:
            self.broken[promise] += 1
            self.examples.setdefault(promise, f"{promise}: {value:.6g}, allowed {allowed:.6g}")
