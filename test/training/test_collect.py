# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Demonstrations: labels of several things, spots where the things are seen, the same again from the same seed."""

from __future__ import annotations

import json
from random import Random

import numpy as np
import pytest

from instructvla_ros.sim.episode import Episode
from instructvla_ros.sim.rendering import RenderingUnavailableError, choose_backend
from instructvla_ros.sim.splits import TRAIN
from instructvla_ros.sim.tasks import feasible_tasks
from instructvla_ros.training.collect import (
    CAMERA_SIZE,
    CHUNK_LENGTH,
    PICTURE_SIZE,
    CollectSettings,
    _other_tasks,
    collect,
    demonstrate,
)
from instructvla_ros.training.dataset import read_dataset
from instructvla_ros.training.language.words import COLORS, SHAPES, TASKS

try:
    choose_backend()
except RenderingUnavailableError as error:
    pytest.skip(str(error), allow_module_level=True)


@pytest.fixture(scope="module")
def demonstrations():
    episode = Episode(TRAIN, picture=CAMERA_SIZE)
    made = [demonstrate(episode, seed, CollectSettings()) for seed in range(4)]
    again = demonstrate(episode, 0, CollectSettings())
    episode.close()
    return made, again


def test_every_frame_has_labels_for_several_tasks_and_things(demonstrations):
    frames = [frame for demonstration in demonstrations[0] for frame in demonstration.frames]
    assert all(len(frame.labels) == 6 for frame in frames)
    assert np.mean([len({label.intent.target for label in frame.labels}) for frame in frames]) > 1.8
    assert np.mean([len({label.intent.task for label in frame.labels}) for frame in frames]) > 2.5
    for frame in frames:
        for label in frame.labels:
            assert label.chunk.shape == (CHUNK_LENGTH, 7) and np.isfinite(label.chunk).all()
            assert label.intent.task in TASKS and 0 <= label.intent.target < len(frame.facts.things)
        for thing in frame.facts.things:
            assert thing.color in COLORS and thing.shape in SHAPES


def test_what_is_held_is_also_carried_to_another_place_than_the_demonstrated_one_where_there_is_one():
    episode = Episode(TRAIN, pictures=False)
    had_a_choice = 0
    for seed in range(10):
        episode.reset(seed, "put_next_to")
        held = episode.task.target
        elsewhere = [task for task in feasible_tasks(episode.scene, "put_next_to") if task.target == held]
        elsewhere.remove(episode.task)
        first = next(_other_tasks(episode, held, Random(seed), 5))
        assert first in (elsewhere or [episode.task])
        had_a_choice += bool(elsewhere)
    assert had_a_choice > 5


def test_spots_are_where_things_are_seen(demonstrations):
    """At the first frame, with the hand away, the pixel at the spot has the thing's colour rather than the table's."""
    hits = []
    for demonstration in demonstrations[0]:
        frame = demonstration.frames[0]
        (picture,) = frame.images()
        height, width = picture.shape[:2]
        assert (width, height) == PICTURE_SIZE
        for thing, (across, down) in zip(frame.facts.things, frame.spots, strict=True):
            assert 0.0 <= across < 1.0 and 0.0 <= down < 1.0
            red, green, blue = (int(value) for value in picture[int(down * height), int(across * width)])
            looks = {
                "red": red > green + 40 and red > blue + 40,
                "green": green > red and green > blue,
                "blue": blue > red and blue > green,
                "yellow": red > blue + 40 and green > blue + 30,
                "orange": red > blue + 50 and red > green + 20,
                "purple": red > green and blue > green,
            }
            hits.append(looks[thing.color])
    assert np.mean(hits) > 0.8


def test_the_same_seed_gives_the_same_demonstration(demonstrations):
    first, again = demonstrations[0][0], demonstrations[1]
    assert first.task == again.task and len(first.frames) == len(again.frames)
    for one, other in zip(first.frames, again.frames, strict=True):
        np.testing.assert_allclose(one.state, other.state)
        assert [label.intent for label in one.labels] == [label.intent for label in other.labels]


def test_collected_demonstrations_are_a_dataset(tmp_path):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install -r requirements/training.txt")
    assert collect(tmp_path / "dataset", minutes=1.0, episodes=2, workers=1) == 2
    read = list(read_dataset(tmp_path / "dataset", 8))
    info = json.loads((tmp_path / "dataset" / "meta" / "info.json").read_text())
    assert len(read) == 2 and info["total_frames"] == sum(len(demonstration.frames) for demonstration in read)
    assert "2 episodes" in (tmp_path / "dataset" / "README.md").read_text()
    assert not list(tmp_path.glob("*.part*"))
