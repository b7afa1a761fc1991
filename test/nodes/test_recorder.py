# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What goes over the topics is in the bag; after an incident the last while is on the disk."""

from functools import partial
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

from instructvla_ros.bags.incidents import write_incident
from instructvla_ros.bags.message_types import type_store
from instructvla_ros.bags.reading import Bag
from instructvla_ros.bags.ring import Message
from instructvla_ros.bags.writing import Quality
from instructvla_ros.msg import SafetyStatus
from instructvla_ros.nodes import qos
from instructvla_ros.nodes.image_decoding import to_message
from instructvla_ros.nodes.record import ros_arguments
from instructvla_ros.parameters import RECORDER_NODE

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
    mark = graph.node.create_publisher(String, "instruction", qos.TEXT)

    def written(word: bytes) -> bool:
        return word in b"".join(path.read_bytes() for path in bag.glob("*.mcap"))

    for topic, publisher, message in (
        ("joints", joints, JointState(name=["both sides have found each other"])),
        ("camera", images, Image(encoding="both sides have seen each other")),
    ):
        timer = graph.node.create_timer(0.05, partial(publisher.publish, message))
        word = (message.name[0] if topic == "joints" else message.encoding).encode()
        graph.wait_until(partial(written, word), topic)
        graph.node.destroy_timer(timer)
    for index in range(20):  # one after the other: of a burst, best effort may lose some before the recorder
        joints.publish(JointState(name=["waist", f"state {index} in turn"], position=[float(index)]))
        images.publish(to_message(picture))
        graph.wait_until(partial(written, f"state {index} in turn".encode()), "each joint state in its turn")
    mark.publish(String(data="the last word"))
    graph.wait_until(lambda: written(b"parameters of safety_filter_node"), "parameters")
    graph.wait_until(lambda: written(b"the last word"), "the last word")
    assert recorder.stop() == 0, recorder.output
    found = contents(bag)
    assert [message.position[0] for message in found["/joint_states"] if len(message.position)] == list(range(20))
    pictures = [message for message in found["/image"] if message.width]
    assert len(pictures) == 20 and np.array_equal(pictures[0].data.reshape(48, 64, 3), picture)
    assert [message.data for message in found["/instruction"]] == ["lift", "the last word"], (
        "by two subscriptions, but once"
    )
    assert found["/safety_status"][0].state == SafetyStatus.STATE_INACTIVE
    about = yaml.safe_load((bag / "metadata.yaml").read_text())["rosbag2_bagfile_information"]["custom_data"]
    assert "gripper_link" in about["profile"] and "rosbags" in about["versions"]


@pytest.mark.parametrize("incident", ["stop", "service"])
def test_after_an_incident_the_last_while_is_on_the_disk(incident: str, graph, tmp_path: Path) -> None:
    status = graph.node.create_publisher(SafetyStatus, "safety_status", qos.LATCHED)
    images = graph.node.create_publisher(Image, "image", qos.SENSOR)
    given = {"flight_folder": str(tmp_path / "incidents"), "flight_after": 1.0, "disk_reserve": 0.0, "cameras": "all"}
    recorder = graph.start("recorder_node", **given)
    graph.wait_until(lambda: images.get_subscription_count() == status.get_subscription_count() == 1, "the recorder")
    picture = to_message(np.full((48, 64, 3), 90, np.uint8))
    graph.node.create_timer(0.05, lambda: images.publish(picture))
    status.publish(SafetyStatus(state=SafetyStatus.STATE_MOVING))
    if incident == "stop":
        status.publish(SafetyStatus(state=SafetyStatus.STATE_STOPPING, reason="pressed"))
    else:
        assert graph.call(Trigger, "recorder_node/save_flight", Trigger.Request()).success
    graph.wait_until(lambda: any(tmp_path.glob("incidents/*/metadata.yaml")), "the bag of the incident")
    assert recorder.stop() == 0, recorder.output
    (bag,) = (tmp_path / "incidents").iterdir()
    found = contents(bag)
    newest = SafetyStatus.STATE_STOPPING if incident == "stop" else SafetyStatus.STATE_MOVING
    assert found["/safety_status"][-1].state == newest
    assert found["/image/compressed"][0].data[:2].tolist() == [0xFF, 0xD8], "a JPEG"
    words = "stop: pressed" if incident == "stop" else "asked for by service"
    assert words in (bag / "metadata.yaml").read_text()


def test_a_recording_begins_and_ends_by_service_with_what_was_latched_before(graph, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    graph.node.create_publisher(String, "instruction", LATCHED).publish(String(data="said before"))
    given = {"recording_folder": str(folder), "flight_recorder": False, "disk_reserve": 0.0}
    recorder = graph.start("recorder_node", **given)
    seen = graph.collect(DiagnosticArray, "/diagnostics", qos.TEXT)
    call = partial(graph.call, Trigger)
    refused = call("recorder_node/stop_recording", Trigger.Request())
    assert not refused.success and "nothing is being recorded" in refused.message
    graph.wait_until(lambda: graph.node.count_subscribers("instruction") >= 2, "the recorder to listen")
    graph.wait_until(lambda: told(seen), "a second of listening")
    assert call("recorder_node/start_recording", Trigger.Request()).success
    second = call("recorder_node/start_recording", Trigger.Request())
    assert not second.success and "under way already" in second.message
    graph.wait_until(lambda: told(seen)[-1][1] == "recording", "the recording in the diagnostics")
    assert call("recorder_node/stop_recording", Trigger.Request()).success
    graph.wait_until(lambda: any(folder.glob("*/metadata.yaml")), "the bag to be closed")
    (bag,) = folder.iterdir()
    assert [message.data for message in contents(bag)["/instruction"]] == ["said before"]
    graph.wait_until(lambda: told(seen)[-1][1] == "off", "the end in the diagnostics")
    assert recorder.stop() == 0, recorder.output


def test_what_is_lost_before_it_reaches_the_recorder_is_counted_and_said(graph, tmp_path: Path) -> None:
    diagnostics = graph.collect(DiagnosticArray, "/diagnostics", qos.TEXT)
    joints = graph.node.create_publisher(JointState, "joint_states", qos.SENSOR)
    recorder = graph.start("recorder_node", path=str(tmp_path / "bag"), flight_recorder=False)
    graph.wait_until(lambda: joints.get_subscription_count() == 1, "the recorder")
    joints.publish(JointState(position=[0.0]))
    graph.wait_until(lambda: len(told(diagnostics)) >= 2, "the recorder to have looked for publishers")
    recorder.freeze()
    for index in range(3000):
        joints.publish(JointState(position=[float(index)]))
    recorder.thaw()
    graph.node.create_timer(0.1, lambda: joints.publish(JointState(position=[-1.0])))  # a gap shows by what follows
    graph.wait_until(
        lambda: any(level == DiagnosticStatus.WARN and "/joint_states" in text for level, text in told(diagnostics)),
        "the loss in the diagnostics",
    )
    assert recorder.stop() == 0
    positions = [message.position[0] for message in contents(tmp_path / "bag")["/joint_states"]]
    lost = 3001 - sum(position >= 0.0 for position in positions)
    counted = int(recorder.output.rpartition("lost: /joint_states ")[2])
    # the first may have been sent before the recorder was found, of which its numbers tell nothing
    assert lost > 100 and counted in (lost, lost - 1), recorder.output


def test_an_incident_that_cannot_be_written_is_told_and_the_recorder_goes_on(graph) -> None:
    diagnostics = graph.collect(DiagnosticArray, "/diagnostics", qos.TEXT)
    recorder = graph.start("recorder_node", flight_folder="/proc/nowhere", flight_after=0.0)
    assert graph.call(Trigger, "recorder_node/save_flight", Trigger.Request()).success
    graph.wait_until(
        lambda: any(level == DiagnosticStatus.ERROR and "/proc/nowhere" in text for level, text in told(diagnostics)),
        "the error in the diagnostics",
    )
    assert recorder.alive and recorder.stop() == 0


def test_the_record_command_hands_what_it_is_given_to_the_node() -> None:
    ours = ["run", "--robot", "sim", "--images", "jpeg", "--split-seconds", "60"]
    given = ros_arguments([*ours, "--ros-args", "-r", "a:=b"])
    assert given[:3] == ["--ros-args", "-r", "a:=b"]
    pairs = dict(word.split(":=") for word in given[4::2])
    assert pairs["path"] == '"run"' and pairs["robot"] == '"sim"' and pairs["images"] == '"jpeg"'
    assert pairs["split_seconds"] == "60.0" and pairs["split_megabytes"] == "0.0"
    assert pairs["flight_recorder"] == "false" and "image_transport" not in pairs
    assert pairs.keys() <= {parameter.name for parameter in RECORDER_NODE}


def test_a_recording_goes_on_in_another_bag_once_one_is_full(graph, tmp_path: Path) -> None:
    instruction = graph.node.create_publisher(String, "instruction", LATCHED)
    instruction.publish(String(data="lift"))
    joints = graph.node.create_publisher(JointState, "joint_states", qos.SENSOR)
    recorder = graph.start("recorder_node", path=str(tmp_path / "bag"), split_megabytes=0.001, flight_recorder=False)
    graph.wait_until(lambda: joints.get_subscription_count() == 1, "the recorder")
    sent: list[float] = []

    def send() -> None:
        sent.append(float(len(sent)))
        joints.publish(JointState(position=[sent[-1]]))

    graph.node.create_timer(0.02, send)
    graph.wait_until(lambda: len(list(tmp_path.iterdir())) >= 3, "the third bag")
    assert recorder.stop() == 0, recorder.output
    first, second, *_ = found = [contents(path) for path in sorted(tmp_path.iterdir())]
    assert first["/instruction"][-1].data == second["/instruction"][0].data == "lift", "each can be played by itself"
    got = [message.position[0] for part in found for message in part.get("/joint_states", [])]
    assert len(got) > 10 and got == sent[int(got[0]) : int(got[0]) + len(got)]


def test_an_old_incident_goes_when_all_take_too_much(graph, tmp_path: Path) -> None:
    old = tmp_path / "incident_old"
    write_incident(old, [Message("/words", 1, b"x" * 10_000)], {"/words": ("std_msgs/msg/String", Quality())}, {}, 0.0)
    recorder = graph.start(
        "recorder_node", flight_folder=str(tmp_path), flight_after=0.0, flight_total_megabytes=0.01, disk_reserve=0.0
    )
    assert graph.call(Trigger, "recorder_node/save_flight", Trigger.Request()).success
    graph.wait_until(lambda: not old.exists(), "the old incident to be deleted")
    assert recorder.stop() == 0 and list(tmp_path.glob("incident_*/metadata.yaml"))
    assert f"{old} is deleted" in recorder.output


def test_on_a_full_disk_the_recording_ends_and_the_recorder_says_so_and_lives(graph, small_disk: Path) -> None:
    diagnostics = graph.collect(DiagnosticArray, "/diagnostics", qos.TEXT)
    images = graph.node.create_publisher(Image, "image", qos.SENSOR)
    bag = small_disk / "bag"
    recorder = graph.start("recorder_node", path=str(bag), cameras="all")
    graph.wait_until(lambda: images.get_subscription_count() == 1, "the recorder to listen to the camera")
    picture = to_message(np.zeros((240, 320, 3), np.uint8))
    graph.node.create_timer(0.05, lambda: images.publish(picture))
    graph.wait_until(
        lambda: any(level == DiagnosticStatus.ERROR and "No space left" in text for level, text in told(diagnostics)),
        "the error in the diagnostics",
    )
    assert recorder.alive and recorder.stop() == 0, recorder.output
    with Bag(bag) as read:
        assert sum(message.topic == "/image" for message in read.messages()) >= 10
