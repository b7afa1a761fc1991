# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""recorder_node: writes what goes in and out to a rosbag2 bag, and keeps the last minute for the case of an incident.

In: all topics of policy and filter, as serialized bytes. Services ``~/save_flight``, ``~/start_recording`` and
``~/stop_recording``. Out: bags, ``/diagnostics``.

Callbacks only queue bytes. One thread writes the recording, the flight recorder has threads of its own. It is a process
beside the control loop: whatever the disk does, no arm waits.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped, TwistStamped
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import Bool, Float64MultiArray, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from instructvla_ros.bags.flight_recorder import FlightRecorder, FlightSettings
from instructvla_ros.bags.origin import checkpoint_hashes, versions
from instructvla_ros.bags.pictures import to_jpeg
from instructvla_ros.bags.recording import Recording, recording_name
from instructvla_ros.bags.ring import Message, Triggers
from instructvla_ros.bags.writing import Quality, require_room
from instructvla_ros.declaring import declare
from instructvla_ros.msg import ActionChunk, Heard, Reasoning, SafetyStatus
from instructvla_ros.nodes import qos
from instructvla_ros.nodes.diagnostics import diagnostic
from instructvla_ros.nodes.image_decoding import to_rgb
from instructvla_ros.nodes.parameter_look import ParameterLook
from instructvla_ros.nodes.running import RunnableNode, run_node
from instructvla_ros.parameters import RECORDER_NODE
from instructvla_ros.policy.profile import ROBOTS_FOLDER, RobotProfile
from instructvla_ros.policy.profile_interface import IMAGE_NAMES
from instructvla_ros.shared_files import yaml_path

SENSOR, RELIABLE, LATCHED = Quality(reliable=False, depth=100), Quality(depth=100), Quality(latched=True, depth=1)
TOPICS: dict[str, tuple[type, Quality]] = {
    "joint_states": (JointState, SENSOR),
    "instruction": (String, LATCHED),
    "robot_description": (String, LATCHED),
    "heard": (Heard, RELIABLE),
    "emergency_stop": (Bool, LATCHED),
    "action_chunk": (ActionChunk, RELIABLE),
    "reasoning": (Reasoning, RELIABLE),
    "joint_trajectory": (JointTrajectory, RELIABLE),
    "joint_position_command": (Float64MultiArray, RELIABLE),
    "joint_velocity_command": (Float64MultiArray, RELIABLE),
    "twist_command": (TwistStamped, RELIABLE),
    "pose_command": (PoseStamped, RELIABLE),
    "gripper_command": (Float64MultiArray, RELIABLE),
    "gripper_trajectory": (JointTrajectory, RELIABLE),
    "safety_status": (SafetyStatus, LATCHED),
    "/diagnostics": (DiagnosticArray, RELIABLE),
}
BOTH_WAYS = ("instruction", "emergency_stop")  # people publish them latched or not
ASKED_NODES = ("policy_node", "safety_filter_node")
DEPTH, IMAGE_DEPTH = 1000, 30  # messages that wait in the middleware while Python is busy
CLOSING = 3.0  # longest wait for a disk at the end [s]


class RecorderNode(RunnableNode):
    """Passes bytes from topics to a bag and to the memory of the flight recorder."""

    def __init__(self) -> None:
        """Subscribe; open the bag if one is asked for.

        Raises:
            BagWritingError: the bag cannot be made.
            ParameterError: a parameter is wrong.
        """
        super().__init__("recorder_node")
        given = self._given = declare(self, RECORDER_NODE)
        self._types: dict[str, tuple[str, Quality]] = {}
        self._lost: Counter[str] = Counter()  # between publisher and here
        self._single: set[str] = set()  # topics whose publisher is the only one, so that its numbers tell what is lost
        self._simulated = bool(self.get_parameter("use_sim_time").value)
        self._about: dict[str, str] = {"versions": json.dumps(versions())}
        if given.robot:
            self._about["robot"] = given.robot
            self._about["profile"] = yaml_path(ROBOTS_FOLDER, "robot", given.robot).read_text(encoding="utf-8")
        self._latched: dict[str, Message] = {}  # the newest of each, for a recording that begins later
        self._trouble = ""

        self._recording = self._begin(Path(given.path)) if given.path else None
        self._closing: threading.Thread | None = None
        self._flight = self._flight_recorder() if given.flight_recorder else None
        self._both = {self.resolve_topic_name(name) for name in BOTH_WAYS}
        self._triggers = Triggers(given.burst_interventions, given.burst_window)

        for name, (kind, quality) in TOPICS.items():
            self._subscribe(name, kind, quality, both=name in BOTH_WAYS)
        interface = RobotProfile.load(given.robot).interface if given.robot else None
        self._cameras: dict[str, type] = {}
        for view, name in IMAGE_NAMES.items():
            transport = given.image_transport
            if interface is not None:
                transport = interface.transport(view, transport)
            compressed = transport == "compressed"
            self._cameras[f"{name}/compressed" if compressed else name] = CompressedImage if compressed else Image
        self._parameter_look = ParameterLook(self, ASKED_NODES, self._on_parameters)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", qos.TEXT)
        self.create_service(Trigger, "~/save_flight", self._on_save)
        self.create_service(Trigger, "~/start_recording", self._on_start_recording)
        self.create_service(Trigger, "~/stop_recording", self._on_stop_recording)
        self.create_timer(0.5, self._look)
        self.create_timer(1.0, self._publish_diagnostics)
        where = f"recording to {given.path}" if given.path else "not recording"
        memory = f"{given.flight_seconds:g} s or {given.flight_megabytes:g} MB" if self._flight else "off"
        self.get_logger().info(f"{where}; flight recorder: {memory}")

    def stop_working(self) -> None:
        """Write what is queued, close the bag, and let an incident be written to its end."""
        if self._flight is not None:
            self._flight.hurry()
        recording, self._recording = self._under_way, None
        if recording is not None:
            self._close(recording, lambda text: print(text, flush=True), lambda text: print(text, file=sys.stderr))
        if self._flight is not None and not self._flight.close(CLOSING):
            print("the flight recorder is too slow: what was queued is lost", file=sys.stderr)
        if self._closing is not None:
            self._closing.join(CLOSING)

    @property
    def _under_way(self) -> Recording | None:
        """The recording, unless an error has ended it."""
        recording = self._recording
        return None if recording is None or recording.has_ended else recording

    def _flight_recorder(self) -> FlightRecorder:
        given, logger = self._given, self.get_logger()
        folder = Path(given.flight_folder or Path.home() / "instructvla_incidents").expanduser()
        return FlightRecorder(
            FlightSettings(
                seconds=given.flight_seconds,
                megabytes=given.flight_megabytes,
                queue_megabytes=given.queue_megabytes,
                after=given.flight_after,
                folder=folder,
                total_megabytes=given.flight_total_megabytes,
                reserve=given.disk_reserve,
            ),
            frozenset(self.resolve_topic_name(name) for name, (_, quality) in TOPICS.items() if quality.latched),
            self._types,
            self._about,
            partial(self._as_kept, images=given.flight_images),
            self._on_flight_error,
            logger.info,
            logger.error,
        )

    def _begin(self, path: Path) -> Recording:
        given = self._given
        keep = partial(self._as_kept, images=given.images)
        limits = given.queue_megabytes, given.split_megabytes, given.split_seconds
        return Recording(path, self._about, self._types, keep, self._on_disk_error, *limits)

    def _close(self, recording: Recording, say: Callable[[str], object], complain: Callable[[str], object]) -> None:
        wrong = recording.close(CLOSING)
        if wrong:
            complain(wrong)
        say(f"{recording.path}: {recording.messages} messages; lost: {_told(self._lost + recording.lost) or 'none'}")

    def _on_start_recording(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        recording = self._under_way
        if recording is not None:
            response.message = f"a recording to {recording.path} is under way already"
            return response
        folder = Path(self._given.recording_folder or Path.home() / "instructvla_recordings").expanduser()
        try:
            require_room(folder, self._given.disk_reserve)
            recording = self._begin(folder / recording_name())
        except (OSError, ValueError) as error:
            response.message = f"nothing is recorded: {error}"
            return response
        now = self.get_clock().now().nanoseconds
        for message in list(self._latched.values()):
            recording.put(replace(message, stamp=now))
        self._recording, self._trouble = recording, ""
        response.success, response.message = True, f"recording to {recording.path}"
        self.get_logger().info(response.message)
        return response

    def _on_stop_recording(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        recording, self._recording = self._under_way, None
        if recording is None:
            response.message = self._trouble or "nothing is being recorded"
            return response
        logger = self.get_logger()
        self._closing = threading.Thread(
            target=self._close, args=(recording, logger.info, logger.error), name="closing"
        )
        self._closing.start()
        response.success, response.message = True, f"the recording {recording.path} ends"
        return response

    def _subscribe(self, name: str, kind: type, quality: Quality, both: bool = False) -> None:
        topic = self.resolve_topic_name(name)
        module = kind.__module__.split(".")[0]
        self._types[topic] = (f"{module}/msg/{kind.__name__}", quality)
        seen: list[tuple[object, bytes]] = []
        last: list[int] = []

        def on_message(data: bytes, info: Mapping[str, int]) -> None:
            if both:
                key = (info["source_timestamp"], data)
                if key in seen:
                    seen.remove(key)
                    return
                seen[:] = [*seen[-7:], key]
            number = info.get("publication_sequence_number")
            if number is not None:
                if topic in self._single and last and number > last[0] + 1:
                    self._lost[topic] += number - last[0] - 1
                last[:] = [number]
            stamp = self.get_clock().now().nanoseconds if self._simulated else info["received_timestamp"]
            message = Message(topic, stamp or time.time_ns(), data)
            if quality.latched:
                self._latched[topic] = message
            self._pass_on(message)
            if name == "safety_status":
                self._judge(deserialize_message(data, SafetyStatus))

        depth = IMAGE_DEPTH if kind in (Image, CompressedImage) else DEPTH
        reliability = ReliabilityPolicy.RELIABLE if quality.reliable else ReliabilityPolicy.BEST_EFFORT
        durabilities = [DurabilityPolicy.TRANSIENT_LOCAL] if quality.latched else [DurabilityPolicy.VOLATILE]
        if both:
            durabilities = [DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL]
        for durability in durabilities:
            profile = QoSProfile(depth=depth, reliability=reliability, durability=durability)
            self.create_subscription(kind, name, on_message, profile, raw=True)  # type: ignore[arg-type]

    def _pass_on(self, message: Message) -> None:
        recording, flight = self._recording, self._flight
        if recording is not None:
            recording.put(message)
        if flight is not None:
            flight.put(message)

    def _look(self) -> None:
        """Listen to cameras that are in use by now; learn the other nodes' parameters."""
        for name, kind in list(self._cameras.items()):
            topic = self.resolve_topic_name(name)
            if self._given.cameras == "all" or self.count_subscribers(topic):
                del self._cameras[name]
                self._subscribe(name, kind, SENSOR)
        self._single = {
            topic for topic in list(self._types) if topic not in self._both and self.count_publishers(topic) == 1
        }
        self._parameter_look.look()

    def _on_parameters(self, node: str, told: dict[str, object]) -> None:
        self._tell({f"parameters of {node}": json.dumps(told, default=list)})
        if told.get("checkpoint"):
            threading.Thread(target=self._hash, args=(told["checkpoint"],), name="hash", daemon=True).start()

    def _hash(self, checkpoint: str) -> None:
        try:
            hashes = checkpoint_hashes(checkpoint)
        except OSError as error:
            hashes = {"error": str(error)}
        self._tell({"checkpoint": checkpoint, "checkpoint sha256": json.dumps(hashes)})

    def _tell(self, about: dict[str, str]) -> None:
        self._about |= about
        recording = self._recording
        if recording is not None:
            recording.tell(about)

    def _on_disk_error(self, trouble: str) -> None:
        self._trouble = trouble
        self.get_logger().error(trouble)

    def _on_flight_error(self, error: Exception) -> None:
        self.get_logger().error(f"flight recorder: a message cannot be kept: {error}", throttle_duration_sec=5.0)

    def _as_kept(self, message: Message, images: str) -> Message:
        """An image as JPEG where that is wanted and possible; anything else as it is."""
        if images != "jpeg" or self._types[message.topic][0] != "sensor_msgs/msg/Image":
            return message
        image = deserialize_message(message.data, Image)
        rgb = to_rgb(image)
        compressed = CompressedImage(header=image.header, format="rgb8; jpeg compressed bgr8")
        compressed.data.frombytes(to_jpeg(rgb, rgb.shape[1], self._given.jpeg_quality))
        topic = f"{message.topic}/compressed"
        self._types.setdefault(topic, ("sensor_msgs/msg/CompressedImage", SENSOR))
        return Message(topic, message.stamp, serialize_message(compressed))

    def _judge(self, status: SafetyStatus) -> None:
        why = self._triggers.see(time.monotonic(), status.state, status.reason, status.intervention_count)
        if why and self._flight is not None:
            self.get_logger().warning(self._flight.save(why))

    def _on_save(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self._flight is not None
        response.message = self._flight.save("asked for by service") if self._flight else "the flight recorder is off"
        return response

    def _publish_diagnostics(self) -> None:
        recording = self._under_way
        lost = _told(self._lost + (recording.lost if recording else Counter()))
        flight = self._flight
        level, summary = DiagnosticStatus.OK, "recording" if recording else "flight recorder" if flight else "off"
        if lost:
            level, summary = DiagnosticStatus.WARN, f"messages lost: {lost}"
        trouble = self._trouble or (flight.trouble if flight else "")
        if trouble:
            level, summary = DiagnosticStatus.ERROR, trouble
        values: dict[str, object] = {}
        if flight is not None:
            values |= {
                "incidents written": flight.written,
                "last incident": flight.last or "none",
                "memory [MB]": f"{flight.megabytes:.1f}",
                "reaches back [s]": f"{flight.seconds:.1f}",
            }
        if recording is not None:
            values |= {"bag": recording.path, "messages": recording.messages}
        self._diagnostics.publish(diagnostic(self, level, summary, {"lost": lost or "none", **values}))


def _told(lost: Counter[str]) -> str:
    return ", ".join(f"{topic} {count}" for topic, count in sorted(lost.items()) if count)


def main() -> int:
    """Run the node until it is told to stop."""
    return run_node(RecorderNode)


if __name__ == "__main__":
    sys.exit(main())
