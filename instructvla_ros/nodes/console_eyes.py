# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the operator console hears: topics onto its board, pictures as JPEG to its viewers.

Pictures with the planned path drawn in go to ``annotated_image`` and ``annotated_wrist_image``, for RViz and Foxglove.

What costs something is heard only while somebody looks: pictures of the cameras that are shown, joint states,
diagnostics. Of what comes faster than it is shown, only the newest is decoded.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from sensor_msgs.msg import JointState as JointStateMessage
from std_msgs.msg import String

from instructvla_ros.bags.message_types import type_store
from instructvla_ros.bags.pictures import PictureError, at_most, to_jpeg, to_rgb
from instructvla_ros.console.board import Board
from instructvla_ros.console.drawing import draw
from instructvla_ros.console.projection import CalibrationError, Intrinsics, pose_from_quaternion
from instructvla_ros.console.reports import ActingLimit, FilterStatus, HeardWords
from instructvla_ros.msg import ActionChunk, Heard, Reasoning, SafetyStatus
from instructvla_ros.nodes import messages, qos
from instructvla_ros.nodes.diagnostics import status_name
from instructvla_ros.nodes.image_decoding import to_message
from instructvla_ros.nodes.inputs import Inputs
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.policy.profile_interface import IMAGE_NAMES
from instructvla_ros.stamps import serialized_stamp
from instructvla_ros.timing import NANOSECONDS

SHOWN_PERIOD = 0.1  # [s] between two joint states that are decoded
LOOK_PERIOD = 1.0  # [s] between two looks at calibrations and at who listens to a camera
PASSED_ON = 1.25  # a JPEG up to so many times as wide as wanted is passed on as it is
_VIEWS = {name: view for view, name in IMAGE_NAMES.items()}


class ConsoleEyes:
    """Subscriptions of the console; nothing is heard before :meth:`listen`.

    Args:
        node: whose executor hears instructions, and under whose name is published.
        inputs: hears everything else.
        board: takes in what they hear.
        put_frame: takes camera, stamp [s] and JPEG.
        profile: of the robot.
        given: parameters of the console node.
    """

    def __init__(
        self,
        node: Node,
        inputs: Inputs,
        board: Board,
        put_frame: Callable[[str, float, bytes], None],
        profile: RobotProfile,
        given: SimpleNamespace,
    ) -> None:
        self._node, self._inputs, self._board, self._put_frame, self._given = node, inputs, board, put_frame, given
        self._wanted: tuple[bool, frozenset[str]] = (False, frozenset())
        self._heard: dict[str, Subscription | None] = {}
        self._joint_state = b""
        self._infos: dict[str, bytes] = {}
        self._topics: dict[str, tuple[str, type]] = {}
        for camera in board.cameras:
            compressed = profile.interface.transport(_VIEWS[camera.name], given.image_transport) == "compressed"
            kind = CompressedImage if compressed else Image
            self._topics[camera.name] = f"{camera.name}/compressed" if compressed else camera.name, kind
        self._frame_due = dict.fromkeys(self._topics, 0.0)
        self._drawn = {name: node.create_publisher(Image, f"annotated_{name}", qos.SENSOR) for name in self._topics}
        self._drawing: frozenset[str] = frozenset()

    def listen(self) -> None:
        """Begin to hear; the callbacks of all but instructions come on the inputs' thread from now on."""
        inputs = self._inputs
        qos.subscribe_latched_or_not(self._node, String, "instruction", self._on_instruction)
        inputs.subscribe(String, "robot_description", self._on_description, qos.LATCHED)
        inputs.subscribe(ActionChunk, "action_chunk", self._on_chunk, qos.TEXT)
        inputs.subscribe(Reasoning, "reasoning", self._on_reasoning, qos.TEXT)
        inputs.subscribe(SafetyStatus, "safety_status", self._on_status, qos.LATCHED)
        inputs.subscribe(Heard, "heard", self._on_heard, qos.TEXT)
        for name in self._topics:
            topic = name.replace("image", "camera_pose")
            inputs.subscribe(PoseStamped, topic, partial(self._on_pose, name), qos.LATCHED)
        inputs.node.create_timer(SHOWN_PERIOD, self._look_often)
        inputs.node.create_timer(LOOK_PERIOD, self._look)

    def want(self, watched: bool, cameras: frozenset[str]) -> None:
        """What is to be heard from the next look on; from any thread."""
        self._wanted = watched, cameras

    # ---- what is heard now

    def _look_often(self) -> None:
        watched, cameras = self._wanted
        self._drawing = frozenset(name for name, publisher in self._drawn.items() if publisher.get_subscription_count())
        wanted = {"joint_states", "diagnostics"} if watched else {"joint_states"} if self._drawing else set()
        wanted |= {key for camera in cameras | self._drawing for key in (camera, f"info of {camera}")}
        for key in set(self._heard) - wanted:
            self._inputs.unsubscribe(self._heard.pop(key))
        for key in wanted - set(self._heard):
            self._heard[key] = self._hear(key)
        data, self._joint_state = self._joint_state, b""
        if data:
            message = deserialize_message(data, JointStateMessage)
            stamp = messages.seconds(message.header.stamp)
            self._board.put_joint_state(messages.joint_state_from_message(message, stamp))

    def _hear(self, key: str) -> Subscription | None:
        make = self._inputs.subscribe
        if key == "joint_states":
            return make(JointStateMessage, key, self._on_joint_state, qos.SENSOR, raw=True)
        if key == "diagnostics":
            return make(DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.TEXT)
        if key in self._topics:
            topic, kind = self._topics[key]
            return make(kind, topic, partial(self._on_image, key), qos.SENSOR, raw=True)
        camera = key.removeprefix("info of ")
        keep = partial(self._infos.__setitem__, camera)
        return make(CameraInfo, self._info_topic(camera), keep, qos.SENSOR, raw=True)

    def _info_topic(self, camera: str) -> str:
        """``camera_info`` beside a camera's own image topic, as drivers publish it; our names have their own."""
        image = self._node.resolve_topic_name(camera)
        if image == self._node.resolve_topic_name(camera, only_expand=True):
            return camera.replace("image", "camera_info")
        return f"{image.rsplit('/', 1)[0]}/camera_info"

    def _look(self) -> None:
        in_use = set()
        for camera, (topic, _) in self._topics.items():
            own = 1 if camera in self._heard else 0
            if self._node.count_subscribers(self._node.resolve_topic_name(topic)) > own:
                in_use.add(camera)
        self._board.put_cameras_in_use(frozenset(in_use))
        for camera, data in self._infos.items():
            self._calibrate(camera, deserialize_message(data, CameraInfo))
        self._infos.clear()

    # ---- pictures

    def _on_image(self, camera: str, data: bytes) -> None:
        stamp = serialized_stamp(data) / NANOSECONDS
        self._board.count_input(camera, stamp)
        now = time.monotonic()
        if now < self._frame_due[camera]:
            return
        period = 1.0 / self._given.image_rate
        # frames that come at the rate itself, a little early or late, all pass
        self._frame_due[camera] = max(self._frame_due[camera] + period, now + 0.5 * period)
        # as a bag's reader decodes it: in place, where rclpy copies each picture twice
        name = f"sensor_msgs/msg/{self._topics[camera][1].__name__}"
        message = type_store().deserialize_cdr(data, name)
        try:
            if camera in self._wanted[1]:
                self._put_frame(camera, stamp, self._encoded(message))
            if camera in self._drawing:
                self._publish_drawn(camera, message)
        except PictureError as error:
            self._node.get_logger().error(f"{camera}: {error}", throttle_duration_sec=5.0)

    def _encoded(self, message: Any) -> bytes:
        widest = self._given.image_width
        if not hasattr(message, "encoding"):
            jpeg: bytes = message.data.tobytes()
            if jpeg_width(jpeg) <= PASSED_ON * widest:
                return jpeg
        return to_jpeg(to_rgb(message), widest, self._given.jpeg_quality)

    def _publish_drawn(self, camera: str, message: Any) -> None:
        drawn = to_message(draw(at_most(to_rgb(message), self._given.image_width), *self._board.overlay(camera)))
        drawn.header.stamp.sec, drawn.header.stamp.nanosec = message.header.stamp.sec, message.header.stamp.nanosec
        drawn.header.frame_id = message.header.frame_id
        self._drawn[camera].publish(drawn)

    def _calibrate(self, camera: str, message: CameraInfo) -> None:
        place = self._board.places[camera]
        try:
            place.intrinsics = Intrinsics.checked(
                message.width, message.height, message.k, message.d, message.distortion_model, message.header.frame_id
            )
            place.trouble = ""
        except CalibrationError as error:
            place.trouble = str(error)

    def _on_pose(self, camera: str, message: PoseStamped) -> None:
        place = self._board.places[camera]
        at, turn = message.pose.position, message.pose.orientation
        try:
            pose = pose_from_quaternion((at.x, at.y, at.z), (turn.x, turn.y, turn.z, turn.w))
        except CalibrationError as error:
            self._node.get_logger().error(f"pose of {camera} refused: {error}", throttle_duration_sec=5.0)
            return
        place.put_pose(pose, message.header.frame_id)

    # ---- everything else

    def _on_description(self, message: String) -> None:
        self._board.put_description(message.data)

    def _on_instruction(self, message: object) -> None:
        assert isinstance(message, String)
        self._board.put_instruction(message.data)

    def _on_joint_state(self, data: bytes) -> None:
        self._board.count_input("joint_states", serialized_stamp(data) / NANOSECONDS)
        self._joint_state = data

    def _on_chunk(self, message: ActionChunk) -> None:
        try:
            chunk = messages.chunk_from_message(message, messages.seconds(message.header.stamp))
        except ValueError:
            return  # the filter refuses it, and says so
        self._board.put_chunk(chunk)

    def _on_reasoning(self, message: Reasoning) -> None:
        stamp = messages.seconds(message.header.stamp)
        self._board.put_reasoning(message.text, message.instruction, message.final, stamp)

    def _on_heard(self, message: Heard) -> None:
        asks = message.outcome == Heard.OUTCOME_AWAITING_CONFIRMATION
        self._board.put_heard(HeardWords(message.text, _finite(message.confidence) or 0.0, asks, message.reason))

    def _on_status(self, message: SafetyStatus) -> None:
        limits = tuple(
            ActingLimit(
                entry.limit,
                entry.subject,
                _finite(entry.asked),
                _finite(entry.allowed),
                _finite(entry.duration) or 0.0,
                entry.unit,
                entry.message,
            )
            for entry in message.interventions
        )
        self._board.put_status(
            FilterStatus(
                messages.seconds(message.header.stamp),
                message.state,
                message.reason,
                _finite(message.path_speed) or 0.0,
                _finite(message.speed_scale) or 0.0,
                _finite(message.joint_state_age),
                _finite(message.chunk_age),
                limits,
                message.intervention_count,
            )
        )

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = {value.key: value.value for value in status.values}
            if status.name == status_name(self._node, "policy_node"):
                self._board.put_policy(status.message, status.level == DiagnosticStatus.OK, values)
            elif status.name == status_name(self._node, "recorder_node"):
                bag = f" to {values['bag']}" if "bag" in values else ""
                self._board.put_recorder(f"{status.message}{bag}", "bag" in values)


def jpeg_width(data: bytes) -> float:
    """Width of a JPEG [px], from its frame header (ITU-T T.81, B.2.2); infinite where it is none."""
    at = 2
    while data[:2] == b"\xff\xd8" and at + 9 < len(data) and data[at] == 0xFF:
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            return float(int.from_bytes(data[at + 7 : at + 9], "big"))
        at += 2 + length
    return math.inf


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
