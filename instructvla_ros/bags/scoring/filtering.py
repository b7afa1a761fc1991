# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which limits would have acted: the safety filter's core follows predicted chunks with an arm that obeys it.

The filter sets out from where the recorded arm was and goes on by itself, chunk after chunk, as on a robot. When its
arm has parted from the recorded one, the recording no longer says what would have come next: it sets out again there.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.robot.action_chunk import ActionChunk
from instructvla_ros.robot.joint_state import JointState
from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.robot.poses import length, pose_error
from instructvla_ros.safety import SafetyFilter, SafetyLimits, SafetyState, Stops

PERIOD = 0.01  # of the filter's steps [s], as safety_filter_node has it by default
PARTED = (0.05, 0.5)
"""Further than this from the recorded arm [m, rad], the filter's arm sets out again from it."""


@dataclass
class LimitCount:
    """What one limit did.

    Attributes:
        chunks: in how many chunks it acted.
        steps: in how many steps of the filter.
        example: the first time, in words.
        stamp: of the chunk it was in [s].
    """

    chunks: int = 0
    steps: int = 0
    example: str = ""
    stamp: float = 0.0


@dataclass
class Filtered:
    """What the filter did to all chunks of a recording.

    Attributes:
        chunks: that it was given.
        limited: in how many of them any limit acted.
        steps: of the filter, while it followed them.
        restarts: how often it set out again from the recorded arm, after the first time.
        limits: by name.
        acted: stamps of the chunks in which a limit acted, with the limits' names [s].
    """

    chunks: int = 0
    limited: int = 0
    steps: int = 0
    restarts: int = 0
    limits: dict[str, LimitCount] = field(default_factory=dict)
    acted: list[tuple[float, tuple[str, ...]]] = field(default_factory=list)


class FilterRun:
    """Follows the chunks of one recording.

    Args:
        limits: in force.
        chain: the arm.
        profile: names base frame and gripper.

    Raises:
        LimitsError: the limits do not fit the arm.
    """

    def __init__(self, limits: SafetyLimits, chain: KinematicChain, profile: RobotProfile) -> None:
        self._limits, self._chain, self._profile = limits, chain, profile
        self.seen = Filtered()
        self._make_filter()
        self._joints: np.ndarray | None = None  # (n,) commanded
        self._opening: float | None = None
        self._now = 0.0

    def follow(self, chunk: ActionChunk, joint_state: JointState, end: float) -> None:
        """Follow a chunk.

        Args:
            chunk: the next one.
            joint_state: the recorded one that it was made with.
            end: when the chunk after it takes over [s].
        """
        measured, _ = joint_state.select(self._chain.joint_names)
        finger, _ = joint_state.select((self._profile.gripper.joint,))
        if self._must_set_out(chunk, measured):
            self._set_out(chunk.stamp, measured, float(self._profile.gripper.opening(finger[0])))
        names: Counter[str] = Counter()
        chunks: tuple[ActionChunk, ...] = (chunk,)
        end = min(end, chunk.stamp + len(chunk) * chunk.period)
        first = True
        while first or self._now < end - 0.5 * PERIOD:
            for name, message in self._step(chunks).items():
                names[name] += 1
                count = self.seen.limits.setdefault(name, LimitCount(example=message, stamp=chunk.stamp))
                count.steps += 1
            chunks, first = (), False
        self.seen.chunks += 1
        self.seen.limited += bool(names)
        for name in names:
            self.seen.limits[name].chunks += 1
        if names:
            self.seen.acted.append((chunk.stamp, tuple(names)))

    def _step(self, chunks: tuple[ActionChunk, ...]) -> dict[str, str]:
        """One step of the filter; the limits that acted in it, each with its words."""
        assert self._joints is not None and self._opening is not None, "it has set out"
        names = (*self._chain.joint_names, self._profile.gripper.joint)
        positions = np.append(self._joints, self._profile.gripper.position(self._opening))
        command, report = self._filter.step(self._now, JointState(self._now, names, positions), chunks, Stops())
        if command is not None:
            self._joints, _ = command.trajectory.sample(PERIOD)
            self._opening = self._opening if command.gripper is None else command.gripper
        self._now += PERIOD
        self.seen.steps += 1
        self._broken = report.state is SafetyState.FAULT
        return {entry.limit: entry.message for entry in report.interventions}

    def _must_set_out(self, chunk: ActionChunk, measured: np.ndarray) -> bool:
        if self._joints is None or self._broken or abs(chunk.stamp - self._now) > self._limits.horizon:
            return True
        parted = pose_error(self._chain.forward(measured), self._chain.forward(self._joints))
        return length(parted[:3]) > PARTED[0] or length(parted[3:]) > PARTED[1]

    def _set_out(self, now: float, measured: np.ndarray, opening: float) -> None:
        self.seen.restarts += self._joints is not None
        self._make_filter()
        self._joints, self._opening, self._now = measured, opening, now

    def _make_filter(self) -> None:
        self._filter = SafetyFilter(
            self._limits, self._chain, self._profile.base_frame, period=PERIOD, gripper=self._profile.gripper
        )
        self._broken = False
