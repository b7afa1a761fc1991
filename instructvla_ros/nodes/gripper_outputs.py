# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the safety filter sends to a gripper driver, one class for each kind of command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMessage
from trajectory_msgs.msg import JointTrajectoryPoint

from instructvla_ros.nodes import messages, qos
from instructvla_ros.nodes.action_goals import ActionGoals
from instructvla_ros.policy.profile_interface import GRIPPER_NAMES

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.publisher import Publisher

    from instructvla_ros.policy.profile import RobotProfile

REACH_TIME = 0.1
"""When a gripper trajectory is to be at its one point [s]; the next one comes earlier while the opening changes."""

GOAL_PERIOD = 0.2
"""A goal of an action is sent no more often than this [s]: a gripper that is given one begins its motion anew."""


class GripperOutput(Protocol):
    """Sends positions of the gripper's joint, in the driver's units.

    Attributes:
        publishers: those that must have no rival on their topic.
    """

    publishers: list[Publisher]

    def send(self, position: float, now: float) -> None:
        """Sends a position [m or rad] at a monotonic time [s]."""


class PositionArrayGripper:
    """std_msgs/Float64MultiArray with one number, as forward_command_controller takes it."""

    def __init__(self, node: Node) -> None:
        self._publisher = node.create_publisher(Float64MultiArray, GRIPPER_NAMES["position_array"], qos.COMMAND)
        self.publishers = [self._publisher]

    def send(self, position: float, now: float) -> None:
        """As of :class:`GripperOutput`."""
        del now
        self._publisher.publish(messages.gripper_to_message(position))


class TrajectoryGripper:
    """trajectory_msgs/JointTrajectory with one joint and one point."""

    def __init__(self, node: Node, joint: str) -> None:
        self._joint = joint
        self._publisher = node.create_publisher(JointTrajectoryMessage, GRIPPER_NAMES["trajectory"], qos.COMMAND)
        self.publishers = [self._publisher]

    def send(self, position: float, now: float) -> None:
        """As of :class:`GripperOutput`."""
        del now
        point = JointTrajectoryPoint(positions=[float(position)], time_from_start=messages.duration_message(REACH_TIME))
        self._publisher.publish(JointTrajectoryMessage(joint_names=[self._joint], points=[point]))


class CommandActionGripper:
    """Goals of control_msgs/GripperCommand; the driver's own speed holds between them."""

    def __init__(self, node: Node, max_effort: float) -> None:
        self._effort = max_effort
        self._goals = ActionGoals(node, "GripperCommand", GRIPPER_NAMES["gripper_command"])
        self._told: float | None = None
        self._due = 0.0
        self.publishers: list[Publisher] = []

    def send(self, position: float, now: float) -> None:
        """As of :class:`GripperOutput`; a position that was sent already, or too soon after another, waits."""
        if position == self._told or now < self._due:
            return
        goal = self._goals.goal()
        goal.command.position = float(position)
        goal.command.max_effort = self._effort
        if self._goals.send(goal):
            self._told, self._due = position, now + GOAL_PERIOD


class NoGripper:
    """A robot without a gripper that is driven."""

    def __init__(self) -> None:
        self.publishers: list[Publisher] = []

    def send(self, position: float, now: float) -> None:
        """Nothing."""


def gripper_output(node: Node, kind: str, profile: RobotProfile) -> GripperOutput:
    """Makes the output of a kind, one of ``GRIPPER_OUTPUTS``.

    Raises:
        ImportError: the kind needs control_msgs, which is not installed.
    """
    if kind == "trajectory":
        return TrajectoryGripper(node, profile.gripper.joint)
    if kind == "gripper_command":
        return CommandActionGripper(node, profile.interface.gripper_output.max_effort)
    return PositionArrayGripper(node) if kind == "position_array" else NoGripper()
