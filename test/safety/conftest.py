# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An arm that follows what the filter sends, and a watch over every promise that commands alone can show."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from instructvla_ros.robot.action_chunk import ActionChunk, DeltaReference
from instructvla_ros.robot.joint_state import JointState
from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.robot.trajectory import JointTrajectory
from instructvla_ros.safety import SafetyCommand, SafetyFilter, SafetyLimits, SafetyReport, SafetyState, Stops

PERIOD = 0.01  # [s]
FRAME = "base_link"
# Gripper some 22 cm above the table, pointing down and forward.
READY = np.array([0.2, -0.3, 0.3, 0.0, 1.2, 0.0])
# Instants at which each trajectory is looked at.
SAMPLES = 21
_REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def limits() -> SafetyLimits:
    """Those of the simulated arm."""
    return SafetyLimits.load(_REPOSITORY / "config" / "limits" / "sim.yaml")


@pytest.fixture(scope="session")
def chain() -> KinematicChain:
    """A six-joint table-top arm."""
    urdf = (_REPOSITORY / "test" / "robot" / "six_joint_arm.urdf").read_text(encoding="utf-8")
    return KinematicChain.from_urdf(urdf, FRAME, "gripper_link")


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
        self._stops = Stops()
        self._sent_at = self.now
        self._last_good = self.now
        self._names = chain.joint_names
        self._lower = np.array([limits.joints[name].lower for name in self._names])
        self._upper = np.array([limits.joints[name].upper for name in self._names])
        self._accelerations = np.array([limits.joints[name].acceleration for name in self._names])
        self._velocities = np.array([limits.joints[name].velocity for name in self._names])
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
        command, self.report = self.filter.step(self.now, self._joint_state(), chunks, self._stops)
        if command is None:
            assert before is None, "the filter fell silent"
            return self.report
        self._watch(command, before, self.now - self._sent_at)
        self.command, self._sent_at = command, self.now
        return self.report

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
        assert trajectory.joint_names == self._names
        assert np.isfinite(trajectory.positions).all() and np.isfinite(trajectory.velocities).all()
        assert trajectory.times[0] == 0.0
        assert trajectory.duration <= self.limits.horizon + 1e-9
        assert trajectory.ends_at_rest
        if before is None:
            np.testing.assert_array_equal(trajectory.positions[0], self.arm)
            assert not trajectory.velocities.any()
        elif not self._set_anew(trajectory, *before.trajectory.sample(elapsed)):
            positions, velocities = before.trajectory.sample(elapsed)
            np.testing.assert_allclose(trajectory.positions[0], positions, atol=1e-8)
            np.testing.assert_allclose(trajectory.velocities[0], velocities, atol=1e-4)
        self._watch_joints(trajectory)
        self._watch_gripper_point(trajectory)
        self._watch_opening(command, elapsed)

    def _set_anew(self, trajectory: JointTrajectory, positions: np.ndarray, velocities: np.ndarray) -> bool:
        """Whether this is the one jump there may be: an arm that was moved away at rest is held where it is."""
        latched = self.report.state in (SafetyState.STOPPED, SafetyState.STOPPING, SafetyState.FAULT)
        apart = np.abs(positions - self.arm).max()
        return bool(
            (latched or self._stops.reset)
            and not velocities.any()
            and apart > self.limits.tracking_tolerance
            and np.array_equal(trajectory.positions, np.tile(self.arm, (len(trajectory.times), 1)))
            and not trajectory.velocities.any()
        )

    def _watch_joints(self, trajectory: JointTrajectory) -> None:
        caps = np.minimum(self._velocities, self.filter.joint_speed_caps)
        assert (np.abs(trajectory.velocities) <= caps + 1e-9).all(), "a joint is too fast"
        start = trajectory.positions[0]
        for time in np.linspace(0.0, trajectory.duration, SAMPLES):
            positions, _ = trajectory.sample(float(time))
            assert (positions >= np.minimum(self._lower, start) - 1e-8).all(), "a joint leaves its range"
            assert (positions <= np.maximum(self._upper, start) + 1e-8).all(), "a joint leaves its range"
        spans = np.diff(trajectory.times)[:, None]
        changes = np.abs(np.diff(trajectory.velocities, axis=0))
        assert (changes <= self._accelerations * spans + 1e-4).all(), "a joint accelerates too much"

    def _watch_gripper_point(self, trajectory: JointTrajectory) -> None:
        box = self.limits.workspace
        times = np.linspace(0.0, trajectory.duration, SAMPLES)
        poses = [self.chain.forward(trajectory.sample(float(time))[0]) for time in times]
        start = poses[0][:3, 3]
        low = np.where(start < box.lower - 1e-9, start - 1.001e-3, box.lower - 1e-9)
        high = np.where(start > box.upper + 1e-9, start + 1.001e-3, box.upper + 1e-9)
        for pose in poses:
            assert (pose[:3, 3] >= low).all() and (pose[:3, 3] <= high).all(), "outside the workspace"
        span = float(times[1] - times[0])
        for pose, following in zip(poses, poses[1:], strict=False):
            speed = float(np.linalg.norm(following[:3, 3] - pose[:3, 3])) / span
            assert speed <= 1.01 * self.limits.translation_speed + 1e-6, "the gripper is too fast"
            # |R' - R| (Frobenius) is the angle times the square root of two, for small angles.
            turned = float(np.linalg.norm(following[:3, :3] - pose[:3, :3])) / np.sqrt(2.0) / span
            assert turned <= 1.01 * self.limits.rotation_speed + 1e-6, "the gripper turns too fast"

    def _watch_opening(self, command: SafetyCommand, elapsed: float) -> None:
        opening = command.gripper
        if opening is None:
            assert self._gripper is None
            return
        assert 0.0 <= opening <= 1.0
        if self._gripper is not None:
            assert abs(opening - self._gripper) <= self.limits.gripper_speed * elapsed + 1e-9
        self._gripper = opening


@pytest.fixture
def rig(limits: SafetyLimits, chain: KinematicChain) -> Rig:
    """A perfect arm, standing ready, one step after its first joint state."""
    rig = Rig(limits, chain)
    assert rig.step().state is SafetyState.HOLDING
    return rig


@pytest.fixture
def make_rig(limits: SafetyLimits, chain: KinematicChain) -> Callable[..., Rig]:
    """Makes a rig with an arm that starts elsewhere or lags; nothing has been stepped yet."""

    def make(start: np.ndarray = READY, lag: float = 0.0, limits: SafetyLimits = limits) -> Rig:
        return Rig(limits, chain, start, lag)

    return make


@pytest.fixture
def make_chunk() -> Callable[..., ActionChunk]:
    """Makes a chunk of equal steps; see :func:`chunk_of`."""
    return chunk_of
