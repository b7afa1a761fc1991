# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Policies, people, drivers and clocks that do what they please, as a hypothesis state machine."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from instructvla_ros.robot.action_chunk import DeltaReference
from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.safety import LATCHED_STATES, Intervention, SafetyLimits, SafetyState, Stops

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
    "lengths differ": lambda chunk: replace(chunk, rotations=chunk.rotations[:-1]),
    "period": lambda chunk: replace(chunk, period=-chunk.period),
    "frame": lambda chunk: replace(chunk, frame="camera"),
    "stamp": lambda chunk: replace(chunk, stamp=np.nan),
    "future": lambda chunk: replace(chunk, stamp=chunk.stamp + 100.0),
    "old": lambda chunk: replace(chunk, stamp=chunk.stamp - 100.0),
}


PLACES = {
    "ready": [0.2, -0.3, 0.3, 0.0, 1.2, 0.0],
    "low": [0.0, 0.55, -0.25, 0.0, 1.25, 0.0],
    "stretched out": [0.0, 1.3, -1.2, 0.0, 0.0, 0.0],
    "folded": [0.0, -1.7, 1.5, 0.0, 0.8, 0.0],
    "wrist straight": [0.0, 0.0, 0.0, 0.3, 0.02, 0.0],
    "turned away": [3.1, 0.0, 0.0, 3.1, -1.7, -3.1],
}


def places_of(limits: SafetyLimits, chain: KinematicChain, ready: np.ndarray) -> dict[str, np.ndarray]:
    """Where an arm of any make may be found: ready, in the middle of its ranges, and near their ends."""
    joints = [limits.joints[name] for name in chain.joint_names]
    lower, upper = np.array([joint.lower for joint in joints]), np.array([joint.upper for joint in joints])
    middle = 0.5 * (lower + upper)
    return {"ready": ready, "middle": middle, "low": 0.8 * lower + 0.2 * middle, "high": 0.8 * upper + 0.2 * middle}


class HostileWorld(RuleBasedStateMachine):
    """Policies, people and drivers that do what they please.

    ``places`` names where the arm may be found, ``(n,)`` [rad]; those here are of the simulated arm.
    """

    make_rig = None
    places = PLACES

    @initialize(
        seed=st.integers(0, 10_000),
        lag=st.sampled_from([0.0, 0.0, 0.5, 0.8]),
        spread=st.sampled_from([0.1, 0.5, 1.5]),
        place=st.integers(0, 5),
    )
    def start(self, seed, lag, spread, place):
        """Anywhere: ready, stretched out, folded, at the ends of joints, singular, or beyond all that."""
        random = np.random.default_rng(seed)
        places = type(self).places
        here = np.array(places[sorted(places)[place % len(places)]])
        start = here + random.uniform(-spread, spread, len(here))
        self.rig = type(self).make_rig(start=start, lag=lag)
        self.rig.step()

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
        ticks=st.integers(1, 60),
        again=st.sampled_from([True, True, True, False]),
    )
    def follow(self, translation, rotation, speed, turning, period, steps, gripper, reference, age, ticks, again):
        if again:
            self._let_go_on()
        chunk = self.rig.chunk(
            _unit(translation) * speed * period,
            _unit(rotation) * turning * period,
            steps=steps,
            period=period,
            gripper=gripper,
            reference=reference,
        )
        self.rig.step([replace(chunk, stamp=chunk.stamp - age)])
        for _ in range(ticks):
            self.rig.step()

    @rule(heading=directions, turning=directions, moves=st.integers(1, 8), reference=references)
    def wander(self, heading, turning, moves, reference):
        """A policy that works: a new chunk every 0.2 s, each a little different."""
        self._let_go_on()
        for index in range(moves):
            bend = 0.3 * np.array([np.sin(index), np.cos(index), np.sin(2.0 * index)])
            chunk = self.rig.chunk(0.03 * _unit(heading + bend), 0.1 * _unit(turning - bend), reference=reference)
            self.rig.step([chunk])
            for _ in range(19):
                self.rig.step()

    def _let_go_on(self):
        """What people do after a stop: wait for rest, reset."""
        if self.rig.report.state in LATCHED_STATES:
            for _ in range(25):
                self.rig.step()
            self.rig.step(stops=Stops(reset=True))

    @rule(spoiler=st.sampled_from(sorted(SPOILERS)), ticks=st.integers(1, 10))
    def spoiled(self, spoiler, ticks):
        followed = self.rig.report.epoch, self.rig.report.sequence
        report = self.rig.step([SPOILERS[spoiler](self.rig.chunk((0.02, 0.0, 0.0)))])
        assert report.interventions, "a spoiled chunk went unreported"
        assert (report.epoch, report.sequence) == followed
        for _ in range(ticks):
            self.rig.step()

    @rule(translation=directions, steps=st.integers(0, 30), jump=st.sampled_from([0.02, 0.1, 0.5]))
    def two_policies_take_turns(self, translation, steps, jump):
        """Each in an epoch of its own, pulling in opposite directions."""
        for index in range(steps):
            sign = 1.0 if index % 2 else -1.0
            chunk = self.rig.chunk(sign * _unit(translation) * jump * 0.05, period=0.05, steps=8, epoch=index % 2)
            self.rig.step([chunk])

    @rule(ages=st.lists(st.sampled_from([-1.0, -0.04, 0.0, 0.1, 1.0, 1.99, 2.5]), min_size=1, max_size=6))
    def stamps_of_all_ages(self, ages):
        for age in ages:
            chunk = self.rig.chunk((0.01, -0.01, 0.005), steps=16)
            self.rig.step([replace(chunk, stamp=chunk.stamp - age)])

    @rule(scale=st.sampled_from([0.0, 0.05, 0.3, 1.0, 1.0, 1.0]), ticks=st.integers(0, 60), heading=directions)
    def slower(self, scale, ticks, heading):
        self.rig.speed_scale = scale
        for index in range(ticks):
            self.rig.step([self.rig.chunk(0.04 * _unit(heading))] if index % 20 == 0 else [])

    @rule(jump=st.sampled_from([-100.0, -0.02, 5.0, 1e6]))
    def clock_jumps(self, jump):
        """Backward it is a fault, forward the arm has long been at rest."""
        if jump < 0.0:
            self.rig.clock_jumps(jump)
            assert self.rig.report.state is SafetyState.FAULT
        else:
            self.rig.step(elapsed=jump)
            assert "clock" in self.rig.limits_reported
            assert self.rig.at_rest
        self.rig.step()

    @rule(presses=st.lists(st.sampled_from(["stop", "reset", "both", "none"]), min_size=1, max_size=20))
    def storm_of_stops_and_resets(self, presses):
        for press in presses:
            stops = Stops(requested=press in ("stop", "both"), reset=press in ("reset", "both"))
            self.rig.step([self.rig.chunk((0.02, 0.0, 0.0))], stops)
            if stops.requested:
                assert self.rig.report.state in LATCHED_STATES

    @rule(ticks=st.integers(1, 30))
    def second_master(self, ticks):
        seen = Intervention("one_master", "action_chunk", 2.0, 1.0, "", "two publishers")
        for _ in range(ticks):
            self.rig.step([self.rig.chunk((0.02, 0.0, 0.0))], Stops(reset=True, broken=seen))
            assert self.rig.report.state is SafetyState.FAULT

    @rule(back=st.integers(0, 3))
    def repeated(self, back):
        followed, numbered = self.rig.report.sequence, self.rig.numbered
        chunk = replace(self.rig.chunk((0.03, 0.0, 0.0)), sequence=max(followed - back, 0))
        report = self.rig.step([chunk] * 3)
        if followed > 0 and numbered:
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
        assert self.rig.report.state in LATCHED_STATES
        for _ in range(ticks):
            self.rig.step([self.rig.chunk((0.01, 0.0, 0.0))] if push else [], Stops(emergency=emergency))
            assert self.rig.report.state in LATCHED_STATES
        if ticks >= 22:
            assert self.rig.at_rest, "not at rest within the horizon"

    @rule(ticks=st.integers(1, 30), push=st.booleans())
    def button_is_let_go(self, ticks, push):
        """Of hold_to_run: the arm rests without a latch, and chunks of that while are void."""
        why = Intervention("hold_to_run", "joy", 1.0, 0.3, "s", "the button is not held")
        for _ in range(ticks):
            chunks = [self.rig.chunk((0.02, 0.0, 0.0))] if push else []
            followed = self.rig.report.epoch, self.rig.report.sequence
            self.rig.step(chunks, Stops(released=why))
            assert (self.rig.report.epoch, self.rig.report.sequence) == followed
        if ticks >= 22:
            assert self.rig.at_rest, "not at rest within the horizon"

    @rule(emergency=st.booleans())
    def reset(self, emergency):
        latched, still = self.rig.report.state in LATCHED_STATES, self.rig.at_rest
        before = self.rig.command.trajectory.positions[0].copy()
        self.rig.step(stops=Stops(emergency=emergency, reset=True))
        if emergency:
            assert self.rig.report.state in LATCHED_STATES
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
