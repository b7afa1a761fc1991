# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What share of tasks trained models do on the simulated table: kinds of phrases by tasks, closed loop at 5 Hz.

From the repository's root:
`PYTHONPATH=. python bench/tabletop.py RUN_DIR [--expert RUN_DIR] [--language RUN_DIR] [--episodes 100] [--json FILE]`.
RUN_DIR is a finished run of training; its stages (Expert, language model) are found inside it.
"""

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from instructvla_ros.model import InstructVLA
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.sim.execution import FilteredExecution
from instructvla_ros.sim.splits import SPLITS
from instructvla_ros.sim.tasks import VERBS
from instructvla_ros.training.evaluate import CELLS, Attempt, Evaluator, executing, interval, score_language, share


@dataclass(frozen=True)
class _Job:
    """One episode to be run."""

    system: str
    run: Path
    reasons: bool
    cell: str
    verb: str
    index: int


class _Worker:
    """What one process keeps from episode to episode: the newest system's evaluator."""

    settings: tuple[RobotProfile, str, bool, int]
    system = ""
    evaluator: Evaluator | None = None


def _prepare(*settings: Any) -> None:
    _Worker.settings = settings  # type: ignore[assignment]
    torch.set_num_threads(_Worker.settings[3])


def _attempt(job: _Job) -> Attempt:
    if _Worker.evaluator is None or _Worker.system != job.system:
        if _Worker.evaluator is not None:
            _Worker.evaluator.close()
        profile, split, filtered, _ = _Worker.settings
        execution = FilteredExecution() if filtered else None
        model = InstructVLA.from_pretrained(job.run).fuse()
        _Worker.evaluator = Evaluator(model, profile, job.reasons, SPLITS[split], execution)
        _Worker.system = job.system
    return _Worker.evaluator.attempt(job.cell, job.verb, job.index, with_expert=job.index % 5 == 0)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Closed-loop success of trained models on the simulated table.")
    parser.add_argument("run_dir", type=Path, help="the finished run: the Generalist")
    parser.add_argument("--expert", type=Path, default=None, help="default: RUN_DIR/stages/action, if it is there")
    parser.add_argument("--language", type=Path, default=None, help="default: RUN_DIR/stages/language, if it is there")
    parser.add_argument("--episodes", type=int, default=100, help="of a cell (default: 100)")
    parser.add_argument("--questions", type=int, default=400, help="about pictures and words (default: 400)")
    parser.add_argument("--verbs", nargs="+", default=list(VERBS), choices=list(VERBS))
    parser.add_argument("--cells", nargs="+", default=list(CELLS), choices=CELLS)
    parser.add_argument("--systems", nargs="+", default=["expert", "direct", "reasoning"])
    parser.add_argument("--split", default="held_out_layouts", choices=list(SPLITS))
    parser.add_argument("--robot", default="sim", help="robot profile (default: sim)")
    parser.add_argument(
        "--steps", type=int, default=None, help="execute so many of each chunk (default: the profile's)"
    )
    parser.add_argument("--filtered", action="store_true", help="through the safety filter")
    parser.add_argument("--threads", type=int, default=1, help="of each process (default: 1)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    parser.add_argument("--json", type=Path, default=None, help="file for every attempt")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    profile = executing(RobotProfile.load(arguments.robot), arguments.steps)
    expert = arguments.expert or _if_there(arguments.run_dir / "stages" / "action")
    language = arguments.language or _if_there(arguments.run_dir / "stages" / "language")
    systems = {"expert": (expert, False), "direct": (arguments.run_dir, False), "reasoning": (arguments.run_dir, True)}
    wanted = {name: (run, reasons) for name in arguments.systems for run, reasons in [systems[name]] if run is not None}
    jobs = [
        _Job(name, run, reasons, cell, verb, index)
        for name, (run, reasons) in wanted.items()
        for cell in arguments.cells
        for verb in arguments.verbs
        for index in range(arguments.episodes)
    ]
    context = multiprocessing.get_context("spawn")
    settings = (profile, arguments.split, arguments.filtered, arguments.threads)
    with ProcessPoolExecutor(arguments.workers, context, _prepare, settings) as pool:
        attempts = list(tqdm(pool.map(_attempt, jobs, chunksize=4), total=len(jobs), disable=None))
    done: dict[str, list[Attempt]] = {name: [] for name in wanted}
    for job, attempt in zip(jobs, attempts, strict=True):
        done[job.system].append(attempt)
    _print_tasks(done, arguments)
    for name, run in (("language stage", language), ("finished", arguments.run_dir)):
        if run is not None and arguments.questions:
            scores = score_language(InstructVLA.from_pretrained(run), SPLITS[arguments.split], arguments.questions)
            print(f"{name}: answers {scores.answers:.1%}, captions F1 {scores.captions:.3f}, n = {scores.count}")
    if arguments.json is not None:
        content = {name: [asdict(attempt) for attempt in attempts] for name, attempts in done.items()}
        arguments.json.write_text(json.dumps(content) + "\n", encoding="utf-8")
    return 0


def _print_tasks(done: dict[str, list[Attempt]], arguments: argparse.Namespace) -> None:
    print(
        f"scenes {arguments.split}, n = {arguments.episodes} a cell; {os.cpu_count()} cores, "
        f"{arguments.workers} processes of {arguments.threads} threads"
    )
    for name, attempts in done.items():
        print(f"\n## {name}\n")
        columns = ("phrases", *arguments.verbs, "all (95 %)", "right object", "words", "place", "way", "motion")
        print("| " + " | ".join(columns) + " |")
        print("|" + "---|" * len(columns))
        for cell in arguments.cells:
            of_cell = [attempt for attempt in attempts if attempt.cell == cell]
            by_verb = [[attempt for attempt in of_cell if attempt.verb == verb] for verb in arguments.verbs]
            hits = sum(attempt.success for attempt in of_cell)
            low, high = interval(hits, len(of_cell))
            numbers = [_percent(share(group, "success")) for group in by_verb]
            numbers.append(f"{_percent(hits / len(of_cell))} ({low:.0%}-{high:.0%})")
            kinds = ("right_object", "right_words", "right_place", "right_way", "right_motion")
            numbers += [_percent(share(of_cell, what)) for what in kinds]
            print(f"| {cell} | " + " | ".join(numbers) + " |")
        ratios = [a.path / a.expert_path for a in attempts if a.expert_path and a.success]
        if ratios:
            print(f"\npath / expert's: median {np.median(ratios):.2f}, n = {len(ratios)}")
        times = 1e3 * np.array([time for attempt in attempts for time in attempt.act_times])
        p50, p95, p99 = np.percentile(times, (50, 95, 99))
        print(f"act: p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, n = {len(times)}")


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f}"


def _if_there(folder: Path) -> Path | None:
    return folder if (folder / "config.json").is_file() else None


if __name__ == "__main__":
    sys.exit(main())
