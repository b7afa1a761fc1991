# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What share of tasks trained models do on the simulated table: kinds of phrases by tasks, closed loop at 5 Hz.

From the repository's root:
`PYTHONPATH=. python bench/tabletop.py RUN_DIR [--expert RUN_DIR] [--language RUN_DIR] [--episodes 100] [--json FILE]`.
RUN_DIR is a finished run of training; its stages (Expert, language model) are found inside it.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from instructvla_ros.model import InstructVLA
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.sim.execution import FilteredExecution
from instructvla_ros.sim.splits import SPLITS
from instructvla_ros.sim.tasks import VERBS
from instructvla_ros.training.evaluate import CELLS, Attempt, Evaluator, executing, interval, score_language, share


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
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, default=None, help="file for every attempt")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    profile = executing(RobotProfile.load(arguments.robot), arguments.steps)
    expert = arguments.expert or _if_there(arguments.run_dir / "stages" / "action")
    language = arguments.language or _if_there(arguments.run_dir / "stages" / "language")
    systems = {"expert": (expert, False), "direct": (arguments.run_dir, False), "reasoning": (arguments.run_dir, True)}
    wanted = {name: systems[name] for name in arguments.systems if systems[name][0] is not None}
    done: dict[str, list[Attempt]] = {}
    for name, (run, reasons) in wanted.items():
        evaluator = Evaluator(
            InstructVLA.from_pretrained(run).fuse(),
            profile,
            reasons,
            SPLITS[arguments.split],
            FilteredExecution() if arguments.filtered else None,
        )
        cells = [(cell, verb) for cell in arguments.cells for verb in arguments.verbs]
        bar = tqdm([(*cell, index) for cell in cells for index in range(arguments.episodes)], desc=name, disable=None)
        done[name] = [evaluator.attempt(cell, verb, index, with_expert=index % 5 == 0) for cell, verb, index in bar]
        evaluator.close()
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
        f"scenes {arguments.split}, n = {arguments.episodes} a cell; {os.cpu_count()} cores, {arguments.threads} used"
    )
    for name, attempts in done.items():
        print(f"\n## {name}\n")
        print("| phrases | " + " | ".join(arguments.verbs) + " | all (95 %) | right object | words | place |")
        print("|" + "---|" * (len(arguments.verbs) + 5))
        for cell in arguments.cells:
            of_cell = [attempt for attempt in attempts if attempt.cell == cell]
            by_verb = [[attempt for attempt in of_cell if attempt.verb == verb] for verb in arguments.verbs]
            hits = sum(attempt.success for attempt in of_cell)
            low, high = interval(hits, len(of_cell))
            numbers = [_percent(share(group, "success")) for group in by_verb]
            numbers.append(f"{_percent(hits / len(of_cell))} ({low:.0%}-{high:.0%})")
            numbers += [_percent(share(of_cell, what)) for what in ("right_object", "right_words", "right_place")]
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
