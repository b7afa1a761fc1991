# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Listens to what a profile names for a while, and tells what was seen."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import String

from instructvla_ros.checking.seen import CameraStream, Command, Endpoint, JointStream, Seen, Stream
from instructvla_ros.clock_offset import OffsetMeter
from instructvla_ros.nodes import messages, qos
from instructvla_ros.nodes.image_decoding import ImageError, to_rgb
from instructvla_ros.policy.frames import frame_fault
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.policy.profile_interface import ACTIONS
from instructvla_ros.srv import TellTime

OWN_NODES = ("safety_filter_node", "policy_node")
"""Nodes of ours that may be running beside the check; the filter is the one who may send commands."""

ONLOOKERS = ("recorder_node", "rosbag2_recorder", "demo_monitor_node", "console_node", "foxglove_bridge")
"""Names of nodes that listen to commands and drive no arm."""

_COMMAND_TYPES = {
    "joint_trajectory": "trajectory_msgs/msg/JointTrajectory",
    "follow_joint_trajectory": "control_msgs/action/FollowJointTrajectory",
    "joint_position": "std_msgs/msg/Float64MultiArray",
    "joint_velocity": "std_msgs/msg/Float64MultiArray",
    "twist": "geometry_msgs/msg/TwistStamped",
    "pose": "geometry_msgs/msg/PoseStamped",
}
_GRIPPER_TYPES = {
    "position_array": "std_msgs/msg/Float64MultiArray",
    "trajectory": "trajectory_msgs/msg/JointTrajectory",
    "gripper_command": "control_msgs/action/GripperCommand",
}
PATIENCE = 10.0
"""Longest wait beyond the time that was asked for [s]."""

_ENOUGH = 0.5  # share of the time that was asked for in which a stream must be heard
_QUESTIONS = 8  # to each clock
_PICTURE_PERIOD = 0.5  # [s] between two pictures that are decoded


class GraphLook:
    """One look at a graph.

    Args:
        node: that listens; it is spun by :meth:`look` alone.
        profile: names the topics.
        image_transport: as the parameter of this name.
    """

    def __init__(self, node: Node, profile: RobotProfile, image_transport: str = "profile") -> None:
        self._node, self._profile = node, profile
        interface = profile.interface
        cameras = {}
        for view, camera in interface.cameras.items():
            compressed = interface.transport(view, image_transport) == "compressed"
            kind = CompressedImage if compressed else Image
            topic = node.resolve_topic_name(camera.topic + ("/compressed" if compressed else ""))
            stream = CameraStream(topic, f"sensor_msgs/msg/{kind.__name__}")
            cameras[view] = stream
            node.create_subscription(kind, topic, self._hear_camera(stream), qos.SENSOR)
        joints = JointStream(node.resolve_topic_name(interface.joint_states), "sensor_msgs/msg/JointState")
        node.create_subscription(JointState, joints.topic, self._hear_joints(joints), qos.SENSOR)
        self._seen = Seen(0.0, cameras, joints)
        self._seen.description_topic = node.resolve_topic_name(interface.robot_description.topic)
        if interface.robot_description.kind == "topic":
            node.create_subscription(String, self._seen.description_topic, self._hear_description, qos.LATCHED)
        self._meters = {name: OffsetMeter() for name in (f"{OWN_NODES[0]}/tell_time",)}
        self._clients = {name: node.create_client(TellTime, name) for name in self._meters}

    def look(self, seconds: float) -> Seen:
        """Listen, and tell what was seen.

        Args:
            seconds: how long [s]; up to ``PATIENCE`` longer where something that is published has not come for so long
                yet, for cameras that start when somebody listens.
        """
        executor = SingleThreadedExecutor(context=self._node.context)
        executor.add_node(self._node)
        began = time.monotonic()
        asked = 0
        try:
            while (passed := time.monotonic() - began) < seconds or (
                passed < seconds + PATIENCE and self._is_awaited(_ENOUGH * seconds)
            ):
                if passed > seconds * (asked + 1) / (_QUESTIONS + 1) and asked < _QUESTIONS:
                    asked += 1
                    self._ask_clocks()
                executor.spin_once(timeout_sec=0.05)
        finally:
            executor.remove_node(self._node)
            executor.shutdown()
        self._seen.seconds = passed
        self._ask_graph()
        for name, meter in self._meters.items():
            if meter.offset is not None:
                node = self._node.resolve_service_name(name).rsplit("/", 1)[0]
                self._seen.clock_offsets[node] = (meter.offset.ahead, meter.offset.uncertainty)
        return self._seen

    def _is_awaited(self, seconds: float) -> bool:
        """Whether something that is published has been heard for less than so long [s]."""
        now = time.monotonic()
        return any(
            now - (stream.arrivals[0] if stream.arrivals else now) < seconds
            and any(publisher.type == stream.type for publisher in self._publishers(stream.topic))
            for stream in (*self._seen.cameras.values(), self._seen.joints)
        )

    def _hear(self, stream: Stream, header: object) -> None:
        stamp = messages.seconds(header.stamp)  # type: ignore[attr-defined]
        stream.arrivals.append(time.monotonic())
        stream.stamps.append(stamp)
        stream.ages.append(messages.ros_now(self._node) - stamp if stamp else math.inf)
        stream.frame = header.frame_id  # type: ignore[attr-defined]

    def _hear_camera(self, stream: CameraStream) -> Callable[[Image | CompressedImage], None]:
        decoded = -math.inf

        def on_image(message: Image | CompressedImage) -> None:
            nonlocal decoded
            self._hear(stream, message.header)
            if stream.arrivals[-1] - decoded < _PICTURE_PERIOD:
                return
            decoded = stream.arrivals[-1]
            stream.encoding = message.encoding if isinstance(message, Image) else message.format
            try:
                picture = to_rgb(message)
            except ImageError as error:
                stream.fault = str(error)
                return
            stream.fault = frame_fault(picture) or ""
            stream.height, stream.width = picture.shape[:2]
            stream.last = picture
            if stream.first is None:
                stream.first = picture

        return on_image

    def _hear_joints(self, stream: JointStream) -> Callable[[JointState], None]:
        kinds: set[frozenset[str]] = set()
        arm = set(self._profile.joints)

        def on_joints(message: JointState) -> None:
            names = list(message.name)
            kinds.add(frozenset(names))
            stream.apart = len(kinds) > 1
            stream.names += [name for name in names if name not in stream.names]
            for name, position in zip(names, np.array(message.position, dtype=float).tolist(), strict=False):
                stream.first.setdefault(name, position)
                stream.positions[name] = position
            if set(names) & arm or not stream.apart:  # the gripper's own messages say nothing of the arm's rate
                self._hear(stream, message.header)

        return on_joints

    def _hear_description(self, message: String) -> None:
        self._seen.description = message.data

    def _ask_clocks(self) -> None:
        for name, client in self._clients.items():
            if not client.service_is_ready():
                continue
            sent, meter = messages.ros_now(self._node), self._meters[name]

            def on_answer(future: object, sent: float = sent, meter: OffsetMeter = meter) -> None:
                stamp = messages.seconds(future.result().stamp)  # type: ignore[attr-defined]
                meter.add(sent, stamp, messages.ros_now(self._node))

            client.call_async(TellTime.Request()).add_done_callback(on_answer)

    def _ask_graph(self) -> None:
        seen, interface = self._seen, self._profile.interface
        for stream in (*seen.cameras.values(), seen.joints):
            stream.publishers = self._publishers(stream.topic)
        seen.description_publishers = self._publishers(seen.description_topic)
        seen.topics = {name: tuple(types) for name, types in self._node.get_topic_names_and_types()}
        seen.commands = [self._command(interface.output.topic, interface.output.kind, _COMMAND_TYPES)]
        if interface.gripper_output.kind in _GRIPPER_TYPES:
            gripper = interface.gripper_output
            seen.commands.append(self._command(gripper.topic, gripper.kind, _GRIPPER_TYPES))

    def _command(self, topic: str, kind: str, types: dict[str, str]) -> Command:
        name = self._node.resolve_topic_name(topic)
        if kind in ACTIONS:
            servers = self._publishers(f"{name}/_action/status")
            return Command(name, types[kind], servers, action=True)
        listeners = self._endpoints(self._node.get_subscriptions_info_by_topic(name))
        masters = [master for master in self._publishers(name) if not master.node.endswith(OWN_NODES)]
        # who only looks on, as a recorder does, is no driver; it cannot be told from one but by its name
        drivers = tuple(each for each in listeners if not each.node.endswith(ONLOOKERS))
        return Command(name, types[kind], drivers, tuple(masters))

    def _publishers(self, topic: str) -> tuple[Endpoint, ...]:
        return self._endpoints(self._node.get_publishers_info_by_topic(topic))

    def _endpoints(self, infos: list) -> tuple[Endpoint, ...]:
        own = self._node.get_fully_qualified_name()
        found = []
        for info in infos:
            node = f"{info.node_namespace.rstrip('/')}/{info.node_name}"
            latched = info.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
            if node != own:
                found.append(Endpoint(node, info.topic_type, latched))
        return tuple(found)
