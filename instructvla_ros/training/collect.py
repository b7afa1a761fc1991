# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Demonstrations from the scripted expert on the simulated table, written as a dataset.

    python -m instructvla_ros.training.collect DATASET --minutes 8 --workers 2

The arm is clumsy (:mod:`instructvla_ros.training.clumsy`), so that pictures show what going wrong looks like; the
labels stay what the expert would do there. Each frame gets labels for several tasks, about several things:
with the demonstrated one alone a model learns where the hand is going, not what was said.
"""

import argparse
import json
import multiprocessing
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from instructvla_ros.sim.episode import Episode
from instructvla_ros.sim.expert import CONTROL_PERIOD
from instructvla_ros.sim.expert_chunk import expert_chunk
from instructvla_ros.sim.splits import TRAIN, Split
from instructvla_ros.sim.tasks import VERBS, TableState, Task, feasible_tasks
from instructvla_ros.training.clumsy import Clumsy
from instructvla_ros.training.dataset import DatasetWriter, Demonstration, read_dataset
from instructvla_ros.training.extras import import_extra
from instructvla_ros.training.frames import Frame, Label, encode_picture
from instructvla_ros.training.language.commands import Intent
from instructvla_ros.training.language.facts import Facts, Thing

VIEW = "front"
CAMERA_SIZE = (480, 480)  # [px] as the simulated camera publishes: drawn smaller, edges would look different
PICTURE_SIZE = (256, 256)  # [px] as stored
CHUNK_LENGTH = 16
_VERB_SHARES = {"reach": 2, "touch": 2, "push_left": 3, "push_right": 3, "pick_up": 5, "put_next_to": 5}
_FRAMES_AFTER = (2, 6)  # once the task is done: that the hand stays as it is must be seen too
_LONGEST = 44  # frames of an episode: "put next to" takes the expert 20 without noise, and a miss another 15


@dataclass(frozen=True)
class CollectSettings:
    """How demonstrations are made.

    Attributes:
        labels: of each frame: what is done, and others.
        smooth_edges: whether pictures are drawn with four samples a pixel.
        shadow_share: of the episodes that are drawn with shadows.
    """

    labels: int = 6
    smooth_edges: bool = False
    shadow_share: float = 0.15


def demonstrate(episode: Episode, seed: int, settings: CollectSettings) -> Demonstration:
    """Let the expert do one task, with noise.

    Args:
        episode: where; it is reset.
        seed: of the split's scenes; decides everything.
        settings: how.
    """
    random = Random(seed)
    verb = random.choices(list(_VERB_SHARES), list(_VERB_SHARES.values()))[0]
    episode.reset(seed, verb)
    clumsy = Clumsy(episode.task, random, np.random.default_rng(seed))
    frames: list[Frame] = []
    left = None
    while len(frames) < _LONGEST and left != 0:
        state = episode.state()
        frames.append(_frame(episode, state, random, settings.labels))
        progress = episode.step(clumsy.action(state, episode.things))
        if progress.success and left is None:
            left = random.randint(*_FRAMES_AFTER)
        elif left is not None:
            left -= 1
    return Demonstration(episode.task.phrase, frames)


def _frame(episode: Episode, state: TableState, random: Random, count: int) -> Frame:
    observation = episode.observe()
    assert observation.front is not None
    names = list(episode.things)
    things = [episode.things[name] for name in names]
    places = np.array([state.objects[name][:3, 3] for name in names])  # (n, 3)
    width, height = PICTURE_SIZE
    spots = episode.table_top.project(VIEW, places, width, height)[:, :2] / np.array([width, height])
    held = next((index for index, name in enumerate(names) if _is_held(state, name, places[index])), None)
    facts = Facts(
        tuple(
            Thing(thing.color, thing.shape, (round(x, 4), round(y, 4), round(z, 4)))
            for thing, (x, y, z) in zip(things, places.tolist(), strict=True)
        ),
        held,
    )
    tasks = [episode.task, *_other_tasks(episode, None if held is None else names[held], random, count - 1)]
    labels = tuple(_label(task, state, episode, names) for task in tasks)
    return Frame(
        pictures=(encode_picture(_reduced(observation.front)),),
        state=observation.proprioception.astype(np.float32),
        opening=round(float(observation.opening), 4),
        labels=labels,
        facts=facts,
        spots=spots.astype(np.float32),
    )


def _reduced(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize(PICTURE_SIZE, Image.Resampling.BICUBIC))


def _other_tasks(episode: Episode, held: str | None, random: Random, count: int) -> Iterator[Task]:
    """Half of them about the same thing, so that it is told apart what is to be done with it; the rest about any.

    With something in the hand the first is to put it elsewhere: were it only ever carried to where the hand is going,
    the words that say whereto need not be read.
    """
    for index in range(count):
        if held is not None and index == 0:
            tasks = feasible_tasks(episode.scene, "put_next_to")
            tasks = [task for task in tasks if task.target == held and task != episode.task]
        else:
            tasks = feasible_tasks(episode.scene, random.choice(list(VERBS)))
            if index % 3 == 0:
                tasks = [task for task in tasks if task.target == episode.task.target]
        yield random.choice(tasks) if tasks else episode.task


def _label(task: Task, state: TableState, episode: Episode, names: list[str]) -> Label:
    chunk = expert_chunk(task, state, episode.things, CHUNK_LENGTH).astype(np.float32)
    other = names.index(task.reference) if task.reference is not None else None
    return Label(chunk, Intent(task.verb, names.index(task.target), other))


def _is_held(state: TableState, name: str, place: np.ndarray) -> bool:
    near = float(np.linalg.norm(place - state.gripper[:3, 3])) < 0.03
    return name in state.touched and near and 0.05 < state.opening < 0.9


def _work(arguments: tuple[Path, int, int, float, int, CollectSettings, Split]) -> tuple[Path, int]:
    folder, worker, workers, seconds, most, settings, split = arguments
    writer = DatasetWriter(folder, (VIEW,), 1.0 / CONTROL_PERIOD, "instructvla_ros table-top arm", PICTURE_SIZE)
    started, count = time.monotonic(), 0
    episodes = {
        shadows: Episode(split, picture=CAMERA_SIZE, smooth_edges=settings.smooth_edges, shadows=shadows)
        for shadows in (False, True)
    }
    tqdm = import_extra("tqdm", "to show progress").tqdm
    bar = tqdm(total=int(seconds), unit="s", desc="demonstrations", disable=worker != 0)
    for index in range(worker, most, workers):
        elapsed = time.monotonic() - started
        bar.n = min(int(elapsed), int(seconds))
        bar.set_postfix(episodes=count * workers)
        if elapsed > seconds:
            break
        shadows = Random(index).random() < settings.shadow_share
        writer.add(demonstrate(episodes[shadows], split.seed(index), settings))
        count += 1
    bar.close()
    for episode in episodes.values():
        episode.close()
    return folder, count


def collect(
    folder: Path,
    minutes: float,
    episodes: int = 1_000_000,
    workers: int = 2,
    settings: CollectSettings | None = None,
    split: Split = TRAIN,
) -> int:
    """Fill a dataset with demonstrations.

    Args:
        folder: of the dataset.
        minutes: after which no further episode is begun.
        episodes: at most.
        workers: processes.
        settings: how demonstrations are made.
        split: where the scenes come from.

    Returns:
        How many episodes there are.
    """
    settings = settings or CollectSettings()
    parts = [folder.with_name(f"{folder.name}.part{index}") for index in range(workers)]
    for part in parts:
        shutil.rmtree(part, ignore_errors=True)
    most = min(episodes, len(split.seeds))
    jobs = [(part, index, workers, 60.0 * minutes, most, settings, split) for index, part in enumerate(parts)]
    if workers == 1:
        counts = [_work(jobs[0])]
    else:
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            counts = pool.map(_work, jobs)
    writer = DatasetWriter(folder, (VIEW,), 1.0 / CONTROL_PERIOD, "instructvla_ros table-top arm", PICTURE_SIZE)
    for part, count in counts:
        for demonstration in read_dataset(part, CHUNK_LENGTH) if count else ():
            writer.add(demonstration)
        shutil.rmtree(part)
    total = sum(count for _, count in counts)
    (folder / "README.md").write_text(_README.format(count=total, split=split.name), encoding="utf-8")
    return total


_README = """# Demonstrations of the simulated table-top arm

{count} episodes of the scripted expert, scenes of the split "{split}", in LeRobot's layout (v2.1). `action` is what the
expert would do at each frame; what was executed had noise on it. `annotations/` holds what lies on the table and
further tasks with their action chunks.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Collect demonstrations from the command line."""
    parser = argparse.ArgumentParser(description="Demonstrations from the scripted expert, in LeRobot's layout.")
    parser.add_argument("dataset", type=Path, help="folder to write")
    parser.add_argument("--minutes", type=float, default=8.0, help="how long to collect (default: 8)")
    parser.add_argument("--episodes", type=int, default=1_000_000, help="at most (default: as many as there is time)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    arguments = parser.parse_args(argv)
    count = collect(arguments.dataset, arguments.minutes, arguments.episodes, arguments.workers)
    info = json.loads((arguments.dataset / "meta" / "info.json").read_text(encoding="utf-8"))
    print(f"{count} episodes, {info['total_frames']} frames in {arguments.dataset}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
