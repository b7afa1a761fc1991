# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The shipped recording, played into the live graph on its own time."""

from pathlib import Path

from rclpy.qos import QoSProfile
from rosbags.rosbag2 import Reader
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from instructvla_ros.bags.message_types import type_store
from instructvla_ros.bringup import replay_processes
from instructvla_ros.msg import ActionChunk, SafetyStatus

ROOT = Path(__file__).resolve().parents[2]
BAG = ROOT / "recordings" / "sim_stop"
EVERYTHING = QoSProfile(depth=100)


def test_the_shipped_recording_holds_a_stop_a_reset_an_intervention_and_its_origin() -> None:
    states, interventions = [], 0
    with Reader(BAG) as reader:
        for connection, _, data in reader.messages():
            if connection.topic == "/safety_status":
                status = type_store().deserialize_cdr(data, connection.msgtype)
                states.append(status.state)
                interventions += len(status.interventions)
    stopped = states.index(SafetyStatus.STATE_STOPPED)
    assert SafetyStatus.STATE_MOVING in states[:stopped] and SafetyStatus.STATE_MOVING in states[stopped:]
    assert interventions
    metadata = (BAG / "metadata.yaml").read_text()
    assert "checkpoint sha256" in metadata and "parameters of safety_filter_node" in metadata
    assert sum(path.stat().st_size for path in BAG.iterdir()) < 2_000_000


def test_a_recording_makes_policy_and_filter_work_on_its_own_time_and_moves_no_arm(graph) -> None:
    chunks = graph.collect(ActionChunk, "action_chunk", EVERYTHING)
    statuses = graph.collect(SafetyStatus, "safety_status", EVERYTHING)
    commands = graph.collect(JointTrajectory, "joint_trajectory", EVERYTHING)
    dry = graph.collect(JointTrajectory, "replay/joint_trajectory", EVERYTHING)
    processes = replay_processes(
        "sim",
        str(ROOT / "models" / "tabletop"),
        bag=str(BAG),
        rate=0.4,
        device="cpu",
        threads=1,
        seed=1,
        image_transport="compressed",
        reasoning="never",  # the recorded arm goes its own way from 0.9 s on: the first chunk must come before
    )
    *others, playing = processes
    system = [graph.run(process.name, process.command()) for process in others]
    graph.wait_until(lambda: bool(statuses), "the filter's status: what it does on the recording is to be seen")
    player = graph.run(playing.name, playing.command())
    player.may_end = True
    with Reader(BAG) as reader:
        start, end = reader.start_time / 1e9, reader.end_time / 1e9
    graph.wait_until(lambda: any(chunk.actions for chunk in chunks), "an action chunk")
    graph.wait_until(lambda: any(s.state == SafetyStatus.STATE_MOVING for s in statuses), "the filter to follow it")
    assert graph.call(Trigger, "player_node/pause", Trigger.Request()).success
    assert graph.call(Trigger, "player_node/resume", Trigger.Request()).success
    assert player.wait() == 0, player.output
    assert "late by p50, p95, p99" in player.output
    for chunk in chunks:
        if chunk.actions:
            assert start - 1.0 <= chunk.header.stamp.sec + chunk.header.stamp.nanosec / 1e9 <= end
            assert 0.0 <= chunk.observation_age <= 0.6, "an age on the recording's clock"
    assert dry and not commands
    for process in system:
        assert process.stop() == 0 and "Traceback" not in process.output, process.output


def test_a_recording_that_begins_anew_makes_the_policy_begin_anew_and_nothing_fails(graph) -> None:
    chunks = graph.collect(ActionChunk, "action_chunk", EVERYTHING)
    statuses = graph.collect(SafetyStatus, "safety_status", EVERYTHING)
    processes = replay_processes(
        "sim",
        str(ROOT / "models" / "tabletop"),
        bag=str(BAG),
        loop=True,
        rate=0.5,
        device="cpu",
        threads=1,
        seed=1,
        image_transport="compressed",
        reasoning="never",
    )
    system = [graph.run(process.name, process.command()) for process in processes]

    def stamps() -> list[float]:
        return [c.header.stamp.sec + c.header.stamp.nanosec / 1e9 for c in chunks if c.actions]

    def began_anew() -> int:
        times = stamps()
        return next((i for i, (a, b) in enumerate(zip(times, times[1:], strict=False), 1) if b < a - 1.0), 0)

    graph.wait_until(lambda: began_anew() and len(stamps()) >= began_anew() + 3, "chunks of the second round")
    again = stamps()[began_anew() :]
    assert again == sorted(again), "each chunk of the second round is newer than the one before"
    count = len(statuses)
    graph.wait_until(lambda: len(statuses) > count, "the filter to go on")
    for process in system:
        assert process.alive and process.stop() == 0 and "Traceback" not in process.output, process.output
