# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A written bag is a rosbag2 bag, and one that was cut holds all but its last moment."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rosbags.interfaces import QosDurability
from rosbags.rosbag2 import Reader

from instructvla_ros.bags.findings import Trouble
from instructvla_ros.bags.intake import Intake
from instructvla_ros.bags.message_types import type_store
from instructvla_ros.bags.reading import Bag
from instructvla_ros.bags.ring import Message, Ring, Triggers
from instructvla_ros.bags.writing import BagWriter, BagWritingError, Quality
from instructvla_ros.safety import SafetyState
from instructvla_ros.timing import NANOSECONDS

ROOT = Path(__file__).resolve().parents[2]
WRITE_FOREVER = """
import sys, time
from instructvla_ros.bags.message_types import type_store
from instructvla_ros.bags.writing import BagWriter, Quality
store = type_store()
kind = store.types["std_msgs/msg/String"]
writer = BagWriter(sys.argv[1], {"robot": "sim"})
writer.add_topic("/words", "std_msgs/msg/String", Quality())
for index in range(10**9):
    writer.write("/words", time.time_ns(), bytes(store.serialize_cdr(kind(str(index)), "std_msgs/msg/String")))
    if index % 50 == 0:
        writer.flush()
        print(index, flush=True)
"""


def text(word: str) -> bytes:
    store = type_store()
    return bytes(store.serialize_cdr(store.types["std_msgs/msg/String"](word), "std_msgs/msg/String"))


def test_what_is_written_is_read_again_byte_for_byte_with_quality_and_description(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag", {"robot": "sim"}) as writer:
        writer.add_topic("/instruction", "std_msgs/msg/String", Quality(latched=True, depth=1))
        writer.add_topic("/status", "instructvla_ros/msg/SafetyStatus", Quality())
        writer.write("/instruction", 5, text("lift"))
        writer.describe({"checkpoint": "abc"})
        writer.write("/instruction", 7, text("drop"))
    with Reader(tmp_path / "bag") as reader:
        assert [(stamp, bytes(data)) for _, stamp, data in reader.messages()] == [(5, text("lift")), (7, text("drop"))]
        connections = {connection.topic: connection for connection in reader.connections}
        assert connections["/instruction"].ext.offered_qos_profiles[0].durability is QosDurability.TRANSIENT_LOCAL
        assert connections["/status"].ext.offered_qos_profiles[0].durability is QosDurability.VOLATILE
        assert "SafetyIntervention" in connections["/status"].msgdef.data
    kept = yaml.safe_load((tmp_path / "bag" / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert kept["custom_data"] == {"robot": "sim", "checkpoint": "abc"} and kept["message_count"] == 2


def test_a_bag_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(BagWritingError, match="exists already"):
        BagWriter(tmp_path)


def test_a_folder_that_cannot_be_made_is_told_with_its_path() -> None:
    with pytest.raises(BagWritingError, match="/proc/nothing"):
        BagWriter("/proc/nothing")


def test_a_writer_that_is_killed_leaves_all_that_it_had_flushed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE_FOREVER, str(tmp_path / "bag")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    flushed = 0
    while flushed < 500:
        flushed = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read()
    assert process.wait() == -signal.SIGKILL
    flushed = int(rest.split()[-1]) if rest.split() else flushed
    with Bag(tmp_path / "bag") as bag:
        got = [content.data for _, content in bag.decoded()]
        assert len(got) > flushed and got == [str(index) for index in range(len(got))]
        assert bag.about == {"robot": "sim"}, "what the bag says about itself is there as well"
        assert {finding.trouble for finding in bag.findings} == {Trouble.CUT, Trouble.NO_METADATA}


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 400_000)), min_size=1, max_size=80))
def test_a_ring_holds_the_newest_within_both_bounds(steps: list[tuple[int, int]]) -> None:
    ring = Ring(seconds=10.0, megabytes=1.0)
    stamp, sent = 0, []
    for tenths, size in steps:
        stamp += tenths * NANOSECONDS // 10
        sent.append(Message("/image", stamp, bytes(size)))
        ring.add(sent[-1])
    held = ring.snapshot()
    assert held == sent[len(sent) - len(held) :], "the newest, without a gap"
    assert sum(len(message.data) for message in held) <= 1e6 and ring.megabytes <= 1.0
    assert held[-1].stamp - held[0].stamp <= 10 * NANOSECONDS


def test_a_ring_never_forgets_the_newest_of_a_latched_topic() -> None:
    ring = Ring(seconds=1.0, megabytes=1.0, latched=frozenset({"/urdf"}))
    for index in range(3):
        ring.add(Message("/urdf", index, bytes([index])))
    for second in range(1, 5):
        ring.add(Message("/image", second * NANOSECONDS, b"picture"))
    held = ring.snapshot()
    assert held[0].topic == "/urdf" and held[0].data == b"\x02" and held[0].stamp == held[1].stamp


def test_a_stop_a_fault_and_a_burst_are_written_once_each() -> None:
    triggers = Triggers(burst=10, window=2.0)
    moving = 2
    assert triggers.see(0.0, moving, "", 100) == "", "what came before the first status is no burst"
    assert triggers.see(1.0, SafetyState.STOPPING, "pressed", 101).startswith("stop: pressed")
    assert triggers.see(1.1, SafetyState.STOPPED, "pressed", 101) == ""
    assert triggers.see(2.0, moving, "", 101) == ""
    assert triggers.see(3.0, SafetyState.FAULT, "joint state", 101).startswith("fault: joint state")
    assert triggers.see(4.0, moving, "", 101) == ""
    assert triggers.see(5.0, moving, "", 111) == "10 interventions within 2 s"
    assert triggers.see(5.1, moving, "", 112) == ""
    assert triggers.see(9.0, moving, "", 0) == "", "a filter that was started anew"


def test_a_slow_disk_costs_messages_that_are_counted_and_never_the_one_who_puts() -> None:
    import threading

    release, handled = threading.Event(), []

    def handle(message: Message) -> None:
        release.wait(10.0)
        handled.append(message)

    intake = Intake("slow", 1.0, handle, lambda: None, lambda _: None)
    started = time.monotonic()
    taken = [intake.put(Message("/image", index, bytes(300_000))) for index in range(10)]
    assert time.monotonic() - started < 1.0
    release.set()
    assert intake.close(10.0)
    assert sum(taken) == len(handled) == 3 and intake.lost["/image"] == 7


def test_an_error_of_the_disk_is_told_and_the_next_message_tried() -> None:
    errors: list[Exception] = []
    handled: list[Message] = []

    def handle(message: Message) -> None:
        if message.stamp == 0:
            raise OSError(28, "No space left on device")
        handled.append(message)

    intake = Intake("full", 1.0, handle, lambda: None, errors.append)
    for index in range(2):
        intake.put(Message("/image", index, b"x"))
    assert intake.close(10.0)
    assert "No space left" in str(errors[0]) and len(handled) == 1 and intake.lost["/image"] == 1
