# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A clumsy arm misses, stays up with empty fingers for a while, and the expert's labels bring it to its end."""

from random import Random

import numpy as np
import pytest

from instructvla_ros.sim.episode import Episode
from instructvla_ros.sim.expert import CARRY_HEIGHT, Truth, holds
from instructvla_ros.sim.splits import TRAIN
from instructvla_ros.training import clumsy
from instructvla_ros.training.clumsy import Clumsy


@pytest.mark.parametrize("verb", ["pick_up", "put_next_to"])
def test_after_a_miss_the_hand_is_up_and_empty_and_the_task_is_still_done(verb, monkeypatch):
    monkeypatch.setattr(clumsy, "_MISS_SHARE", 1.0)
    monkeypatch.setattr(clumsy, "_KICK_SHARE", 0.0)
    monkeypatch.setattr(clumsy, "_NOISES", (0.0,))
    monkeypatch.setattr(clumsy, "_FLIP_CHANCE", 0.0)
    episode = Episode(TRAIN, pictures=False)
    done, was_empty = 0, 0
    for index in range(8):
        episode.reset(TRAIN.seed(index), verb)
        arm = Clumsy(episode.task, Random(index), np.random.default_rng(index))
        empty_up = False
        while True:
            progress = episode.step(arm.action(episode.state(), episode.things))
            state = episode.state()
            held = holds(Truth.of(state), episode.task.target, episode.things[episode.task.target])
            height = state.gripper[2, 3]
            empty_up |= bool(not held and state.opening < 0.2 and 0.05 < height)
            assert height < CARRY_HEIGHT + 0.05
            if progress.over:
                break
        done += progress.success
        was_empty += empty_up
    episode.close()
    assert was_empty >= 3, "some misses close on nothing"
    assert done >= 7, "nearly all of them end well"
