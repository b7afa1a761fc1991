# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recording is played in order, at its times, and stands still when paused."""

import threading
import time
from pathlib import Path

import pytest

from instructvla_ros.bags import is_output, mcap_file
from instructvla_ros.bags.findings import Trouble
from instructvla_ros.bags.playing import Player, PlayingError, Recording
from instructvla_ros.bags.writing import BagWriter, Quality
from instructvla_ros.timing import NANOSECONDS

START = 1_700_000_000 * NANOSECONDS
COUNT, SPACING = 50, 0.01  # [s]


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    with BagWriter(tmp_path / "bag") as writer:
        writer.add_topic("/instruction", "std_msgs/msg/String", Quality(latched=True))
        writer.add_topic("/joint_states", "sensor_msgs/msg/JointState", Quality(reliable=False))
        writer.add_topic("/action_chunk", "instructvla_ros/msg/ActionChunk", Quality())
        writer.write("/instruction", START, b"first")
        for index in range(COUNT):
            stamp = START + int((index + 1) * SPACING * NANOSECONDS)
            writer.write("/joint_states", stamp, str(index).encode())
            writer.write("/action_chunk", stamp, b"chunk")
    return tmp_path / "bag"


def test_inputs_come_in_order_at_their_times_after_the_clock_has_told_them(bag: Path) -> None:
    got, clock = [], []
    player = Player(Recording(bag), lambda topic, data: got.append((topic, data, clock[-1])), clock.append, rate=2.0)
    began = time.monotonic()
    player.run()
    assert time.monotonic() - began >= COUNT * SPACING / 2.0
    assert [data for _, data, _ in got] == [b"first", *(str(index).encode() for index in range(COUNT))]
    assert [now - START for *_, now in got[1:]] == [int((i + 1) * SPACING * NANOSECONDS) for i in range(COUNT)]
    assert clock == sorted(clock), "time does not go back"
    assert player.errors.count == COUNT + 1


def test_what_was_latched_before_the_start_comes_first(bag: Path) -> None:
    got: list[bytes] = []
    Player(Recording(bag), lambda _, data: got.append(data), lambda _: None, rate=100.0, start=0.255).run()
    assert got == [b"first", *(str(index).encode() for index in range(25, COUNT))]


def test_paused_it_stands_still_steps_by_one_and_goes_on_where_it_stood(bag: Path) -> None:
    got: list[bytes] = []
    clock: list[int] = []
    stepped = threading.Semaphore(0)

    def publish(_: str, data: bytes) -> None:
        got.append(data)
        stepped.release()

    player = Player(Recording(bag), publish, clock.append)
    player.pause()
    thread = threading.Thread(target=player.run)
    thread.start()
    for _ in range(3):
        assert player.step() and stepped.acquire(timeout=10.0)
    assert got == [b"first", b"0", b"1"]
    player.resume()
    assert not player.step()
    thread.join(10.0)
    assert len(got) == COUNT + 1 and clock == sorted(clock)


def test_everything_is_played_only_if_asked_for(bag: Path) -> None:
    assert set(Recording(bag).topics) == {"/instruction", "/joint_states"}
    recording = Recording(bag, everything=True)
    assert "/action_chunk" in recording.topics and recording.topics["/instruction"].quality.latched


def test_what_cannot_be_played_is_told(bag: Path, tmp_path: Path) -> None:
    with pytest.raises(PlayingError, match="start in 0 .. 0.5"):
        Player(Recording(bag), lambda *_: None, lambda _: None, start=9.0)
    with pytest.raises(PlayingError, match="nothing at this path"):
        Recording(tmp_path / "none")
    (bag / "bag.mcap").write_bytes(b"")
    with pytest.raises(PlayingError, match="no message to play.*has no bytes"):
        Recording(bag)


def test_a_bag_that_was_cut_is_played_to_its_end_and_that_is_told(bag: Path) -> None:
    (bag / "bag.mcap").write_bytes((bag / "bag.mcap").read_bytes()[:-50])
    (bag / "metadata.yaml").unlink()
    recording = Recording(bag)
    got: list[bytes] = []
    Player(recording, lambda _, data: got.append(data), lambda _: None, rate=100.0).run()
    assert got == [b"first", *(str(index).encode() for index in range(COUNT))]
    assert {Trouble.CUT, Trouble.NO_METADATA} <= {finding.trouble for finding in recording.findings}


def test_the_clock_never_goes_back_even_where_the_bag_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcap_file, "OVERLAP_BYTES", 0)
    with BagWriter(tmp_path / "bag") as writer:
        writer.add_topic("/words", "std_msgs/msg/String", Quality())
        for step in (5, 6, 7, 1, 2, 9):
            writer.write("/words", START + step * NANOSECONDS // 100, str(step).encode())
            writer.flush()
    got: list[str] = []
    clock: list[int] = []
    Player(Recording(tmp_path / "bag"), lambda _, data: got.append(data.decode()), clock.append).run()
    assert sorted(got) == ["1", "2", "5", "6", "7", "9"] and clock == sorted(clock)


def test_a_recorded_clock_and_messages_of_another_clock_are_not_played(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag") as writer:
        writer.add_topic("/words", "std_msgs/msg/String", Quality())
        writer.add_topic("/clock", "rosgraph_msgs/msg/Clock", Quality())
        writer.write("/words", 5, b"of a simulation")
        for index in range(3):
            writer.write("/words", START + index, str(index).encode())
            writer.write("/clock", START + index, b"clock")
    got: list[bytes] = []
    recording = Recording(tmp_path / "bag", everything=True)
    Player(recording, lambda _, data: got.append(data), lambda _: None).run()
    assert got == [b"0", b"1", b"2"]
    assert Trouble.MIXED_CLOCKS in {finding.trouble for finding in recording.findings}


@pytest.mark.parametrize(
    ("topic", "message_type", "left_out"),
    [
        ("/joint_states", "sensor_msgs/msg/JointState", False),
        ("/camera/image_raw", "sensor_msgs/msg/Image", False),
        ("/left/safety_status", "instructvla_ros/msg/SafetyStatus", True),
        ("/forward_position_controller/commands", "std_msgs/msg/Float64MultiArray", True),
        ("/wx250s/arm_controller/joint_trajectory", "trajectory_msgs/msg/JointTrajectory", True),
        ("/servo_node/delta_twist_cmds", "geometry_msgs/msg/TwistStamped", True),
        ("/target_frame", "geometry_msgs/msg/PoseStamped", True),
    ],
)
def test_whatever_a_driver_could_be_commanded_with_is_left_out_of_a_replay(topic, message_type, left_out):
    assert is_output(topic, message_type) is left_out
