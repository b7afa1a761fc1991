# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a recording makes the live policy do is what scoring it offline says, to the bit."""

from pathlib import Path

import numpy as np
from rclpy.qos import QoSProfile

from instructvla_ros.bags.reading import Bag
from instructvla_ros.bags.scoring.playback import Inputs, Playback
from instructvla_ros.bags.scoring.recorded import chunk_of, pictures_of, read_recorded
from instructvla_ros.bags.scoring.references import as_steps
from instructvla_ros.bags.scoring.scores import moments_of
from instructvla_ros.bags.scoring.topics import Given, find_topics
from instructvla_ros.bringup import replay_processes
from instructvla_ros.model.loading import load_for_running
from instructvla_ros.msg import ActionChunk as ActionChunkMessage
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.robot.action_chunk import ActionChunk
from instructvla_ros.stamps import seconds

ROOT = Path(__file__).resolve().parents[2]
BAG, CHECKPOINT = ROOT / "recordings" / "sim_stop", ROOT / "models" / "tabletop"
SEED, REASONING = 3, "always"


def test_a_recording_in_the_live_graph_gives_the_chunks_that_scoring_it_offline_gives(graph) -> None:
    published = graph.collect(ActionChunkMessage, "action_chunk", QoSProfile(depth=100))
    processes = replay_processes(
        "sim",
        str(CHECKPOINT),
        bag=str(BAG),
        rate=0.4,
        device="cpu",
        threads=1,
        seed=SEED,
        image_transport="compressed",
        reasoning=REASONING,
    )
    *others, playing = processes
    system = [graph.run(process.name, process.command()) for process in others]
    graph.wait_until(lambda: graph.node.count_publishers("action_chunk") == 1, "the policy's chunks to be in sight")
    player = graph.run(playing.name, playing.command())
    player.may_end = True
    assert player.wait(120.0) == 0, player.output
    for process in system:
        process.stop()
    told = "\n".join(process.output for process in (*system, player))
    live = whole([chunk_of(message, seconds(message.header.stamp)) for message in published if message.actions])
    assert len(live) >= 5 and len({chunk.stamp for chunk in live}) >= 3, told
    assert all(chunk.reasoning_stamp is not None for chunk in live)

    profile, model = RobotProfile.load("sim"), load_for_running(CHECKPOINT, device="cpu", threads=1)
    with Bag(BAG) as bag:
        topics = find_topics(bag.topics, profile, ("primary",), Given({}))
        recorded = read_recorded(bag, topics, profile)
        recorded.chunks = live
        inputs = Inputs(recorded.joint_times, recorded.joint_states, recorded.spans().instruction_at)
        playback = Playback(model, profile, profile.chain(recorded.urdf), inputs, seed=SEED, reasoning=REASONING)
        pictures = pictures_of(bag, topics, profile, recorded.offset)
        offline = [look for look in playback.at_moments(pictures, moments_of(recorded)) if look.chunk is not None]
    assert [look.stamp for look in offline] == [chunk.stamp for chunk in live]
    assert [look.joint_state.stamp for look in offline] == [chunk.joint_state_stamp for chunk in live]
    unequal = [look.time for look, chunk in zip(offline, live, strict=True) if not same(look.chunk, chunk)]
    assert not unequal, f"{len(unequal)} of {len(live)} chunks differ, from {unequal[0]} s on"


def same(one: ActionChunk, other: ActionChunk) -> bool:
    return bool(np.array_equal(as_steps(one), as_steps(other)))


def whole(chunks: list[ActionChunk]) -> list[ActionChunk]:
    """Those of the first epoch before one that was not heard: the ones after it are averaged with what is not known."""
    sequences = [(chunk.epoch, chunk.sequence) for chunk in chunks]
    expected = [(chunks[0].epoch, 1 + index) for index in range(len(chunks))]
    count = next((i for i, pair in enumerate(zip(sequences, expected, strict=True)) if pair[0] != pair[1]), len(chunks))
    return chunks[:count]
