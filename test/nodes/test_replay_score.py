# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a recording makes the live policy do is what scoring it offline says, to the bit."""

from pathlib import Path

import numpy as np
import pytest
from rclpy.qos import QoSProfile

from instructvla_ros.bags.reading import Bag
from instructvla_ros.bags.scoring.playback import Inputs, Playback
from instructvla_ros.bags.scoring.recorded import chunk_of, pictures_of, read_recorded, seconds
from instructvla_ros.bags.scoring.references import as_steps
from instructvla_ros.bags.scoring.scores import moments_of
from instructvla_ros.bags.scoring.topics import Given, find_topics
from instructvla_ros.bringup import replay_processes
from instructvla_ros.model.loading import load_for_running
from instructvla_ros.msg import ActionChunk
from instructvla_ros.policy.profile import RobotProfile

ROOT = Path(__file__).resolve().parents[2]
BAG, CHECKPOINT = ROOT / "recordings" / "sim_stop", ROOT / "models" / "tabletop"
SEED = 3


@pytest.mark.parametrize("reasoning", ["never", "always"])
def test_a_recording_in_the_live_graph_gives_the_chunks_that_scoring_it_offline_gives(graph, reasoning: str) -> None:
    published = graph.collect(ActionChunk, "action_chunk", QoSProfile(depth=100))
    processes = replay_processes(
        "sim",
        str(CHECKPOINT),
        bag=str(BAG),
        rate=0.4,
        device="cpu",
        threads=1,
        seed=SEED,
        image_transport="compressed",
        reasoning=reasoning,
    )
    *system, player = [graph.run(process.name, process.command()) for process in processes]
    player.may_end = True
    assert player.wait(120.0) == 0, player.output
    for process in system:
        process.stop()
    live = [chunk_of(message, seconds(message.header.stamp)) for message in published if message.actions]
    assert len(live) >= 5 and len({chunk.stamp for chunk in live}) >= 3
    assert all((chunk.reasoning_stamp is not None) == (reasoning == "always") for chunk in live)

    profile, model = RobotProfile.load("sim"), load_for_running(CHECKPOINT, device="cpu", threads=1)
    with Bag(BAG) as bag:
        topics = find_topics(bag.topics, profile, ("primary",), Given({}))
        recorded = read_recorded(bag, topics, profile)
        recorded.chunks = live
        inputs = Inputs(recorded.joint_times, recorded.joint_states, recorded.spans().instruction_at)
        playback = Playback(model, profile, profile.chain(recorded.urdf), inputs, seed=SEED, reasoning=reasoning)
        looks = list(playback.at_moments(pictures_of(bag, topics, recorded.offset), moments_of(recorded)))
    offline = [look.chunk for look in looks if look.chunk is not None]
    assert [chunk.stamp for chunk in offline] == [chunk.stamp for chunk in live]
    np.testing.assert_array_equal([as_steps(chunk) for chunk in offline], [as_steps(chunk) for chunk in live])
