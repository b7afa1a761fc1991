# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A finished training as a folder to ship: checkpoint, configuration, tokenizer, statistics, model card.

    python -m instructvla_ros.training.ship runs/tabletop models/tabletop --results results.md

Results are what bench/tabletop.py printed for the very run; without them the card says that none are known.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from instructvla_ros.model import InstructVLA
from instructvla_ros.model.run_folder import RunFolder
from instructvla_ros.model.settings import CheckpointError
from instructvla_ros.training.recipe import BASE_FOLDER

LARGEST_FILE = 20_000_000  # bytes: what a repository should carry
_FILES = ("config.json", "dataset_statistics.json", "tiny_sizes.json")

_CARD = """# {name}: a small InstructVLA for the simulated table-top arm

{parameters:.1f} M parameters, {megabytes:.1f} MB. Licence: Apache-2.0, as the package.

    DEMO_CHECKPOINT={folder} make demo

## Made from

- **Data**: {frames} frames of the scripted expert on the simulated table (`instructvla_ros/training/collect.py`),
  random scenes of the split "train": objects, sizes, shades, light and camera vary. All words are made by
  `instructvla_ros/training/language`. No data from elsewhere, no pretrained weights.
- **Recipe**: docs/training.md; configuration `{config}`, seed {seed}, {minutes:g} minutes on {threads} threads.
- **Steps**: {steps}.

## Results

{results}

## Limits

- It knows one arm, one table, the objects and colours of the simulator, and the words of its lexicon. Words that it
  never met it reads letter by letter and may take for others.
- It was never tried on a real arm. Its actions belong behind the safety filter, as any policy's.
"""


def ship(run: Path, out: Path, results: str) -> Path:
    """Copy what the loader needs, and write the model card.

    Args:
        run: a finished training.
        out: the folder to ship; what is in it is replaced.
        results: of the evaluation, in Markdown.

    Returns:
        The checkpoint file.

    Raises:
        CheckpointError: if the run is not finished, or its file is too large to ship.
    """
    folder = RunFolder.open(run)
    summary_file = run / "training" / "summary.json"
    if not summary_file.is_file():
        raise CheckpointError(f"{run} is no finished training: it has no training/summary.json")
    size = folder.checkpoint.stat().st_size
    if size > LARGEST_FILE:
        raise CheckpointError(f"{folder.checkpoint} has {size / 1e6:.1f} MB, more than {LARGEST_FILE / 1e6:g}")
    if out.exists():
        shutil.rmtree(out)
    (out / "checkpoints").mkdir(parents=True)
    for name in _FILES:
        shutil.copyfile(run / name, out / name)
    shutil.copytree(run / BASE_FOLDER, out / BASE_FOLDER)
    file = out / "checkpoints" / folder.checkpoint.name
    shutil.copyfile(folder.checkpoint, file)
    model = InstructVLA.from_pretrained(out)  # what is shipped must load
    summary = json.loads(summary_file.read_text(encoding="utf-8"))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    card = _CARD.format(
        **{**summary, "steps": ", ".join(f"{stage} {steps}" for stage, steps in summary["steps"].items())},
        folder=out,
        parameters=parameters / 1e6,
        megabytes=size / 1e6,
        results=results.strip() or "None are known: run bench/tabletop.py.",
    )
    (out / "README.md").write_text(card, encoding="utf-8")
    return file


def main(argv: Sequence[str] | None = None) -> int:
    """Ship from the command line."""
    parser = argparse.ArgumentParser(description="A finished training as a folder to ship.")
    parser.add_argument("run", type=Path, help="run folder of a finished training")
    parser.add_argument("out", type=Path, help="folder to write; what is in it is replaced")
    parser.add_argument("--results", type=Path, default=None, help="what bench/tabletop.py printed")
    arguments = parser.parse_args(argv)
    try:
        results = "" if arguments.results is None else arguments.results.read_text(encoding="utf-8")
        print(ship(arguments.run, arguments.out, results))
    except (CheckpointError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
