# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A safety filter, an arm that follows what it sends, and an audit of every promise that commands alone can show."""

from collections.abc import Sequence

import numpy as np

from instructvla_ros.robot.action_chunk import ActionChunk, DeltaReference
from instructvla_ros.robot.joint_state import JointState
from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.robot.trajectory import JointTrajectory
from instructvla_ros.safety import (
    LATCHED_STATES,
    SafetyCommand,
    SafetyFilter,
    SafetyLimits,
    SafetyReport,
    SafetyState,
    Stops,
)
from instructvla_ros.safety.audit import CommandAudit
from instructvla_ros.safety.states import TRANSITIONS

PERIOD = 0.01  # [s]
FRAME = "base_link"
# Gripper some 22 cm above the table, pointing down and forward.
READY = np.array([0.2, -0.3, 0.3, 0.0, 1.2, 0.0])


def chunk_of(
    stamp: float,
    sequence: int,
    translation: Sequence[float] = (0.0, 0.0, 0.0),
    rotation: Sequence[float] = (0.0, 0.0, 0.0),
    *,
    steps: int = 4,
    period: float = 0.2,
    gripper: float = 1.0,
    epoch: int = 0,
    reference: DeltaReference = DeltaReference.TARGET,
    frame: str = FRAME,
) -> ActionChunk:
    """A chunk of equal steps, each this translation [m] and rotation [rad]."""
    return ActionChunk(
        stamp=stamp,
        frame=frame,
        epoch=epoch,
        sequence=sequence,
        period=period,
        translations=np.tile(np.array(translation, dtype=float), (steps, 1)),
        rotations=np.tile(np.array(rotation, dtype=float), (steps, 1)),
        grippers=np.full(steps, float(gripper)),
        delta_reference=reference,
    )


class Rig:
    """A filter, the arm it commands, and the clock of both. Every step is watched from the outside.

    Args:
        limits: of the filter.
        chain: the arm.
        start: ``(n,)`` where the arm stands [rad].
        lag: share of the way to the commanded position that the arm misses every step: 0 is perfect.
    """

    def __init__(self, limits: SafetyLimits, chain: KinematicChain, start: np.ndarray = READY, lag: float = 0.0):
        self.limits, self.chain, self.lag = limits, chain, lag
        self.filter = SafetyFilter(limits, chain, FRAME, period=PERIOD)
        self.now = 100.0
        self.arm = np.array(start, dtype=float)
        self.sequence = 0
        self.command: SafetyCommand | None = None
        self.report: SafetyReport | None = None
        self.joint_states = "good"
        self.speed_scale = 1.0
        self.numbered = False  # whether a chunk has been followed since the last reset, which forgets numbers
        self._followed = (0, 0)
        self._scale, self._scaled_for = 1.0, 0.0
        self._stops = Stops()
        self._sent_at = self.now
        self._last_good = self.now
        self._names = chain.joint_names
        self.audit = CommandAudit(limits, chain)
        self._gripper: float | None = None

    def chunk(self, *args: object, **keywords: object) -> ActionChunk:
        """The next chunk of the sequence, stamped now."""
        self.sequence += 1
        return chunk_of(self.now, self.sequence, *args, **keywords)

    def step(
        self, chunks: Sequence[ActionChunk] = (), stops: Stops | None = None, elapsed: float = PERIOD
    ) -> SafetyReport:
        """Lets time pass, the arm follow, and the filter decide; then checks all that a command must keep."""
        self.now += elapsed
        if self.command is not None:
            target, _ = self.command.trajectory.sample(self.now - self._sent_at)
            self.arm = target + self.lag * (self.arm - target)
        before = self.command
        self._stops = stops or Stops()
        state = SafetyState.INACTIVE if self.report is None else self.report.state
        command, self.report = self.filter.step(
            self.now, self._joint_state(), chunks, self._stops, speed_scale=self.speed_scale
        )
        self._watch_state(state, chunks)
        if command is None:
            assert before is None, "the filter fell silent"
            return self.report
        self._watch(command, before, self.now - self._sent_at)
        self._watch_scale(command, elapsed)
        self.command, self._sent_at = command, self.now
        return self.report

    def clock_jumps(self, seconds: float) -> SafetyReport:
        """The filter's clock jumps, while the arm goes on by one period; commands must stay continuous."""
        self._sent_at += seconds
        return self.step(elapsed=seconds + PERIOD)

    def run(self, seconds: float, stops: Stops | None = None) -> SafetyReport:
        """Steps without new chunks."""
        for _ in range(round(seconds / PERIOD)):
            self.step(stops=stops)
        assert self.report is not None
        return self.report

    def drive(self, seconds: float, *args: object, **keywords: object) -> SafetyReport:
        """Steps with a new chunk of equal steps every 0.2 s."""
        for index in range(round(seconds / PERIOD)):
            self.step([self.chunk(*args, **keywords)] if index % 20 == 0 else [])
        assert self.report is not None
        return self.report

    @property
    def point(self) -> np.ndarray:
        """Gripper point of the command now [m]."""
        assert self.command is not None
        return self.chain.forward(self.command.trajectory.positions[0])[:3, 3]

    @property
    def at_rest(self) -> bool:
        """Whether the command now has no velocity."""
        assert self.command is not None
        return not self.command.trajectory.velocities[0].any()

    @property
    def limits_reported(self) -> set[str]:
        """Names of the limits in the last report."""
        assert self.report is not None
        return {intervention.limit for intervention in self.report.interventions}

    def _joint_state(self) -> JointState | None:
        names, positions = ("left_finger", *self._names), np.concatenate(([0.02], self.arm))
        if self.joint_states == "good":
            self._last_good = self.now
        if self.joint_states == "none":
            return None
        if self.joint_states == "nan":
            positions[3] = np.nan
        if self.joint_states == "missing":
            names, positions = names[:-1], positions[:-1]
        if self.joint_states == "future":
            return JointState(self.now + 10.0, names, positions)
        return JointState(self._last_good if self.joint_states == "lost" else self.now, names, positions)

    def _watch(self, command: SafetyCommand, before: SafetyCommand | None, elapsed: float) -> None:
        trajectory = command.trajectory
        if before is None:
            np.testing.assert_array_equal(trajectory.positions[0], self.arm)
            assert not trajectory.velocities.any()
        jumps = before is None or self._set_anew(trajectory, *before.trajectory.sample(elapsed))
        self.audit.command(trajectory, None if jumps else before.trajectory, elapsed)
        self._watch_opening(command, elapsed)

    def _watch_state(self, before: SafetyState, chunks: Sequence[ActionChunk]) -> None:
        """States follow each other as they may, and every change that the filter makes is reported."""
        state = self.report.state
        if before in LATCHED_STATES and state not in LATCHED_STATES:
            self.numbered = False
        followed = self.report.epoch, self.report.sequence
        self.numbered |= followed != self._followed
        self._followed = followed
        assert state is before or (before, state) in TRANSITIONS, f"{before.name} became {state.name}"
        assert self.report.reason, "nobody is told why"
        if state is SafetyState.FAULT and before is not SafetyState.FAULT:
            assert self.report.interventions, "a fault went unreported"
        for entry in self.report.interventions:
            assert entry.limit and entry.message, entry
        age = self.report.chunk_age
        assert not age > self.limits.chunk_age, "a chunk is followed that is too old"

    def _watch_scale(self, command: SafetyCommand, elapsed: float) -> None:
        """Once there was time to slow down, speeds keep to what is left of the limits."""
        scale = self.speed_scale if 0.0 <= self.speed_scale <= 1.0 else 0.0
        self._scaled_for = self._scaled_for + elapsed if scale == self._scale else 0.0
        self._scale = scale
        if self._scaled_for > 1.5 * self.limits.horizon:
            positions, velocities = command.trajectory.sample(0.0)
            tip = self.chain.jacobian(positions) @ velocities
            assert np.linalg.norm(tip[:3]) <= 1.01 * self._scale * self.limits.translation_speed + 1e-4
            assert np.linalg.norm(tip[3:]) <= 1.01 * self._scale * self.limits.rotation_speed + 1e-3

    def _set_anew(self, trajectory: JointTrajectory, positions: np.ndarray, velocities: np.ndarray) -> bool:
        """Whether this is the one jump there may be: an arm that was moved away at rest is held where it is."""
        latched = self.report.state in LATCHED_STATES
        apart = np.abs(positions - self.arm).max()
        return bool(
            (latched or self._stops.reset)
            and not velocities.any()
            and apart > self.limits.tracking_tolerance
            and np.array_equal(trajectory.positions, np.tile(self.arm, (len(trajectory.times), 1)))
            and not trajectory.velocities.any()
        )

    def _watch_opening(self, command: SafetyCommand, elapsed: float) -> None:
        opening = command.gripper
        if opening is None:
            assert self._gripper is None
            return
        assert 0.0 <= opening <= 1.0
        if self._gripper is not None:
            assert abs(opening - self._gripper) <= self.limits.gripper_speed * elapsed + 1e-9
        self._gripper = opening
