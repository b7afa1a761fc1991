# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether words say where a held thing is carried: the scripted expert carries it, the model is asked at each frame.

    python bench/carrying.py [RUN_DIR] [--episodes 30] [--noises 4]

At each frame with the thing in the hand, and for each other thing that it could be put next to, the end of the model's
chunk (mean over noises) is compared with the end of the expert's. Pairs are two such things of one frame whose ends lie
apart: in a pair the model is right where its end is nearer to that of the thing it was told.
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from bench.support.hardware import hardware  # noqa: E402
from instructvla_ros.model import InstructVLA  # noqa: E402
from instructvla_ros.sim.episode import Episode  # noqa: E402
from instructvla_ros.sim.expert import Truth, expert_action, holds  # noqa: E402
from instructvla_ros.sim.expert_chunk import expert_chunk  # noqa: E402
from instructvla_ros.sim.splits import HELD_OUT_LAYOUTS  # noqa: E402
from instructvla_ros.sim.tasks import feasible_tasks  # noqa: E402

_VERB = "put_next_to"
_DATASET = "sim"
_APART = 0.06  # [m] between the ends of a pair
_PICTURE = (480, 480)  # [px] as the simulated camera publishes


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Whether words say where a held thing is carried.")
    parser.add_argument("run_dir", nargs="?", type=Path, default=REPOSITORY / "models" / "tabletop")
    parser.add_argument("--episodes", type=int, default=30, help="of the scripted expert (default: 30)")
    parser.add_argument("--noises", type=int, default=4, help="chunks of each command (default: 4)")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    model = InstructVLA.from_pretrained(arguments.run_dir).fuse()
    random = np.random.default_rng(0)
    noises = random.standard_normal((arguments.noises, model.chunk_length, model.action_size)).astype(np.float32)
    errors: list[float] = []
    spreads: list[float] = []
    pairs: list[bool] = []
    episode = Episode(HELD_OUT_LAYOUTS, picture=_PICTURE)
    for index in tqdm(range(arguments.episodes), disable=None):
        episode.reset(HELD_OUT_LAYOUTS.seed(index), _VERB)
        target = episode.task.target
        tasks = [task for task in feasible_tasks(episode.scene, _VERB) if task.target == target]
        while True:
            state = episode.state()
            if holds(Truth.of(state), target, episode.things[target]):
                observation = episode.observe()
                wanted, meant = [], []
                for task in tasks:
                    chunks = [
                        model.act(
                            [observation.front], task.phrase, observation.proprioception, noise=noise, dataset=_DATASET
                        ).actions
                        for noise in noises
                    ]
                    ends = np.array([chunk[:, :3].sum(axis=0) for chunk in chunks])  # (noises, 3)
                    expert = expert_chunk(task, state, episode.things, model.chunk_length)
                    wanted.append(expert[:, :3].sum(axis=0))
                    meant.append(ends.mean(axis=0))
                    errors.append(float(np.linalg.norm(meant[-1] - wanted[-1])))
                    spreads.append(float(np.linalg.norm(ends.std(axis=0))))
                for told, other in permutations(range(len(tasks)), 2):
                    if np.linalg.norm(wanted[told] - wanted[other]) > _APART:
                        away = [np.linalg.norm(meant[told] - wanted[place]) for place in (told, other)]
                        pairs.append(bool(away[0] < away[1]))
            if episode.step(expert_action(episode.task, state, episode.things)).over:
                break
    episode.close()
    p50, p95, p99 = np.percentile(1e3 * np.array(errors), (50, 95, 99))
    print(hardware())
    print(f"{arguments.run_dir}: {len(errors)} commands, {len(pairs)} pairs, {arguments.episodes} episodes")
    print(f"chunk's end off by {p50:.0f} mm (p50), {p95:.0f} mm (p95), {p99:.0f} mm (p99); ", end="")
    print(f"spread over noises {1e3 * np.median(spreads):.0f} mm (p50)")
    print(f"nearer to where it was told: {np.mean(pairs):.0%} of the pairs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
