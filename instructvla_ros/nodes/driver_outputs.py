# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the safety filter sends to an arm driver, one class for each kind of command.

All kinds send what the filter has planned and checked, at every tick, at rest too. When the filter rests, positions and
poses stay as they are and velocities are exactly zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose, PoseStamped, Twist, TwistStamped
from std_msgs.msg import Float64MultiArray, Header
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMessage

from instructvla_ros.nodes import messages, qos
from instructvla_ros.nodes.action_goals import ActionGoals
from instructvla_ros.policy.profile_interface import COMMAND_NAMES
from instructvla_ros.robot.cartesian_setpoints import next_pose, twist_of
from instructvla_ros.robot.joint_setpoints import VelocitySetpoints, next_positions

if TYPE_CHECKING:
    import numpy as np
    from rclpy.node import Node
    from rclpy.publisher import Publisher

    from instructvla_ros.robot.joint_state import JointState
    from instructvla_ros.robot.kinematics import KinematicChain
    from instructvla_ros.robot.trajectory import JointTrajectory


class ArmOutput(Protocol):
    """Sends commands of one kind.

    Attributes:
        publishers: those that must have no rival on their topic.
    """

    publishers: list[Publisher]

    def send(self, trajectory: JointTrajectory, now: float, stamp: Time, measured: JointState | None) -> None:
        """Sends what begins now.

        Args:
            trajectory: from now, ending at rest.
            now: monotonic time [s].
            stamp: the same in ROS time.
            measured: the newest joint state, stamped with monotonic time.
        """

    def fall_silent(self) -> None:
        """Sends what brings the arm to rest where it would go on without it; the last word of a filter that ends."""


class TrajectoryOutput:
    """Trajectories, stamped where the driver shares our clock.

    As trajectory_msgs/JointTrajectory for ros2_control's joint_trajectory_controller, or as goals of
    control_msgs/FollowJointTrajectory, each of which replaces the one before.
    """

    def __init__(self, node: Node, base_frame: str, stamped: bool, lead: float, as_goals: bool) -> None:
        self._base_frame, self._stamped, self._lead = base_frame, stamped, lead
        self._publish: Callable[[JointTrajectoryMessage], object]
        self.publishers: list[Publisher] = []
        if as_goals:
            goals = ActionGoals(node, "FollowJointTrajectory", COMMAND_NAMES["follow_joint_trajectory"])
            self._publish = lambda message: goals.send(goals.goal(trajectory=message))
        else:
            publisher = node.create_publisher(JointTrajectoryMessage, COMMAND_NAMES["joint_trajectory"], qos.COMMAND)
            self._publish = publisher.publish
            self.publishers.append(publisher)

    def send(self, trajectory: JointTrajectory, now: float, stamp: Time, measured: JointState | None) -> None:
        """As of :class:`ArmOutput`."""
        del now, measured
        if not self._stamped:
            self._publish(messages.trajectory_to_message(trajectory, self._base_frame))
            return
        message = messages.trajectory_to_message(trajectory.held(), self._base_frame)
        message.header.stamp = messages.time_message(messages.seconds(stamp) + self._lead)
        self._publish(message)

    def fall_silent(self) -> None:
        """Nothing: every trajectory ends at rest."""


class JointPositionOutput:
    """std_msgs/Float64MultiArray of positions, for ros2_control's forward_command_controller."""

    def __init__(self, node: Node, period: float) -> None:
        self._period = period
        self._publisher = node.create_publisher(Float64MultiArray, COMMAND_NAMES["joint_position"], qos.COMMAND)
        self.publishers = [self._publisher]

    def send(self, trajectory: JointTrajectory, now: float, stamp: Time, measured: JointState | None) -> None:
        """As of :class:`ArmOutput`."""
        del now, stamp, measured
        self._publisher.publish(Float64MultiArray(data=next_positions(trajectory, self._period).tolist()))

    def fall_silent(self) -> None:
        """Nothing: the driver holds the last position."""


class JointVelocityOutput:
    """std_msgs/Float64MultiArray of velocities, for ros2_control's forward_command_controller."""

    def __init__(self, node: Node, speeds: np.ndarray, period: float) -> None:
        self._setpoints = VelocitySetpoints(speeds, period)
        self._joints = len(speeds)
        self._publisher = node.create_publisher(Float64MultiArray, COMMAND_NAMES["joint_velocity"], qos.COMMAND)
        self.publishers = [self._publisher]

    def send(self, trajectory: JointTrajectory, now: float, stamp: Time, measured: JointState | None) -> None:
        """As of :class:`ArmOutput`."""
        del stamp
        self._publisher.publish(Float64MultiArray(data=self._setpoints.next(trajectory, now, measured).tolist()))

    def fall_silent(self) -> None:
        """Zero velocity."""
        self._publisher.publish(Float64MultiArray(data=[0.0] * self._joints))


class TwistOutput:
    """geometry_msgs/TwistStamped of the tip link in the base frame, for MoveIt Servo."""

    def __init__(self, node: Node, chain: KinematicChain, speeds: np.ndarray, period: float) -> None:
        self._node, self._chain = node, chain
        self._setpoints = VelocitySetpoints(speeds, period)
        self._publisher = node.create_publisher(TwistStamped, COMMAND_NAMES["twist"], qos.COMMAND)
        self.publishers = [self._publisher]

    def send(self, trajectory: JointTrajectory, now: float, stamp: Time, measured: JointState | None) -> None:
        """As of :class:`ArmOutput`."""
        velocities = self._setpoints.next(trajectory, now, measured)
        twist = twist_of(self._chain, trajectory.sample(0.0)[0], velocities)
        self._publish(stamp, Twist(linear=messages.vector(twist[:3]), angular=messages.vector(twist[3:])))

    def fall_silent(self) -> None:
        """Zero twist."""
        self._publish(self._node.get_clock().now().to_msg(), Twist())

    def _publish(self, stamp: Time, twist: Twist) -> None:
        self._publisher.publish(TwistStamped(header=Header(stamp=stamp, frame_id=self._chain.base), twist=twist))


class PoseOutput:
    """geometry_msgs/PoseStamped of the tip link in the base frame, for Cartesian controllers."""

    def __init__(self, node: Node, chain: KinematicChain, period: float) -> None:
        self._chain, self._period = chain, period
        self._publisher = node.create_publisher(PoseStamped, COMMAND_NAMES["pose"], qos.COMMAND)
        self.publishers = [self._publisher]

    def send(self, trajectory: JointTrajectory, now: float, stamp: Time, measured: JointState | None) -> None:
        """As of :class:`ArmOutput`."""
        del now, measured
        pose = next_pose(self._chain, trajectory, self._period)
        x, y, z = pose[:3, 3].tolist()
        self._publisher.publish(
            PoseStamped(
                header=Header(stamp=stamp, frame_id=self._chain.base),
                pose=Pose(position=Point(x=x, y=y, z=z), orientation=messages.quaternion(pose[:3, :3])),
            )
        )

    def fall_silent(self) -> None:
        """Nothing: the driver holds the last pose."""


def arm_output(
    node: Node,
    kind: str,
    *,
    link_chain: KinematicChain,
    speeds: np.ndarray,
    period: float,
    stamped: bool,
    lead: float,
) -> ArmOutput:
    """Makes the output of a kind.

    Args:
        node: whose publishers it uses.
        kind: one of ``ARM_OUTPUTS``.
        link_chain: the arm to the tip link, which is what Cartesian drivers move, without a tool offset.
        speeds: ``(n,)`` highest joint speeds in force [rad/s or m/s].
        period: of the filter [s].
        stamped: whether trajectories say when they begin.
        lead: how long after they were made that is [s].

    Raises:
        ImportError: the kind needs control_msgs, which is not installed.
    """
    if kind == "joint_position":
        return JointPositionOutput(node, period)
    if kind == "joint_velocity":
        return JointVelocityOutput(node, speeds, period)
    if kind == "twist":
        return TwistOutput(node, link_chain, speeds, period)
    if kind == "pose":
        return PoseOutput(node, link_chain, period)
    return TrajectoryOutput(node, link_chain.base, stamped, lead, as_goals=kind == "follow_joint_trajectory")
