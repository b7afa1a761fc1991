# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever comes in, in whatever order: the watch in the rig checks every command that comes out."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from instructvla_ros.robot.action_chunk import DeltaReference
from instructvla_ros.safety import SafetyState, Stops

LATCHED = (SafetyState.STOPPING, SafetyState.STOPPED, SafetyState.FAULT)
directions = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).normal(size=3))
references = st.sampled_from(list(DeltaReference))


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _spoil_values(chunk, value):
    translations = chunk.translations.copy()
    translations[-1, 1] = value
    return replace(chunk, translations=translations)


SPOILERS = {
    "nan": lambda chunk: _spoil_values(chunk, np.nan),
    "infinity": lambda chunk: _spoil_values(chunk, np.inf),
    "huge": lambda chunk: _spoil_values(chunk, 1e300),
    "gripper nan": lambda chunk: replace(chunk, grippers=np.full(len(chunk), np.nan)),
    "empty": lambda chunk: replace(
        chunk, translations=np.zeros((0, 3)), rotations=np.zeros((0, 3)), grippers=np.zeros(0)
    ),
    "lengths differ": lambda chunk: replace(chunk, rotations=chunk.rotations[:-1]),
    "period": lambda chunk: replace(chunk, period=-chunk.period),
    "frame": lambda chunk: replace(chunk, frame="camera"),
    "stamp": lambda chunk: replace(chunk, stamp=np.nan),
    "future": lambda chunk: replace(chunk, stamp=chunk.stamp + 100.0),
    "old": lambda chunk: replace(chunk, stamp=chunk.stamp - 100.0),
}


class HostileWorld(RuleBasedStateMachine):
    """Policies, people and drivers that do what they please."""

    make_rig = None

    @initialize(
        seed=st.integers(0, 10_000), lag=st.sampled_from([0.0, 0.0, 0.5, 0.8]), spread=st.sampled_from([0.1, 0.5, 1.5])
    )
    def start(self, seed, lag, spread):
        random = np.random.default_rng(seed)
        start = np.array([0.2, -0.3, 0.3, 0.0, 1.2, 0.0]) + random.uniform(-spread, spread, 6)
        self.rig = type(self).make_rig(start=start, lag=lag)
        self.rig.step()
        self.refused = False

    @rule(
        translation=directions,
        rotation=directions,
        speed=st.sampled_from([0.0, 0.05, 0.2, 0.5]),
        turning=st.sampled_from([0.0, 0.3, 1.0, 4.0]),
        period=st.sampled_from([0.02, 0.05, 0.2]),
        steps=st.integers(1, 16),
        gripper=st.sampled_from([0.0, 0.4, 1.0, 1.7, -3.0]),
        reference=references,
        age=st.sampled_from([0.0, 0.05, 0.3]),
        ticks=st.integers(1, 40),
    )
    def follow(self, translation, rotation, speed, turning, period, steps, gripper, reference, age, ticks):
        chunk = self.rig.chunk(
            _unit(translation) * speed * period,
            _unit(rotation) * turning * period,
            steps=steps, period=period, gripper=gripper, reference=reference,
        )
        self.rig.step([replace(chunk, stamp=chunk.stamp - age)])
        for _ in range(ticks):
            self.rig.step()

    @rule(spoiler=st.sampled_from(sorted(SPOILERS)), ticks=st.integers(1, 10))
    def spoiled(self, spoiler, ticks):
        followed = self.rig.report.epoch, self.rig.report.sequence
        report = self.rig.step([SPOILERS[spoiler](self.rig.chunk((0.02, 0.0, 0.0)))])
        assert report.interventions, "a spoiled chunk went unreported"
        assert (report.epoch, report.sequence) == followed
        for _ in range(ticks):
            self.rig.step()

    @rule(back=st.integers(0, 3))
    def repeated(self, back):
        followed = self.rig.report.sequence
        chunk = replace(self.rig.chunk((0.03, 0.0, 0.0)), sequence=max(followed - back, 0))
        report = self.rig.step([chunk] * 3)
        if followed > 0:
            assert report.sequence == followed

    @rule(ticks=st.lists(st.sampled_from([0.0, 0.001, 0.004, 0.01, 0.015, 0.03, 0.3]), min_size=1, max_size=10))
    def uneven_ticks(self, ticks):
        for elapsed in ticks:
            self.rig.step(elapsed=elapsed)

    @rule(kind=st.sampled_from(["lost", "nan", "missing", "none", "future"]), ticks=st.integers(1, 40))
    def bad_joint_states(self, kind, ticks):
        self.rig.joint_states = kind
        for _ in range(ticks):
            self.rig.step([self.rig.chunk((0.01, 0.0, 0.0))])
        if ticks > 30 and kind != "lost":
            assert self.rig.at_rest
        self.rig.joint_states = "good"
        self.rig.step()

    @rule(emergency=st.booleans(), ticks=st.integers(1, 30), push=st.booleans())
    def stop(self, emergency, ticks, push):
        self.rig.step(stops=Stops(emergency=emergency, requested=not emergency))
        assert self.rig.report.state in LATCHED
        for _ in range(ticks):
            self.rig.step([self.rig.chunk((0.01, 0.0, 0.0))] if push else [], Stops(emergency=emergency))
            assert self.rig.report.state in LATCHED
        if ticks >= 22:
            assert self.rig.at_rest

    @rule(emergency=st.booleans())
    def reset(self, emergency):
        latched, still = self.rig.report.state in LATCHED, self.rig.at_rest
        before = self.rig.command.trajectory.positions[0].copy()
        self.rig.step(stops=Stops(emergency=emergency, reset=True))
        if emergency:
            assert self.rig.report.state in LATCHED
        elif latched and still:
            moved = np.abs(self.rig.command.trajectory.positions[-1] - before).max()
            apart = np.abs(self.rig.arm - before).max()
            assert moved == 0.0 or apart > self.rig.limits.tracking_tolerance
            assert self.rig.at_rest and self.rig.report.state is SafetyState.HOLDING

    @rule(pushed=directions)
    def arm_is_pushed(self, pushed):
        """By hand, while the servos give way; only an arm that lags shows it to the filter for longer."""
        self.rig.arm[:3] += 0.2 * pushed

    @invariant()
    def rest_when_stopped(self):
        if hasattr(self, "rig") and self.rig.report.state in (SafetyState.STOPPED, SafetyState.HOLDING):
            assert self.rig.at_rest


@pytest.mark.parametrize("examples", [30])
def test_every_command_keeps_every_limit_whatever_comes_in(make_rig, examples):
    machine = type("HostileWorldOnThisArm", (HostileWorld,), {"make_rig": staticmethod(make_rig)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_walks_from_anywhere_keep_every_limit(make_rig, limits, chain, seed):
    random = np.random.default_rng(seed)
    lower = np.array([limits.joints[name].lower for name in chain.joint_names])
    upper = np.array([limits.joints[name].upper for name in chain.joint_names])
    rig = make_rig(start=random.uniform(lower - 0.1, upper + 0.1))
    rig.step()
    heading, turning = random.normal(size=3), random.normal(size=3)
    for _ in range(15):
        heading += 0.5 * random.normal(size=3)
        turning += 0.5 * random.normal(size=3)
        rig.drive(0.2, 0.02 * heading, 0.1 * turning, reference=DeltaReference(int(random.integers(2))))


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_pushing_at_a_wall_of_the_workspace_ends_before_it(rig, axis, sign):
    step = np.zeros(3)
    step[axis] = 0.04 * sign
    report = rig.drive(4.0, step)
    assert report.state is SafetyState.MOVING
    assert np.abs(rig.command.trajectory.velocities).max() < 0.01


def test_an_arm_that_starts_outside_the_workspace_moves_only_inward(make_rig, limits):
    start = np.array([0.0, 0.9, -0.4, 0.0, 0.6, 0.0])
    rig = make_rig(start=start)
    rig.step()
    outside = limits.workspace.lower[2] - rig.point[2]
    assert outside > 0.01
    rig.drive(1.0, (0.0, 0.0, -0.03))
    assert rig.point[2] >= limits.workspace.lower[2] - outside - 1e-3
    rig.run(1.2)
    before = rig.point[2]
    rig.drive(3.0, (-0.005, 0.0, 0.02))
    assert rig.point[2] > before + 0.05
    rig.drive(4.0, (0.0, 0.0, -0.03))
    assert rig.point[2] >= limits.workspace.lower[2]


def test_a_joint_that_starts_beyond_its_range_moves_only_back(make_rig, limits):
    start = np.array([0.2, -0.3, 0.3, 0.0, 1.2, 3.2])
    rig = make_rig(start=start)
    rig.step()
    upper = limits.joints["wrist_rotate"].upper
    assert rig.command.trajectory.positions[0, 5] > upper
    about_fingers = rig.chain.forward(start)[:3, 0]
    rig.drive(1.0, rotation=0.15 * about_fingers)
    assert rig.command.trajectory.positions[0, 5] <= 3.2 + 1e-9
    rig.run(1.2)
    rig.drive(2.0, rotation=-0.15 * about_fingers)
    assert rig.command.trajectory.positions[0, 5] < upper
