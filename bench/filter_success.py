#!/usr/bin/env python3
# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the safety filter costs: success of the scripted expert with and without it, and how far it bends the path.

    python bench/filter_success.py [--episodes 60] [--verbs pick_up push_left] [--split held_out_layouts] [--limits sim]

Success: the expert acts at 5 Hz from the truth, in the same scenes, once directly and once through the filter at 100 Hz
as chunks of 8 actions. Time: until success, without and with the filter. Path: the actions of the direct run are sent
through the filter again, in the same scene; every point of the filtered gripper path is held against the nearest one of
the direct path (departure), and the shift in time at which both lie closest is the lag. Limits: share of the filter's
ticks in which each limit changed something in the closed-loop runs. Exit code 1 if the filter costs more than 2 points
over all verbs.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from bench.support.hardware import hardware  # noqa: E402
from instructvla_ros.safety import SafetyLimits  # noqa: E402
from instructvla_ros.sim.episode import Episode  # noqa: E402
from instructvla_ros.sim.execution import TICK, DirectExecution, FilteredExecution  # noqa: E402
from instructvla_ros.sim.expert import CONTROL_PERIOD, expert_action  # noqa: E402
from instructvla_ros.sim.expert_chunk import expert_chunk  # noqa: E402
from instructvla_ros.sim.splits import SPLITS, Split  # noqa: E402
from instructvla_ros.sim.tasks import VERBS  # noqa: E402

HORIZON = 8
LONGEST_LAG = 0.6  # [s]
ALLOWED_COST = 0.02


@dataclass
class Tally:
    """What was counted for one verb.

    Attributes:
        direct: success of each episode without the filter.
        filtered: success of each with it.
        times: until each success, without and with the filter [s].
        departures: ``(points,)`` of each episode, from the filtered path to the direct one [m].
        lags: of each episode [s].
        limits: ticks in which each limit acted.
        ticks: of the filter.
        notes: what there is to say about episodes that only the filter failed.
    """

    direct: list[bool] = field(default_factory=list)
    filtered: list[bool] = field(default_factory=list)
    times: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    departures: list[np.ndarray] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    limits: Counter[str] = field(default_factory=Counter)
    ticks: int = 0
    notes: list[str] = field(default_factory=list)


def measure(verb: str, split: Split, episodes: int, limits: SafetyLimits) -> Tally:
    """Runs the episodes of one verb.

    Args:
        verb: of the tasks.
        split: where the scenes come from.
        episodes: how many.
        limits: those of the filter.
    """
    direct, filtered = DirectExecution(), FilteredExecution(limits)
    bare, guarded = (Episode(split, execution, pictures=False) for execution in (direct, filtered))
    tally = Tally()
    for index in range(episodes):
        seed = split.seed(index)
        actions = run_expert(bare, seed, verb)
        tally.direct.append(bare.progress.ever)
        if bare.progress.ever:
            tally.times[0].append(bare.state().time)
        replay(guarded, seed, verb, actions)
        tally.departures.append(departures(np.array(filtered.path), np.array(direct.path)))
        tally.lags.append(lag(np.array(filtered.path), np.array(direct.path)))
        run_expert(guarded, seed, verb)
        tally.filtered.append(guarded.progress.ever)
        if guarded.progress.ever:
            tally.times[1].append(guarded.state().time)
        tally.limits.update(filtered.interventions)
        tally.ticks += len(filtered.path) - 1
        if tally.direct[-1] and not tally.filtered[-1]:
            tally.notes.append(
                f"seed {seed}, {guarded.task.phrase}: only the filter failed; {filtered.state.name.lower()}, "
                f"{filtered.reason}; {dict(filtered.interventions.most_common(4))}"
            )
    return tally


def run_expert(episode: Episode, seed: int, verb: str) -> np.ndarray:
    """Lets the expert act until the episode is over; ``(steps, 7)`` what it did."""
    episode.reset(seed, verb)
    actions = []
    while not episode.progress.over:
        state = episode.state()
        actions.append(expert_action(episode.task, state, episode.things))
        episode.step(expert_chunk(episode.task, state, episode.things, HORIZON))
    return np.array(actions)


def replay(episode: Episode, seed: int, verb: str, actions: np.ndarray) -> None:
    """Sends recorded actions, as chunks of what was still to come, and lets the arm come to rest."""
    episode.reset(seed, verb)
    for index in range(len(actions)):
        episode.step(actions[index : index + HORIZON])
    rest = np.concatenate([np.zeros(6), actions[-1, 6:]])
    for _ in range(round(LONGEST_LAG / CONTROL_PERIOD)):
        episode.step(np.tile(rest, (HORIZON, 1)))


def departures(path: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Distance of each point of a path ``(n, 3)`` from the polyline through a reference ``(m, 3)`` [m]."""
    start, way = reference[:-1], np.diff(reference, axis=0)  # (m - 1, 3)
    squared = np.maximum((way**2).sum(axis=1), 1e-18)
    nearest = np.empty(len(path))
    for index, point in enumerate(path):
        share = np.clip(((point - start) * way).sum(axis=1) / squared, 0.0, 1.0)
        nearest[index] = np.linalg.norm(start + share[:, None] * way - point, axis=1).min()
    return nearest


def lag(path: np.ndarray, reference: np.ndarray) -> float:
    """How much later than the reference a path passes the same places [s]; both sampled at each tick."""
    shifts = range(round(LONGEST_LAG / TICK))
    parted = [np.linalg.norm(path[shift : shift + len(reference)][: len(reference)] - reference[: len(path) - shift],
                             axis=1).mean() for shift in shifts]
    return TICK * int(np.argmin(parted))


def _mean(times: tuple[list[float], list[float]]) -> str:
    without, with_filter = (f"{np.mean(part):.2f}" if part else "none" for part in times)
    return f"{without:>5s} {with_filter:>7s}"


def main() -> int:
    """Prints one line a verb, then the limits that acted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=60)
    parser.add_argument("--verbs", nargs="+", choices=list(VERBS), default=list(VERBS))
    parser.add_argument("--split", choices=list(SPLITS), default="held_out_layouts")
    parser.add_argument("--limits", default="sim", help="name or path of the limits file")
    arguments = parser.parse_args()
    print(f"{hardware()}; {arguments.episodes} episodes a verb, split {arguments.split}, limits {arguments.limits}")
    print("verb          expert  filtered  time mean [s]  departure mean    p50    p99    max [mm]   lag p50  p99 [ms]")
    limits = SafetyLimits.load(arguments.limits)
    tallies: dict[str, Tally] = {}
    for verb in arguments.verbs:
        tally = tallies[verb] = measure(verb, SPLITS[arguments.split], arguments.episodes, limits)
        way = 1e3 * np.concatenate(tally.departures)
        p50, p99 = np.percentile(way, [50, 99])
        lag50, lag99 = 1e3 * np.percentile(tally.lags, [50, 99])
        print(
            f"{verb:12s} {np.mean(tally.direct):6.1%} {np.mean(tally.filtered):8.1%}  {_mean(tally.times)}  "
            f"{way.mean():14.2f} {p50:6.2f} {p99:6.2f} {way.max():6.2f}   {lag50:12.0f} {lag99:6.0f}",
            flush=True,
        )
    print("\nshare of ticks in which a limit acted")
    for verb, tally in tallies.items():
        acted = [f"{name} {count / tally.ticks:.1%}" for name, count in tally.limits.most_common()]
        print(f"{verb:12s} {', '.join(acted) or 'none'}")
    for tally in tallies.values():
        for note in tally.notes:
            print(note)
    everything = list(tallies.values())
    with_filter = np.mean([done for tally in everything for done in tally.filtered])
    without = np.mean([done for tally in everything for done in tally.direct])
    print(f"\nall verbs: {without:.1%} without, {with_filter:.1%} with the filter")
    return int(without - with_filter > ALLOWED_COST)


if __name__ == "__main__":
    sys.exit(main())
