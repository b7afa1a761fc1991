# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Demonstrations on disk, in the layout of LeRobot datasets (v2.1), with what more is known beside it.

    meta/info.json, tasks.jsonl, episodes.jsonl, episodes_stats.jsonl
    data/chunk-000/episode_000000.parquet      pictures (JPEG), state, action, times and indices, one row a frame
    annotations/chunk-000/episode_000000.jsonl what lies on the table, further tasks with their chunks, questions

Everything but ``annotations/`` is as LeRobot has it: its tools, and anything that reads Parquet, can open it.
Datasets without annotations are read too: their actions become chunks, their tasks instructions.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from instructvla_ros.training.extras import import_extra
from instructvla_ros.training.frames import (
    Frame,
    Label,
    facts_from_json,
    facts_to_json,
    label_from_json,
    label_to_json,
)

VERSION = "v2.1"
EPISODES_A_CHUNK = 1000
STATE, ACTION, PICTURE = "observation.state", "action", "observation.images."
_EPISODE = "chunk-{chunk:03d}/episode_{episode:06d}"


class DatasetError(RuntimeError):
    """A dataset cannot be read or written; the message names the file and what is wrong with it."""


@dataclass(frozen=True, eq=False)
class Demonstration:
    """One episode.

    Attributes:
        task: what was done, in plain words.
        frames: its instants, evenly spaced; the first label of each is what was done.
    """

    task: str
    frames: Sequence[Frame]


class DatasetWriter:
    """Writes episodes one after the other.

    Args:
        folder: of the dataset; must not exist, or be empty.
        views: names of the cameras.
        rate: of the frames [Hz].
        robot: name of the robot.
        picture_size: width and height of the pictures [px].

    Raises:
        DatasetError: if something is in the folder already.
    """

    def __init__(
        self, folder: Path, views: Sequence[str], rate: float, robot: str, picture_size: tuple[int, int]
    ) -> None:
        if folder.exists() and any(folder.iterdir()):
            raise DatasetError(f"{folder} is not empty: choose another folder, or remove it")
        self._arrow = import_extra("pyarrow", "to write datasets")
        self._parquet = import_extra("pyarrow.parquet", "to write datasets")
        self._folder, self._views, self._rate = folder, tuple(views), rate
        self._robot, self._size = robot, picture_size
        self._tasks: dict[str, int] = {}
        self._episodes = self._frames = 0
        self._shapes = (0, 0)
        (folder / "meta").mkdir(parents=True, exist_ok=True)
        self._write_info()

    def add(self, demonstration: Demonstration) -> None:
        """Write an episode.

        Raises:
            DatasetError: if it has no frames, or one of them no label.
        """
        frames = demonstration.frames
        if not frames or not all(frame.labels for frame in frames):
            raise DatasetError(f"the episode {demonstration.task!r} has a frame without an action, or no frame at all")
        is_new = demonstration.task not in self._tasks
        task = self._tasks.setdefault(demonstration.task, len(self._tasks))
        if is_new:
            self._append("tasks.jsonl", {"task_index": task, "task": demonstration.task})
        states = np.stack([frame.state for frame in frames]).astype(np.float32)
        actions = np.stack([frame.labels[0].chunk[0] for frame in frames]).astype(np.float32)
        self._shapes = (states.shape[1], actions.shape[1])
        self._write_rows(frames, states, actions, task)
        name = _EPISODE.format(chunk=self._episodes // EPISODES_A_CHUNK, episode=self._episodes)
        file = self._folder / "annotations" / f"{name}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(_annotations(frame)) + "\n" for frame in frames), encoding="utf-8")
        row = {"episode_index": self._episodes, "tasks": [demonstration.task], "length": len(frames)}
        self._append("episodes.jsonl", row)
        stats = {STATE: _stats(states), ACTION: _stats(actions)}
        self._append("episodes_stats.jsonl", {"episode_index": self._episodes, "stats": stats})
        self._episodes += 1
        self._frames += len(frames)
        self._write_info()

    def _write_rows(self, frames: Sequence[Frame], states: np.ndarray, actions: np.ndarray, task: int) -> None:
        arrow, count = self._arrow, len(frames)
        picture = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
        columns: dict[str, Any] = {}
        for index, view in enumerate(self._views):
            rows = [
                {"bytes": frame.pictures[index], "path": f"frame_{number:06d}.jpg"}
                for number, frame in enumerate(frames)
            ]
            columns[PICTURE + view] = arrow.array(rows, type=picture)
        for key, values in ((STATE, states), (ACTION, actions)):
            columns[key] = arrow.array(values.tolist(), type=arrow.list_(arrow.float32(), values.shape[1]))
        numbers = np.arange(count)
        columns["timestamp"] = arrow.array((numbers / self._rate).astype(np.float32))
        columns["frame_index"] = arrow.array(numbers)
        columns["episode_index"] = arrow.array(np.full(count, self._episodes))
        columns["index"] = arrow.array(numbers + self._frames)
        columns["task_index"] = arrow.array(np.full(count, task))
        name = _EPISODE.format(chunk=self._episodes // EPISODES_A_CHUNK, episode=self._episodes)
        file = self._folder / "data" / f"{name}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        self._parquet.write_table(arrow.table(columns), file)

    def _write_info(self) -> None:
        width, height = self._size
        names = ["height", "width", "channel"]
        features: dict[str, Any] = {
            PICTURE + view: {"dtype": "image", "shape": [height, width, 3], "names": names} for view in self._views
        }
        for key, size in zip((STATE, ACTION), self._shapes, strict=True):
            features[key] = {"dtype": "float32", "shape": [size], "names": None}
        features["timestamp"] = {"dtype": "float32", "shape": [1], "names": None}
        for key in ("frame_index", "episode_index", "index", "task_index"):
            features[key] = {"dtype": "int64", "shape": [1], "names": None}
        info = {
            "codebase_version": VERSION,
            "robot_type": self._robot,
            "total_episodes": self._episodes,
            "total_frames": self._frames,
            "total_tasks": len(self._tasks),
            "total_videos": 0,
            "total_chunks": -(-self._episodes // EPISODES_A_CHUNK),
            "chunks_size": EPISODES_A_CHUNK,
            "fps": self._rate,
            "splits": {"train": f"0:{self._episodes}"},
            "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
            "video_path": None,
            "features": features,
        }
        (self._folder / "meta" / "info.json").write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")

    def _append(self, name: str, row: dict[str, Any]) -> None:
        with (self._folder / "meta" / name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def read_dataset(folder: Path, chunk_length: int, views: Sequence[str] | None = None) -> Iterator[Demonstration]:
    """Read a dataset, episode by episode.

    Args:
        folder: of the dataset.
        chunk_length: actions of a chunk; chunks that are stored longer are cut, those made of a dataset's actions
            repeat the last gripper and no motion beyond the end of an episode.
        views: names of the cameras in the model's order; all of the dataset in its own order if None.

    Raises:
        DatasetError: if files are missing or say something else than they should.
    """
    parquet = import_extra("pyarrow.parquet", "to read datasets")
    info_file = folder / "meta" / "info.json"
    if not info_file.is_file():
        raise DatasetError(f"{folder} is no LeRobot dataset: it has no meta/info.json")
    info = json.loads(info_file.read_text(encoding="utf-8"))
    features = info.get("features", {})
    known = [key.removeprefix(PICTURE) for key in features if key.startswith(PICTURE)]
    chosen = list(known if views is None else views)
    missing = [view for view in chosen if view not in known]
    if missing or not chosen:
        raise DatasetError(f"{info_file} has the cameras {', '.join(known) or 'none'}, not {', '.join(missing)}")
    videos = [view for view in chosen if features[PICTURE + view]["dtype"] == "video"]
    if videos:
        raise DatasetError(
            f"{info_file} keeps the camera {videos[0]} as video; store pictures in the Parquet files (dtype image)"
        )
    tasks = {row["task_index"]: row["task"] for row in _lines(folder / "meta" / "tasks.jsonl")}
    for episode in range(info["total_episodes"]):
        place = {"episode_chunk": episode // info.get("chunks_size", EPISODES_A_CHUNK), "episode_index": episode}
        file = folder / info["data_path"].format(**place)
        if not file.is_file():
            raise DatasetError(f"{file} is missing, but {info_file} counts {info['total_episodes']} episodes")
        table = parquet.read_table(file).to_pydict()
        name = _EPISODE.format(chunk=place["episode_chunk"], episode=episode)
        notes_file = folder / "annotations" / f"{name}.jsonl"
        notes = _lines(notes_file) if notes_file.is_file() else []
        task = tasks[table["task_index"][0]]
        yield Demonstration(task, _frames(table, chosen, notes, task, chunk_length, file))


def chunks_of(actions: np.ndarray, length: int) -> np.ndarray:
    """Chunks ``(T, length, 7)`` of an episode's actions ``(T, 7)``; beyond its end nothing moves."""
    rest = np.zeros((length - 1, actions.shape[1]), dtype=actions.dtype)
    rest[:, -1] = actions[-1, -1]
    padded = np.concatenate((actions, rest))
    return np.stack([padded[start : start + length] for start in range(len(actions))])


def _frames(
    table: dict[str, list[Any]],
    views: Sequence[str],
    notes: list[dict[str, Any]],
    task: str,
    chunk_length: int,
    file: Path,
) -> list[Frame]:
    states = np.array(table[STATE], dtype=np.float32)
    count = len(states)
    if notes and len(notes) != count:
        raise DatasetError(f"{file} has {count} frames, but its annotations have {len(notes)}")
    own = None if notes else chunks_of(np.array(table[ACTION], dtype=np.float32), chunk_length)
    frames: list[Frame] = []
    for index in range(count):
        pictures = tuple(table[PICTURE + view][index]["bytes"] for view in views)
        if own is not None:
            frames.append(Frame(pictures, states[index], None, (Label(own[index], instruction=task),)))
            continue
        note = notes[index]
        facts, spots = facts_from_json(note["facts"]) if note.get("facts") else (None, None)
        labels = tuple(_cut(label_from_json(label), chunk_length, file) for label in note["labels"])
        exchanges = tuple((question, answer) for question, answer in note.get("exchanges", ()))
        frames.append(Frame(pictures, states[index], note.get("opening"), labels, facts, spots, exchanges))
    return frames


def _cut(label: Label, length: int, file: Path) -> Label:
    if len(label.chunk) < length:
        raise DatasetError(f"{file} holds chunks of {len(label.chunk)} actions; the model needs {length}")
    return Label(label.chunk[:length], label.intent, label.instruction, label.reasoning)


def _annotations(frame: Frame) -> dict[str, Any]:
    note: dict[str, Any] = {"opening": frame.opening, "labels": [label_to_json(label) for label in frame.labels]}
    if frame.facts is not None and frame.spots is not None:
        note["facts"] = facts_to_json(frame.facts, frame.spots)
    if frame.exchanges:
        note["exchanges"] = [list(exchange) for exchange in frame.exchanges]
    return note


def _stats(values: np.ndarray) -> dict[str, list[float]]:
    return {
        "min": values.min(axis=0).astype(float).tolist(),
        "max": values.max(axis=0).astype(float).tolist(),
        "mean": values.mean(axis=0).astype(float).tolist(),
        "std": values.std(axis=0).astype(float).tolist(),
        "count": [len(values)],
    }


def _lines(file: Path) -> list[dict[str, Any]]:
    if not file.is_file():
        raise DatasetError(f"{file} is missing")
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
