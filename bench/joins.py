#!/usr/bin/env python3
# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How chunks join while the arm moves, by execution mode and inference time.

    python bench/joins.py [RUN_DIR] [--episodes 10] [--latencies 0.05 0.2 0.4] [--verbs reach pick_up]

The simulated arm with the safety filter, in the simulator's time: a chunk comes so much later than its observation as
the inference is said to take, whatever it takes here. All modes see the same scenes and instructions.

Jump: by how much the commanded gripper point departs within one filter tick (10 ms) from going on as it went, at the
tick that a new chunk takes over; beside it the same of all other ticks. Owed: from where the command is when a chunk
takes over to where that chunk, made from an older observation, assumes it; the asynchronous mode makes up for it, the
others leave it to the next observations. The first chunk of an episode joins nothing and does not count.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import torch

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from bench.support.hardware import hardware  # noqa: E402
from instructvla_ros.model import InstructVLA  # noqa: E402
from instructvla_ros.policy.policy import Policy  # noqa: E402
from instructvla_ros.policy.profile import (  # noqa: E402
    AsynchronousExecution,
    EnsembleExecution,
    Execution,
    FirstStepsExecution,
    RobotProfile,
)
from instructvla_ros.robot.action_chunk import ActionChunk  # noqa: E402
from instructvla_ros.robot.poses import length, rotation_to_vector  # noqa: E402
from instructvla_ros.sim.episode import Episode  # noqa: E402
from instructvla_ros.sim.execution import TICK, FilteredExecution, arm_chain  # noqa: E402
from instructvla_ros.sim.splits import HELD_OUT_LAYOUTS  # noqa: E402
from instructvla_ros.sim.tasks import VERBS, succeeded  # noqa: E402
from instructvla_ros.training.closed_loop import observation_of  # noqa: E402
from instructvla_ros.training.evaluate import command_for, facts_of  # noqa: E402
from instructvla_ros.training.language.commands import ATOMIC  # noqa: E402

MODES: dict[str, Execution] = {
    "ensemble": EnsembleExecution(7, 0.1),
    "first_steps": FirstStepsExecution(4),
    "asynchronous": AsynchronousExecution(4, 2),
}
PERCENTILES = (50, 99, 100)
JUDGED_EVERY = 5  # ticks


@dataclass
class Figures:
    """What was seen of one mode; pairs are translation [m] and rotation [rad].

    Attributes:
        successes: of each episode.
        jumps: at joins.
        others: at all other ticks.
        owed: at joins.
    """

    successes: list[bool] = field(default_factory=list)
    jumps: list[tuple[float, float]] = field(default_factory=list)
    others: list[tuple[float, float]] = field(default_factory=list)
    owed: list[tuple[float, float]] = field(default_factory=list)


class Follower:
    """One policy in one episode after the other, with an inference that takes a given time.

    Args:
        policy: its clock must stand still.
        latency: from an observation to its chunk [s].
        figures: where what is seen is put.
    """

    def __init__(self, policy: Policy, latency: float, figures: Figures) -> None:
        self._policy, self._latency, self._figures = policy, latency, figures
        self._execution = FilteredExecution()
        self._episode = Episode(HELD_OUT_LAYOUTS, self._execution, picture=(480, 480))

    def follow(self, verb: str, index: int) -> None:
        """One episode."""
        seed = HELD_OUT_LAYOUTS.seed(index * len(VERBS) + list(VERBS).index(verb))
        episode, policy = self._episode, self._policy
        episode.reset(seed, verb)
        command = command_for(ATOMIC, facts_of(episode, episode.state()), episode.task, Random(seed))
        assert command is not None, "plain words fit every scene"
        policy.start_epoch(command.text)
        policy.reseed(seed)
        table_top, period = episode.table_top, policy.profile.period
        begun = due = table_top.time
        coming: ActionChunk | None = None
        times, poses, joins = [begun], [arm_chain().forward(self._execution.commanded)], []
        success = False
        while not success and table_top.time - begun < episode.time_limit:
            now = table_top.time
            if coming is None and now >= due - 0.5 * TICK:
                due += period * np.floor((now - due) / period + 1.0)
                if policy.is_due(now):
                    coming = policy.act(observation_of(episode, now), now + self._latency)
            arrived = ()
            if coming is not None and now >= coming.stamp + self._latency - 0.5 * TICK:
                arrived, coming = (coming,), None
                joins.append((len(poses) - 1, arrived[0]))
            self._execution.tick(arrived)
            times.append(table_top.time)
            poses.append(arm_chain().forward(self._execution.commanded))
            if len(poses) % JUDGED_EVERY == 0:
                success = succeeded(episode.task, episode.start_state, episode.state(), episode.things)
        self._figures.successes.append(success)
        self._judge(np.array(times), np.array(poses), joins)

    def close(self) -> None:
        """Free the simulator's drawing context."""
        self._episode.close()

    def _judge(self, times: np.ndarray, poses: np.ndarray, joins: Sequence[tuple[int, ActionChunk]]) -> None:
        moved = np.diff(poses[:, :3, 3], axis=0)  # (n, 3)
        turned = [rotation_to_vector(after @ before.T) for before, after in pairwise(poses[:, :3, :3])]
        shifts = np.linalg.norm(np.diff(moved, axis=0), axis=1)  # (n - 1,)
        turns = np.linalg.norm(np.diff(turned, axis=0), axis=1)
        at_joins = {place for place, _ in joins}
        for place in range(1, len(moved)):
            where = self._figures.jumps if place in at_joins else self._figures.others
            if place not in at_joins or place > joins[0][0]:
                where.append((float(shifts[place - 1]), float(turns[place - 1])))
        for place, chunk in joins[1:]:
            assumed = np.array([np.interp(times[place], chunk.edges, way) for way in chunk.travelled.T])
            then = int(np.argmin(np.abs(times - chunk.stamp)))
            done = np.append(
                poses[place, :3, 3] - poses[then, :3, 3],
                rotation_to_vector(poses[place, :3, :3] @ poses[then, :3, :3].T),
            )
            owed = assumed - done
            self._figures.owed.append((length(owed[:3]), length(owed[3:])))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How chunks join while the arm moves.")
    parser.add_argument("run_dir", nargs="?", type=Path, default=REPOSITORY / "models" / "tabletop")
    parser.add_argument("--episodes", type=int, default=10, help="of a task, mode and latency (default: 10)")
    parser.add_argument("--latencies", type=float, nargs="+", default=[0.05, 0.2, 0.4], help="of the inference [s]")
    parser.add_argument("--verbs", nargs="+", default=["reach", "pick_up"], choices=list(VERBS))
    parser.add_argument("--modes", nargs="+", default=list(MODES), choices=list(MODES))
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    model = InstructVLA.from_pretrained(arguments.run_dir).fuse()
    print(f"{arguments.run_dir}, {arguments.episodes} episodes of {', '.join(arguments.verbs)} each; {hardware()}")
    heads = ("mode", "inference [s]", "success", "joins", "jump p50, p99, max [mm]", "[mrad]", "of other ticks [mm]")
    heads += ("[mrad]", "owed p50, p99, max [mm]", "[mrad]")
    print(f"\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for latency in arguments.latencies:
        for mode in arguments.modes:
            profile = replace(RobotProfile.load("sim"), execution=MODES[mode])
            policy = Policy(model, profile, arm_chain(), dataset=model.datasets[0], seed=0, clock=lambda: 0.0)
            figures = Figures()
            follower = Follower(policy, latency, figures)
            for verb in arguments.verbs:
                for index in range(arguments.episodes):
                    follower.follow(verb, index)
            follower.close()
            print(f"| {mode} | {latency:g} | {_row(figures)} |", flush=True)
    return 0


def _row(figures: Figures) -> str:
    cells = [f"{sum(figures.successes)} of {len(figures.successes)}", str(len(figures.jumps))]
    for pairs in (figures.jumps, figures.others, figures.owed):
        values = 1e3 * np.array(pairs or [(np.nan, np.nan)])
        cells += [", ".join(f"{value:.2f}" for value in np.percentile(values[:, axis], PERCENTILES)) for axis in (0, 1)]
    return " | ".join(cells)


if __name__ == "__main__":
    sys.exit(main())
