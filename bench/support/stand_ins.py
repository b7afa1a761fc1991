# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An arm and a policy played by a test or a measurement, and what can be seen of the safety filter from the outside.

As a command it is a policy in a process of its own, which can be killed and frozen:

    python -m bench.support.stand_ins [--rate 10] [--speed 0.1]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState as JointStateMessage
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMessage

from bench.support.command_watch import jump
from instructvla_ros.msg import ActionChunk as ActionChunkMessage
from instructvla_ros.msg import SafetyStatus
from instructvla_ros.nodes import messages, qos
from instructvla_ros.nodes.running import RunnableNode, run_node
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.robot.action_chunk import ActionChunk
from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.robot.trajectory import JointTrajectory
from instructvla_ros.sim.arm_model import ARM_JOINTS, GRIPPER_JOINT, HOME, urdf
from instructvla_ros.sim.trajectory_follower import TrajectoryFollower

if TYPE_CHECKING:
    from bench.support.live_graph import Graph

STEPS = 5  # of a chunk
STEP_PERIOD = 0.1  # [s]
MOST_BACK = 0.03  # [m] in a chunk
CIRCLE_PERIOD = 4.0  # [s]
DRIVER_PRIORITY = 40  # of a process that plays the driver, where real-time scheduling is permitted; below the filter's
STANDING_STILL = 1e-4  # [rad/s]; below it a commanded joint counts as at rest
_EVERYTHING = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)


def circle(times: np.ndarray, speed: float) -> np.ndarray:
    """Points ``(k, 3)`` [m] at times ``(k,)`` [s] of a circle in the plane of y and z that begins at the origin."""
    radius = speed * CIRCLE_PERIOD / (2.0 * np.pi)
    angles = 2.0 * np.pi * times / CIRCLE_PERIOD  # (k,)
    return radius * np.stack([np.zeros_like(angles), np.sin(angles), 1.0 - np.cos(angles)], axis=1)  # (k, 3)


def circle_chunk(
    stamp: float, since: float, epoch: int, sequence: int, speed: float, off: np.ndarray | None = None
) -> ActionChunk:
    """Steps along a circle.

    Args:
        stamp: of the observation [s].
        since: when the circle began, on the clock of the stamp [s].
        epoch: of the chunk.
        sequence: of the chunk.
        speed: along the circle [m/s].
        off: ``(3,)`` how far the gripper is off its place on the circle [m]; the chunk leads back by ``MOST_BACK``.
    """
    points = circle(stamp - since + STEP_PERIOD * np.arange(STEPS + 1), speed)  # (STEPS + 1, 3)
    if off is not None:
        back = off * min(1.0, MOST_BACK / max(float(np.linalg.norm(off)), 1e-9))  # (3,)
        points -= np.linspace(0.0, 1.0, STEPS + 1)[:, None] * back
    return ActionChunk(
        stamp=stamp,
        frame="base_link",
        epoch=epoch,
        sequence=sequence,
        period=STEP_PERIOD,
        translations=np.diff(points, axis=0),
        rotations=np.zeros((STEPS, 3)),
        grippers=np.ones(STEPS),
        instruction="draw a circle",
    )


class StandInPolicy:
    """Publishes chunks of a circle at a fixed rate, as long as it is told to.

    Args:
        node: whose executor runs it.
        rate: chunks a second [Hz].
        speed: along the circle [m/s].
        where: tells where the gripper is, ``(3,)`` [m], so that the circle stays in its place however often it is
            interrupted; without it every interruption moves the circle.
    """

    def __init__(
        self, node: Node, rate: float = 10.0, speed: float = 0.1, where: Callable[[], np.ndarray] | None = None
    ) -> None:
        self.active = True
        self._where, self._origin = where, None if where is None else where()
        self.sequence = 0
        self._node, self._speed = node, speed
        self._since = messages.ros_now(node)
        self._epoch = time.time_ns()
        self._publisher = node.create_publisher(ActionChunkMessage, "action_chunk", qos.LEASED_COMMAND)
        self._timer = node.create_timer(1.0 / rate, self._publish)

    def _publish(self) -> None:
        if not self.active:
            return
        stamp, off = messages.ros_now(self._node), None
        if self._where is not None:
            off = self._where() - self._origin - circle(np.array([stamp - self._since]), self._speed)[0]
        chunk = circle_chunk(stamp, self._since, self._epoch, self.sequence, self._speed, off)
        self.sequence += 1
        self._publisher.publish(messages.chunk_to_message(chunk))

    def close(self) -> None:
        """Take its publisher off the graph."""
        self.active = False
        self._node.destroy_timer(self._timer)
        self._node.destroy_publisher(self._publisher)


@dataclass(frozen=True, eq=False)
class Command:
    """A trajectory as it came, with the monotonic time of its coming [s]."""

    arrival: float
    trajectory: JointTrajectory

    @property
    def rest(self) -> float:
        """When the arm is at rest if no other command comes [s]."""
        return self.arrival + float(self.trajectory.times[-1])


@dataclass(frozen=True, eq=False)
class Sample:
    """Where a perfect driver had the arm: monotonic time [s], ``(n,)`` positions [rad], ``(n,)`` velocities [rad/s]."""

    time: float
    positions: np.ndarray
    velocities: np.ndarray


class StandInArm:
    """A perfect driver: executes every trajectory as it comes, publishes joint states, and keeps both for judgement.

    Attributes:
        graph: whose executor runs it.
        chain: kinematics of the arm.
        commands: the newest trajectories.
        motion: the newest samples of what is executed, one for each joint state.
        statuses: the newest safety statuses, each with its monotonic time of coming [s].
        publishing: whether joint states go out.
        stamp_offset: added to the stamps of joint states [s].
        frozen_at: positions that the joint states tell instead of the true ones, if any.

    Args:
        graph: whose executor runs it.
        rate: joint states a second [Hz].
        kept: how many commands, samples and statuses are kept.
        on_command: called with every command.
    """

    def __init__(
        self,
        graph: Graph,
        rate: float = 100.0,
        kept: int = 100_000,
        on_command: Callable[[Command], None] | None = None,
    ) -> None:
        self.commands: deque[Command] = deque(maxlen=kept)
        self.motion: deque[Sample] = deque(maxlen=kept)
        self.statuses: deque[tuple[float, SafetyStatus]] = deque(maxlen=kept)
        self.publishing = True
        self.stamp_offset = 0.0
        self.frozen_at: np.ndarray | None = None
        self._follower = TrajectoryFollower(ARM_JOINTS, HOME)
        profile = RobotProfile.load("sim")
        self.chain = KinematicChain.from_urdf(urdf(), profile.base_frame, profile.tip_frame)
        self.graph, self._on_command = graph, on_command
        graph.hurry(DRIVER_PRIORITY)
        node = graph.node
        self._joint_states = node.create_publisher(JointStateMessage, "joint_states", qos.SENSOR)
        self._description = node.create_publisher(String, "robot_description", qos.LATCHED)
        self._description.publish(String(data=urdf()))
        graph.listen(JointTrajectoryMessage, "joint_trajectory", _EVERYTHING, self._on_trajectory)
        graph.listen(SafetyStatus, "safety_status", _EVERYTHING, lambda m: self.statuses.append((time.monotonic(), m)))
        node.create_timer(1.0 / rate, self._publish)

    def _on_trajectory(self, message: JointTrajectoryMessage) -> None:
        command = Command(time.monotonic(), messages.trajectory_from_message(message))
        self._follower.command(command.trajectory, command.arrival)
        self.commands.append(command)
        if self._on_command is not None:
            self._on_command(command)

    def _publish(self) -> None:
        now = time.monotonic()
        positions, velocities = self._follower.sample(now)
        self.motion.append(Sample(now, positions, velocities))
        if not self.publishing:
            return
        told = positions if self.frozen_at is None else self.frozen_at
        message = JointStateMessage(name=[*ARM_JOINTS, GRIPPER_JOINT], position=[*told.tolist(), 0.02])
        message.header.stamp = messages.time_message(messages.ros_now(self.graph.node) + self.stamp_offset)
        self._joint_states.publish(message)

    @property
    def state(self) -> int:
        """Newest state of the filter, -1 before the first status."""
        return self.statuses[-1][1].state if self.statuses else -1

    @property
    def reason(self) -> str:
        """Why it is in this state."""
        return self.statuses[-1][1].reason if self.statuses else ""

    def sample(self) -> Sample:
        """Where the arm is now."""
        now = time.monotonic()
        return Sample(now, *self._follower.sample(now))

    def gripper(self) -> np.ndarray:
        """Where the gripper is now, ``(3,)`` [m]."""
        return self.chain.forward(self.sample().positions)[:3, 3]

    def speed(self) -> float:
        """Speed of the fastest joint now [rad/s]."""
        return float(np.abs(self.sample().velocities).max())

    def await_state(self, *states: int) -> None:
        """Wait until the filter is in one of these states."""
        self.graph.wait_until(lambda: self.state in states, f"a state of {states}, not {self.state}: {self.reason}")

    def await_motion(self, speed: float = 0.05) -> None:
        """Wait until a joint moves at this speed [rad/s] at least."""
        self.graph.wait_until(lambda: self.speed() > speed, f"a joint to move at {speed} rad/s; {self.reason}")

    def await_rest(self) -> float:
        """Wait until the arm stands still with nothing left to execute; when it came to rest [s]."""
        self.graph.wait_until(
            lambda: bool(self.commands) and self.sample().time > self.commands[-1].rest or self._commanded_to_rest(),
            "the arm to rest",
        )
        return self.rest_since()

    def _commanded_to_rest(self) -> bool:
        return bool(self.commands) and not self.commands[-1].trajectory.velocities.any()

    def rest_since(self) -> float:
        """Monotonic time of the last instant at which a joint was in motion [s]."""
        for command in reversed(list(self.commands)):
            moving = np.abs(command.trajectory.velocities).max(axis=1) > STANDING_STILL  # (points,)
            if moving.any():
                after = min(int(np.flatnonzero(moving)[-1]) + 1, len(moving) - 1)
                return command.arrival + float(command.trajectory.times[after])
        return 0.0

    def largest_jump(self, since: float = 0.0) -> float:
        """How far a command ever began off the one before it [rad], see :func:`~.command_watch.jump`."""
        commands = [command for command in list(self.commands) if command.arrival >= since]
        pairs = zip(commands, commands[1:], strict=False)
        return max((jump(a.trajectory, b.trajectory, b.arrival - a.arrival) for a, b in pairs), default=0.0)


class _PolicyNode(RunnableNode):
    def __init__(self, rate: float, speed: float) -> None:
        super().__init__("stand_in_policy")
        self._policy = StandInPolicy(self, rate, speed)


def main() -> int:
    """Be a policy until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=10.0, help="chunks a second [Hz]")
    parser.add_argument("--speed", type=float, default=0.1, help="along the circle [m/s]")
    arguments = parser.parse_args()
    return run_node(lambda: _PolicyNode(arguments.rate, arguments.speed))


if __name__ == "__main__":
    sys.exit(main())
