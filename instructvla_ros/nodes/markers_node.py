# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""markers_node: draws plan, limits and what is clamped, for RViz and Foxglove.

In: ``action_chunk``, ``planned_trajectory``, ``joint_states``, ``robot_description``, ``safety_status``. Out:
``markers``, as long as somebody listens; every marker lives for a few periods only, so that nothing stale stays in the
picture. It commands nothing.
"""

from __future__ import annotations

import sys
from collections import deque

import numpy as np
from geometry_msgs.msg import Point
from sensor_msgs.msg import JointState as JointStateMessage
from std_msgs.msg import ColorRGBA, Header, String
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMessage
from visualization_msgs.msg import Marker, MarkerArray

from instructvla_ros.declaring import declare
from instructvla_ros.markers import (
    Acting,
    Clamp,
    Mark,
    body_marks,
    by_layer,
    commanded_marks,
    plan_marks,
    room_marks,
    status_mark,
    trail_marks,
)
from instructvla_ros.msg import ActionChunk as ActionChunkMessage
from instructvla_ros.msg import SafetyStatus
from instructvla_ros.nodes import messages, qos
from instructvla_ros.nodes.running import RunnableNode, run_node
from instructvla_ros.parameters import MARKERS_NODE
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.robot.action_chunk import ActionChunk
from instructvla_ros.robot.joint_state import JointState, JointStateError
from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.safety import SafetyLimits, SafetyState
from instructvla_ros.safety.body import Body
from instructvla_ros.safety.rooms import Configurations

LIFE = 4.0  # of a marker, in periods
STATUS_AGE = 1.0  # an older safety status is not shown [s]
COMMAND_AGE = 0.5  # nor an older command [s]


class MarkersNode(RunnableNode):
    """Draws the newest of everything at a fixed rate."""

    def __init__(self) -> None:
        """Read profile and limits.

        Raises:
            ParameterError, ProfileError, LimitsError: a parameter, the profile or the limits file is wrong.
        """
        super().__init__("markers_node")
        given = declare(self, MARKERS_NODE)
        self._profile = RobotProfile.load(given.robot)
        self._limits = SafetyLimits.load(given.limits or self._profile.interface.limits)
        self._life = LIFE / given.rate
        self._chain: KinematicChain | None = None
        self._body: Body | None = None
        self._chunk: ActionChunk | None = None
        self._joints: JointState | None = None
        self._commanded: JointTrajectoryMessage | None = None
        self._status: SafetyStatus | None = None
        self._acting = Acting()
        self._trail: deque[np.ndarray] = deque(maxlen=max(2, round(given.trail * given.rate)))
        self._markers = self.create_publisher(MarkerArray, "markers", qos.TEXT)
        self.create_subscription(ActionChunkMessage, "action_chunk", self._on_chunk, qos.TEXT)
        self.create_subscription(JointTrajectoryMessage, "planned_trajectory", self._on_command, qos.COMMAND)
        self.create_subscription(JointStateMessage, "joint_states", self._on_joint_state, qos.SENSOR)
        self.create_subscription(String, "robot_description", self._on_robot_description, qos.LATCHED)
        self.create_subscription(SafetyStatus, "safety_status", self._on_status, qos.LATCHED)
        self.create_timer(1.0 / given.rate, self._draw)
        text = self._profile.urdf()
        if text is not None:
            self._on_robot_description(String(data=text))

    def _on_robot_description(self, message: String) -> None:
        try:
            chain = self._profile.chain(message.data)
            body = Body(self._limits, chain)
        except ValueError as error:
            self.get_logger().error(f"robot_description does not fit robot {self._profile.name}: {error}")
            return
        self._chain, self._body = chain, body

    def _on_chunk(self, message: ActionChunkMessage) -> None:
        try:
            self._chunk = messages.chunk_from_message(message, messages.seconds(message.header.stamp))
        except ValueError:
            self._chunk = None  # the filter refuses it too, and says why

    def _on_command(self, message: JointTrajectoryMessage) -> None:
        self._commanded = message

    def _on_joint_state(self, message: JointStateMessage) -> None:
        if set(message.name) & set(self._profile.joints):
            self._joints = messages.joint_state_from_message(message, messages.seconds(message.header.stamp))

    def _on_status(self, message: SafetyStatus) -> None:
        self._status = message
        self._acting.see(
            messages.seconds(message.header.stamp),
            [Clamp(each.limit, each.subject, each.asked, each.allowed, each.unit) for each in message.interventions],
        )

    def _draw(self) -> None:
        now = messages.ros_now(self)
        arm = self._configuration(now)
        gripper = None if arm is None else arm.poses[0, :3, 3]
        if gripper is None:
            self._trail.clear()
        else:
            self._trail.append(gripper)
        if not self._markers.get_subscription_count():
            return
        status = self._status
        known = status is not None and abs(now - messages.seconds(status.header.stamp)) <= STATUS_AGE
        clamps = self._acting.now(now)
        marks = room_marks(self._limits, clamps)
        if arm is not None and self._body is not None:
            marks += body_marks(self._body, arm, clamps)
        if gripper is not None:
            marks += plan_marks(self._chunk, now, gripper) + trail_marks(np.array(self._trail))
        marks += commanded_marks(self._commanded_points(now))
        state = SafetyState(status.state) if known and status is not None else None
        marks.append(status_mark(state, status.reason if status else "", clamps, gripper, self._limits))
        self._markers.publish(self._message(marks))

    def _configuration(self, now: float) -> Configurations | None:
        """Where the arm is; None where nobody knows, or knew too long ago."""
        joints, chain = self._joints, self._chain
        if joints is None or chain is None or abs(now - joints.stamp) > self._profile.ages.joint_state:
            return None
        try:
            positions, _ = joints.select(chain.joint_names)
        except JointStateError as error:
            self.get_logger().warning(f"the arm is not drawn: {error}", throttle_duration_sec=10.0)
            return None
        return Configurations.of(chain, positions[None])

    def _commanded_points(self, now: float) -> np.ndarray:
        """Where the filter's newest command leads the gripper point, ``(n, 3)`` [m]; empty where there is none."""
        message, chain = self._commanded, self._chain
        if message is None or chain is None or abs(now - messages.seconds(message.header.stamp)) > COMMAND_AGE:
            return np.zeros((0, 3))
        try:
            trajectory = messages.trajectory_from_message(message)
            order = [trajectory.joint_names.index(name) for name in chain.joint_names]
        except ValueError:
            return np.zeros((0, 3))  # of another robot
        return Configurations.of(chain, trajectory.positions[:, order]).poses[:, :3, 3]

    def _message(self, marks: list[Mark]) -> MarkerArray:
        # a stamp of zero is the newest transform: the base frame stands still, and a viewer need not wait for tf
        header = Header(frame_id=self._profile.base_frame)
        life = messages.duration_message(self._life)
        markers = []
        for layer, its_marks in by_layer(marks).items():
            for number, mark in enumerate(its_marks):
                marker = Marker(header=header, ns=layer, id=number, type=int(mark.kind), action=Marker.ADD)
                marker.pose.position = _point(mark.position)
                marker.pose.orientation = messages.quaternion(mark.orientation.as_matrix())
                marker.scale = messages.vector(np.array(mark.size))
                marker.color = _colour(mark.colour)
                marker.points = [_point(point) for point in mark.points]
                marker.colors = [_colour(colour) for colour in mark.colours]
                marker.text = mark.text
                marker.lifetime = life
                markers.append(marker)
        return MarkerArray(markers=markers)


def _point(numbers: np.ndarray) -> Point:
    return Point(x=float(numbers[0]), y=float(numbers[1]), z=float(numbers[2]))


def _colour(numbers: np.ndarray | tuple[float, float, float, float]) -> ColorRGBA:
    red, green, blue, opacity = (float(number) for number in numbers)
    return ColorRGBA(r=red, g=green, b=blue, a=opacity)


def main() -> int:
    """Run the node until it is told to stop."""
    return run_node(MarkersNode)


if __name__ == "__main__":
    sys.exit(main())
