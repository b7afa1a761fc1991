# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How actions become motion of the simulated arm: directly, or through the safety filter."""

from collections import Counter
from functools import cache
from typing import Protocol

import numpy as np

from instructvla_ros.robot.action_chunk import ActionChunk
from instructvla_ros.robot.gripper import GripperMapping
from instructvla_ros.robot.joint_state import JointState
from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.robot.poses import pose, rotation_from_vector
from instructvla_ros.safety import SafetyFilter, SafetyLimits, SafetyState, Stops
from instructvla_ros.sim.arm_model import ARM_JOINTS, BASE_LINK, FINGER_OPEN, GRIPPER_JOINT, TIP_LINK, urdf
from instructvla_ros.sim.expert import CONTROL_PERIOD
from instructvla_ros.sim.table_top import TableTop
from instructvla_ros.sim.trajectory_follower import TrajectoryFollower

TICK = 0.01  # [s] period of the servo commands, and of the safety filter
GRIPPER = GripperMapping(GRIPPER_JOINT, closed=0.0, open=FINGER_OPEN)


@cache
def arm_chain() -> KinematicChain:
    """The simulated arm from base_link to gripper_link."""
    return KinematicChain.from_urdf(urdf(), base=BASE_LINK, tip=TIP_LINK)


class Execution(Protocol):
    """Executes action chunks on a table-top."""

    @property
    def path(self) -> list[np.ndarray]:
        """``(3,)`` positions of gripper_link [m] at each tick since the start, the start included."""

    def start(self, table_top: TableTop) -> None:
        """Begins at the arm's present state."""

    def run(self, actions: np.ndarray, steps: int) -> None:
        """Executes the first steps of a chunk.

        Args:
            actions: ``(H, 7)`` translations [m], rotation vectors [rad] in base_link's axes, gripper openings 0 to 1.
            steps: how many actions' time passes, at most H.
        """


class DirectExecution:
    """Inverse kinematics and hardly more: each action moves the commanded pose, and the servos follow.

    The commanded pose stays within the workspace of the arm's limits. Else a policy that errs downwards would wind it
    up below the table, and every way up would begin there.
    """

    def __init__(self) -> None:
        self.path: list[np.ndarray] = []
        box = SafetyLimits.load("sim").workspace
        self._lower, self._upper = np.array(box.lower), np.array(box.upper)

    def start(self, table_top: TableTop) -> None:
        """See :class:`Execution`."""
        self._table_top = table_top
        self._joints = table_top.joint_positions()
        self._target = arm_chain().forward(self._joints)
        self.path = [table_top.gripper_pose()[:3, 3]]

    def run(self, actions: np.ndarray, steps: int) -> None:
        """See :class:`Execution`. A pose out of reach is approached as far as the joints go."""
        ticks = round(CONTROL_PERIOD / TICK)
        for action in actions[:steps]:
            rotation = rotation_from_vector(action[3:6]) @ self._target[:3, :3]
            wanted = pose(np.clip(self._target[:3, 3] + action[:3], self._lower, self._upper), rotation)
            solution = arm_chain().inverse(wanted, self._joints, position_tolerance=1e-4, rotation_tolerance=1e-3)
            self._target = wanted if solution.converged else arm_chain().forward(solution.positions)
            self._table_top.command_gripper(GRIPPER.position(float(np.clip(action[6], 0.0, 1.0))))
            way = solution.positions - self._joints
            for tick in range(1, ticks + 1):
                self._table_top.command_joints(self._joints + way * (tick / ticks), way / CONTROL_PERIOD)
                self._table_top.step(TICK)
                self.path.append(self._table_top.gripper_pose()[:3, 3])
            self._joints = solution.positions


class FilteredExecution:
    """The safety filter at 100 Hz, its trajectories followed as ros2_control's controller would.

    Attributes:
        interventions: how many ticks each limit changed or refused something in, by the limit's name.
        state: the filter's state after the last tick.
        reason: why it is in it.
        commanded: ``(n,)`` joint positions that the arm is told at the end of the last tick [rad].
    """

    def __init__(self, limits: SafetyLimits | None = None) -> None:
        """Prepares.

        Args:
            limits: the limits in force; those of the simulated arm if None.
        """
        self._limits = SafetyLimits.load("sim") if limits is None else limits
        self.path: list[np.ndarray] = []
        self.interventions: Counter[str] = Counter()
        self.state = SafetyState.INACTIVE
        self.reason = ""

    def start(self, table_top: TableTop) -> None:
        """See :class:`Execution`."""
        self._table_top = table_top
        self._filter = SafetyFilter(self._limits, arm_chain(), BASE_LINK, period=TICK, gripper=GRIPPER)
        self._follower = TrajectoryFollower(ARM_JOINTS, table_top.joint_positions())
        self._sequence = 0
        self.interventions = Counter()
        self.tick(())  # the filter takes its first command from where the arm is
        self.path = [table_top.gripper_pose()[:3, 3]]

    def run(self, actions: np.ndarray, steps: int) -> None:
        """See :class:`Execution`. What was commanded so far is what the chunk goes on from."""
        self._sequence += 1
        now, openings = self._table_top.time, np.clip(actions[:, 6], 0.0, 1.0)
        chunk = ActionChunk(
            now, BASE_LINK, 1, self._sequence, CONTROL_PERIOD, actions[:, :3], actions[:, 3:6], openings
        )
        chunks: tuple[ActionChunk, ...] = (chunk,)
        for _ in range(round(steps * CONTROL_PERIOD / TICK)):
            self.tick(chunks)
            chunks = ()

    def tick(self, chunks: tuple[ActionChunk, ...]) -> None:
        """Lets ``TICK`` pass.

        Args:
            chunks: that have come since the tick before.
        """
        table_top, now = self._table_top, self._table_top.time
        positions = np.append(table_top.joint_positions(), table_top.finger_position())
        velocities = np.append(table_top.joint_velocities(), table_top.finger_velocity())
        joint_state = JointState(now, (*ARM_JOINTS, GRIPPER_JOINT), positions, velocities)
        command, report = self._filter.step(now, joint_state, chunks, Stops())
        self.state, self.reason = report.state, report.reason
        self.interventions.update({intervention.limit for intervention in report.interventions})
        if command is not None:
            self._follower.command(command.trajectory, now)
            if command.gripper is not None:
                table_top.command_gripper(GRIPPER.position(command.gripper))
        self.commanded, velocities = self._follower.sample(now + TICK)
        table_top.command_joints(self.commanded, velocities)
        table_top.step(TICK)
        self.path.append(table_top.gripper_pose()[:3, 3])
