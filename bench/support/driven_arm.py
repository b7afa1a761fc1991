# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Filter and stand-in driver together in simulated time: late and uneven ticks, a random policy, a maker's driver."""

from dataclasses import dataclass, replace

import numpy as np

from bench.support.arm_urdfs import ARMS, chain_of, ready_of
from bench.support.rig import chunk_of
from bench.support.stand_in_drivers import (
    FRANKA_JUMPS,
    CommandRefused,
    JumpCheck,
    StateBroadcaster,
    TrajectoryDriver,
    VelocityDriver,
)
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.robot.action_chunk import ActionChunk
from instructvla_ros.robot.joint_setpoints import VelocitySetpoints, next_positions
from instructvla_ros.safety import SafetyFilter, SafetyLimits, SafetyReport, SafetyState, Stops
from instructvla_ros.safety.braking import hold

TICK = 0.01  # of the filter [s]
STEP = 0.001  # of the driver [s]

JOINT_STATE_RATES = {"fr3": 1000.0, "panda": 1000.0, "so101": 20.0, "ur5e": 500.0, "widowx": 100.0, "xarm7": 150.0}
"""Joint states a second that the makers' drivers publish as they are configured [Hz]."""


@dataclass
class Conditions:
    """What is hostile about a driver and its network.

    Attributes:
        joint_state_rate: [Hz]; None: the maker's.
        shuffled: whether joint states and commands come in another order than the chain's.
        gripper: whether joint states tell of the gripper.
        lag: time constant of the servos [s].
        late: shortest and longest time from a tick to the driver [s].
        kind: what the driver takes: joint_trajectory, joint_position or joint_velocity.
        stamped: whether trajectories say when they begin; None: as the profile says.
        lead: of stamped trajectories [s]; None: as the profile says.
    """

    joint_state_rate: float | None = None
    shuffled: bool = False
    gripper: bool = True
    lag: float = 0.01
    late: tuple[float, float] = (0.001, 0.008)
    kind: str = "joint_trajectory"
    stamped: bool | None = None
    lead: float | None = None


class DrivenArm:
    """One arm with its driver, under a random policy.

    Attributes:
        refused: commands that the driver refused.
        check: of the setpoints, where the robot rejects jumps.
        states: every state that the filter was in, with the newest reason.
    """

    def __init__(self, name: str, conditions: Conditions, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.conditions, self.profile = conditions, RobotProfile.load(name)
        self.chain = chain_of(name)
        limits = SafetyLimits.load(self.profile.interface.limits)
        rate = conditions.joint_state_rate or JOINT_STATE_RATES[name]
        if rate < 30.0:  # as docs/robots.md tells users of such drivers
            limits = replace(limits, joint_state_age=0.2)
        self.limits = limits
        self.filter = SafetyFilter(
            limits, self.chain, self.profile.base_frame, period=TICK, gripper=self.profile.gripper
        )
        names, start = self.chain.joint_names, ready_of(name)
        order = tuple(self.random.permutation(len(names)).tolist()) if conditions.shuffled else tuple(range(len(names)))
        driver_names = tuple(names[index] for index in order)
        if conditions.kind == "joint_velocity":
            self.driver: TrajectoryDriver | VelocityDriver = VelocityDriver(names, start, 0.1)
            driver_names = names
        else:
            self.driver = TrajectoryDriver(driver_names, start[list(order)])
        self._to_chain = [driver_names.index(joint) for joint in names]
        finger = ARMS[name].gripper[0] if conditions.gripper else None
        self.broadcaster = StateBroadcaster(
            rate, driver_names, tuple(self.random.permutation(len(names)).tolist()), finger, conditions.lag
        )
        self.check = JumpCheck(FRANKA_JUMPS[name]) if name in FRANKA_JUMPS else None
        self._setpoints = VelocitySetpoints(self.filter.bounds.speeds, TICK)
        self.now, self.refused = 100.0, 0
        self.states: dict[SafetyState, str] = {}
        self.report: SafetyReport | None = None
        self.furthest = self.worst_apart = 0.0
        self._heading = self.random.normal(size=3)
        self._turning = self.random.normal(size=3)
        self._sequence = 0
        self._under_way: list[tuple[float, object]] = []
        self._start = start

    def run(self, seconds: float, stops: bool = True, quiet: bool = False) -> None:
        """Lets time pass.

        Args:
            seconds: how long [s].
            stops: whether somebody presses the stop now and then, and resets.
            quiet: no chunks come.
        """
        for index in range(round(seconds / TICK)):
            chunks = [] if quiet or index % 20 else self._chunks()
            wanted = Stops()
            if stops:
                wanted = Stops(requested=self.random.random() < 0.002, reset=self.random.random() < 0.02)
            state = self.broadcaster.newest(self.now)
            command, self.report = self.filter.step(self.now, state, chunks, wanted)
            self.states[self.report.state] = self.report.reason
            if command is not None:
                self._send(command.trajectory, state)
            for _ in range(round(TICK / STEP)):
                self.now += STEP
                self._drive()

    def _send(self, trajectory: object, state: object) -> None:
        late = self.random.uniform(*self.conditions.late)
        kind = self.conditions.kind
        if kind == "joint_velocity":
            content: object = self._setpoints.next(trajectory, self.now, state)
        elif kind == "joint_position":
            content = next_positions(trajectory, TICK)
        else:
            output = self.profile.interface.output
            stamped = output.stamped if self.conditions.stamped is None else self.conditions.stamped
            lead = output.lead if self.conditions.lead is None else self.conditions.lead
            content = (trajectory.held() if stamped else trajectory, self.now + lead if stamped else None)
        self._under_way.append((self.now + late, content))

    def _drive(self) -> None:
        while self._under_way and self._under_way[0][0] <= self.now:
            _, content = self._under_way.pop(0)
            try:
                if self.conditions.kind == "joint_velocity":
                    self.driver.command(content, self.now)
                elif self.conditions.kind == "joint_trajectory":
                    self.driver.command(content[0], self.now, content[1])
                else:
                    self._hold(content)
            except CommandRefused:
                self.refused += 1
        setpoint, _ = self.driver.setpoint(self.now)
        in_chain = setpoint[self._to_chain]
        if self.check is not None:
            self.check.look(in_chain, self.now)
        self.furthest = max(self.furthest, float(np.abs(in_chain - self._start).max()))
        self.broadcaster.follow(setpoint, self.now, STEP)

    def _hold(self, positions: np.ndarray) -> None:
        self.driver.command(hold(self.chain.joint_names, positions, TICK), self.now, None)

    def _chunks(self) -> list[ActionChunk]:
        """A policy that wanders at random, sometimes at speeds beyond all limits, sometimes not at all."""
        self._heading = 0.7 * self._heading + self.random.normal(size=3)
        self._turning = 0.7 * self._turning + self.random.normal(size=3)
        self._sequence += 1
        size = self.random.choice([0.0, 0.005, 0.02, 0.06])
        back = 0.3 * (self.limits.workspace.lower + self.limits.workspace.upper - 2.0 * self._point()) * 0.02
        translation = size * self._heading / max(np.linalg.norm(self._heading), 1e-9) + back
        rotation = 4.0 * size * self._turning / max(np.linalg.norm(self._turning), 1e-9)
        return [
            chunk_of(
                self.now - self.random.uniform(0.0, 0.2),
                self._sequence,
                translation,
                rotation,
                steps=int(self.random.integers(1, 9)),
                gripper=float(self.random.integers(2)),
                frame=self.profile.base_frame,
            )
        ]

    def _point(self) -> np.ndarray:
        return self.chain.forward(self.driver.setpoint(self.now)[0][self._to_chain])[:3, 3]
