# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Datasets: what is written is read, others can open it, and faults are told."""

from __future__ import annotations

import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from instructvla_ros.training.dataset import DatasetError, DatasetWriter, Demonstration, chunks_of, read_dataset
from instructvla_ros.training.extras import MissingExtraError, import_extra
from instructvla_ros.training.frames import statistics_of


def test_what_is_written_is_read(tmp_path, toy_frames, dataset):
    writer = DatasetWriter(tmp_path / "new", ("front",), 5.0, "toy", (64, 48))
    writer.add(Demonstration("reach the red cube", toy_frames))
    (read,) = read_dataset(tmp_path / "new", 4)
    assert read.task == "reach the red cube" and len(read.frames) == len(toy_frames)
    for ours, theirs in zip(read.frames, toy_frames, strict=True):
        assert ours.pictures == theirs.pictures and ours.facts == theirs.facts and ours.opening == theirs.opening
        np.testing.assert_allclose(ours.state, theirs.state)
        np.testing.assert_allclose(ours.spots, theirs.spots, atol=1e-4)
        assert [label.intent for label in ours.labels] == [label.intent for label in theirs.labels]
        for one, other in zip(ours.labels, theirs.labels, strict=True):
            np.testing.assert_allclose(one.chunk, other.chunk, atol=1e-5)


def test_anything_that_reads_parquet_sees_lerobots_columns(dataset):
    parquet = pytest.importorskip("pyarrow.parquet")
    info = json.loads((dataset / "meta" / "info.json").read_text())
    assert info["codebase_version"] == "v2.1" and info["fps"] == 5.0
    file = dataset / info["data_path"].format(episode_chunk=0, episode_index=3)
    table = parquet.read_table(file).to_pydict()
    assert set(table) == set(info["features"])
    assert table["index"] == list(range(18, 24)) and table["episode_index"] == [3] * 6
    np.testing.assert_allclose(table["timestamp"], np.arange(6) / 5.0, rtol=1e-6)
    picture = Image.open(io.BytesIO(table["observation.images.front"][0]["bytes"]))
    assert picture.size == (64, 48)
    assert info["features"]["observation.state"]["shape"] == [8] and len(table["observation.state"][0]) == 8
    for name in ("tasks", "episodes", "episodes_stats"):
        rows = (dataset / "meta" / f"{name}.jsonl").read_text().splitlines()
        assert len(rows) == (1 if name == "tasks" else 12)


def test_a_dataset_without_annotations_gives_its_actions_as_chunks(dataset, tmp_path):
    shutil.copytree(dataset, tmp_path / "plain")
    shutil.rmtree(tmp_path / "plain" / "annotations")
    plain = next(read_dataset(tmp_path / "plain", 4))
    whole = next(read_dataset(dataset, 4))
    actions = [frame.labels[0].chunk[0] for frame in whole.frames]
    for index, frame in enumerate(plain.frames):
        (label,) = frame.labels
        assert label.instruction == "reach the red cube" and frame.facts is None
        assert label.chunk.shape == (4, 7)
        np.testing.assert_allclose(label.chunk[0], actions[index], atol=1e-5)
        if index + 1 < len(actions):
            np.testing.assert_allclose(label.chunk[1], actions[index + 1], atol=1e-5)


def test_beyond_the_end_of_an_episode_nothing_moves_and_the_gripper_stays():
    actions = np.array([[1, 1, 1, 0, 0, 0, 1], [2, 2, 2, 0, 0, 0, 0.5]], dtype=np.float32)
    chunks = chunks_of(actions, 3)
    np.testing.assert_array_equal(chunks[1, 0], actions[1])
    np.testing.assert_array_equal(chunks[1, 1:], [[0, 0, 0, 0, 0, 0, 0.5]] * 2)


def test_percentiles_leave_out_what_hardly_varies(toy_frames):
    statistics = statistics_of(toy_frames)
    assert statistics["action"]["mask"] == [True] * 6 + [False]
    low, high = statistics["action"]["q01"], statistics["action"]["q99"]
    assert low[3:6] == high[3:6] == [0.0, 0.0, 0.0] and high[1] > low[1]
    assert statistics["proprio"]["q01"][3] == statistics["proprio"]["q99"][3]


def test_faults_of_a_dataset_are_told(dataset, tmp_path, toy_frames):
    with pytest.raises(DatasetError, match="has no meta/info.json"):
        next(read_dataset(tmp_path, 4))
    with pytest.raises(DatasetError, match="has the cameras front, not wrist"):
        next(read_dataset(dataset, 4, ("wrist",)))
    with pytest.raises(DatasetError, match="chunks of 4 actions; the model needs 8"):
        next(read_dataset(dataset, 8))
    with pytest.raises(DatasetError, match="is not empty"):
        DatasetWriter(dataset, ("front",), 5.0, "toy", (64, 48))
    with pytest.raises(DatasetError, match="no frame at all"):
        DatasetWriter(tmp_path / "new", ("front",), 5.0, "toy", (64, 48)).add(Demonstration("nothing", []))
    broken = tmp_path / "broken"
    shutil.copytree(dataset, broken)
    (broken / "data" / "chunk-000" / "episode_000000.parquet").unlink()
    with pytest.raises(DatasetError, match="is missing, but .* counts 12 episodes"):
        next(read_dataset(broken, 4))


def test_a_missing_package_says_what_to_install():
    with pytest.raises(MissingExtraError, match="no_such_package is needed to fly .* requirements/training.txt"):
        import_extra("no_such_package", "to fly")
