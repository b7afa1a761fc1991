# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What goes over the topics is in the bag; after an incident the last while is on the disk."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosbags.rosbag2 import Reader
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from instructvla_ros.bags.message_types import type_store
from instructvla_ros.msg import SafetyStatus
from instructvla_ros.nodes import qos
from instructvla_ros.nodes.image_decoding import to_message

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def contents(bag: Path) -> dict[str, list]:
    store, found = type_store(), {}
    with Reader(bag) as reader:
        for connection, _, data in reader.messages():
            found.setdefault(connection.topic, []).append(store.deserialize_cdr(data, connection.msgtype))
    return found


def told(diagnostics: list) -> list[tuple[bytes, str]]:
    return [(s.level, s.message) for a in diagnostics for s in a.status if s.name.endswith("recorder_node")]


def test_a_recording_holds_every_message_and_says_where_it_comes_from(graph, tmp_path: Path) -> None:
    bag = tmp_path / "bag"
    instruction = graph.node.create_publisher(String, "instruction", LATCHED)
    joints = graph.node.create_publisher(JointState, "joint_states", qos.SENSOR)
    images = graph.node.create_publisher(Image, "image", qos.SENSOR)
    instruction.publish(String(data="lift"))
    graph.start("safety_filter_node", robot="sim")
    recorder = graph.start("recorder_node", path=str(bag), cameras="all", robot="sim", flight_recorder=False)
    graph.wait_until(lambda: images.get_subscription_count() == 1, "the recorder to listen to the camera")
    graph.wait_until(
        lambda: joints.get_subscription_count() == 2, "the recorder and the filter to listen to the joints"
    )
    picture = np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)
    for index in range(20):
        joints.publish(JointState(name=["waist"], position=[float(index)]))
        images.publish(to_message(picture))
    graph.wait_until(lambda: b"parameters of safety_filter_node" in next(bag.glob("*.mcap")).read_bytes(), "parameters")
    assert recorder.stop() == 0, recorder.output
    found = contents(bag)
    assert [message.position[0] for message in found["/joint_states"]] == list(range(20))
    assert len(found["/image"]) == 20 and np.array_equal(found["/image"][0].data.reshape(48, 64, 3), picture)
    assert [message.data for message in found["/instruction"]] == ["lift"], "by two subscriptions, but once"
    assert found["/safety_status"][0].state == SafetyStatus.STATE_INACTIVE
    about = yaml.safe_load((bag / "metadata.yaml").read_text())["rosbag2_bagfile_information"]["custom_data"]
    assert "gripper_link" in about["profile"] and "rosbags" in about["versions"]


@pytest.mark.parametrize("incident", ["stop", "service"])
def test_after_an_incident_the_last_while_is_on_the_disk(incident: str, graph, tmp_path: Path) -> None:
    status = graph.node.create_publisher(SafetyStatus, "safety_status", qos.LATCHED)
    images = graph.node.create_publisher(Image, "image", qos.SENSOR)
    given = {"flight_folder": str(tmp_path / "incidents"), "flight_after": 0.1, "disk_reserve": 0.0, "cameras": "all"}
    recorder = graph.start("recorder_node", **given)
    graph.wait_until(lambda: images.get_subscription_count() == status.get_subscription_count() == 1, "the recorder")
    images.publish(to_message(np.full((48, 64, 3), 90, np.uint8)))
    status.publish(SafetyStatus(state=SafetyStatus.STATE_MOVING))
    if incident == "stop":
        status.publish(SafetyStatus(state=SafetyStatus.STATE_STOPPING, reason="pressed"))
    else:
        assert graph.call(Trigger, "recorder_node/save_flight", Trigger.Request()).success
    graph.wait_until(lambda: any(tmp_path.glob("incidents/*/metadata.yaml")), "the bag of the incident")
    assert recorder.stop() == 0, recorder.output
    (bag,) = (tmp_path / "incidents").iterdir()
    found = contents(bag)
    assert found["/safety_status"][0].state == SafetyStatus.STATE_MOVING
    assert found["/image/compressed"][0].data[:2].tolist() == [0xFF, 0xD8], "a JPEG"
    words = "stop: pressed" if incident == "stop" else "asked for by service"
    assert words in (bag / "metadata.yaml").read_text()


def test_an_incident_that_cannot_be_written_is_told_and_the_recorder_goes_on(graph) -> None:
    diagnostics = graph.collect(DiagnosticArray, "/diagnostics", qos.TEXT)
    recorder = graph.start("recorder_node", flight_folder="/proc/nowhere", flight_after=0.0)
    assert graph.call(Trigger, "recorder_node/save_flight", Trigger.Request()).success
    graph.wait_until(
        lambda: any(level == DiagnosticStatus.ERROR and "/proc/nowhere" in text for level, text in told(diagnostics)),
        "the error in the diagnostics",
    )
    assert recorder.alive and recorder.stop() == 0
