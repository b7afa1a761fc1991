# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training from demonstrations to a run folder, by one command.

    python -m instructvla_ros.training.train tabletop --out runs/tabletop

Demonstrations are collected if there are none. Each stage goes on from its checkpoint if there is one, so the same
command, given again, finishes what was interrupted. Several GPUs: ``accelerate launch -m instructvla_ros.training.train
...``. Another configuration trains an official checkpoint on another dataset: see docs/training.md.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import torch

from instructvla_ros.checked_yaml import YamlError
from instructvla_ros.model.instructvla import InstructVLA
from instructvla_ros.model.run_folder import RunFolder
from instructvla_ros.model.settings import CheckpointError
from instructvla_ros.model.statistics import Statistics
from instructvla_ros.model.tokenizer import choose_base_folder
from instructvla_ros.shared_files import UnknownNameError
from instructvla_ros.training.compose import Composer
from instructvla_ros.training.curves import draw_curves
from instructvla_ros.training.dataset import DatasetError, read_dataset
from instructvla_ros.training.extras import MissingExtraError, import_extra
from instructvla_ros.training.frames import Frame, statistics_of
from instructvla_ros.training.precision import quickest_precision
from instructvla_ros.training.processes import Processes, start_processes
from instructvla_ros.training.recipe import (
    BASE_FOLDER,
    adapters_of,
    choose_trained,
    new_heads,
    new_model,
    with_adapters,
    write_run,
)
from instructvla_ros.training.seeing import SightComposer
from instructvla_ros.training.settings import (
    ACTION,
    LANGUAGE,
    TUNING,
    VISION,
    NewStart,
    OfficialStart,
    TrainingSettings,
)
from instructvla_ros.training.trainer import Stage, TrainingModule
from instructvla_ros.training.validation import others_first, validate

_SOME_TABLES = 200


class Training:
    """Everything between a configuration and a run folder.

    Args:
        settings: the configuration.
        out: the run folder.
        processes: that share the work.
        curves: whether losses are drawn as pictures, which takes matplotlib.
        config: where the configuration came from, for the summary.
    """

    def __init__(
        self, settings: TrainingSettings, out: Path, processes: Processes, curves: bool = True, config: str = ""
    ) -> None:
        self.settings, self.out = settings, out
        self.precision = settings.precision or _agreed_precision(processes)
        self._processes = processes
        self._work = out / "training"
        self._curves = curves
        self._config = config
        self._base = BASE_FOLDER
        self.frames: list[Frame] = []
        self.held_out: list[Frame] = []

    def collect(self) -> None:
        """Fill the dataset with demonstrations, if it is to be and is not there yet."""
        data = self.settings.data
        if data.collect and self._processes.is_first and not (data.folder / "README.md").is_file():
            from instructvla_ros.training.collect import collect  # the simulator is needed for nothing else

            collect(data.folder, data.collect_share * self.settings.minutes, workers=self.settings.threads)
        self._processes.wait()

    def read(self) -> None:
        """Read the dataset; some episodes are kept for validation."""
        settings = self.settings
        length = self._chunk_length()
        for index, demonstration in enumerate(read_dataset(settings.data.folder, length, settings.data.views)):
            is_kept = Random(hash((settings.seed, index))).random() < settings.keep
            (self.held_out if is_kept else self.frames).extend(demonstration.frames)
        if not self.frames:
            raise DatasetError(f"{settings.data.folder} has no episodes to train on")

    def begin(self) -> tuple[InstructVLA, dict[str, Any]]:
        """The model that the first stage begins with, and the statistics of its datasets."""
        settings, start = self.settings, self.settings.start
        own = {settings.dataset: statistics_of(self.frames)}
        if isinstance(start, NewStart):
            tables = [frame.facts for frame in self.frames[:: max(1, len(self.frames) // _SOME_TABLES)] if frame.facts]
            if not tables:
                raise DatasetError(
                    f"a new model learns to speak of what lies on the table, and {settings.data.folder} does not: "
                    "begin with an official checkpoint, or with demonstrations of the simulator"
                )
            return new_model(start, self.out, tables, own, settings.seed).to(self._processes.device), own
        statistics = {**own, **RunFolder.open(start.run).statistics}
        model = InstructVLA.from_pretrained(start.run, start.base, self._processes.device)
        model.statistics = Statistics(statistics)
        self._base = _copy_base(start, model, self.out)
        return model, statistics

    def run(self, stop_after: dict[str, int] | None = None) -> Path:
        """Train all stages.

        Args:
            stop_after: by stage, after how many steps of this run to stop, as an interruption would.

        Returns:
            The run folder.
        """
        settings = self.settings
        model, statistics = self.begin()
        heads_state: dict[str, Any] | None = None
        steps: dict[str, int] = {}
        for name in settings.stages:
            model = self._grown(model, name)
            heads = new_heads(model, settings.seed) if settings.weights.need_heads else None
            if heads is not None and heads_state is not None:
                heads.load_state_dict(heads_state)
            stage, module = self._stage(name, model, heads)
            stage.run((stop_after or {}).get(name))
            if not stage.is_finished:
                return self.out
            heads_state = heads.state_dict() if heads is not None else None
            self._finish(stage, model, statistics, is_last=name == list(settings.stages)[-1])
            steps[name] = stage.state.steps
        if self._processes.is_first:
            self._summarize(steps)
        return self.out

    def _summarize(self, steps: dict[str, int]) -> None:
        settings = self.settings
        summary = {
            "name": settings.name,
            "config": self._config,
            "seed": settings.seed,
            "minutes": settings.minutes,
            "threads": settings.threads,
            "precision": str(self.precision).removeprefix("torch."),
            "frames": len(self.frames),
            "held_out": len(self.held_out),
            "steps": steps,
        }
        (self._work / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")

    def _chunk_length(self) -> int:
        start = self.settings.start
        if isinstance(start, NewStart):
            return start.model.chunk_length
        return int(RunFolder.open(start.run).settings.integer("future_action_window_size", 15)) + 1

    def _grown(self, model: InstructVLA, name: str) -> InstructVLA:
        settings, start = self.settings, self.settings.start
        present = model.sizes.language.decoder.adapters
        count = len(present.ranks) if present else 0
        if adapters_of(name) == count or name == ACTION and count > 1:
            return model
        if adapters_of(name) < count:
            raise CheckpointError(f"stage {name} begins with fewer than the {count} adapters that the model has")
        sizes = start.model if isinstance(start, NewStart) else None
        rank = sizes.rank if sizes else (present.ranks[0] if present else 128)
        alpha = sizes.alpha if sizes else 2.0 * rank
        width = sizes.gate_width if sizes else 128
        return with_adapters(model, adapters_of(name), rank, alpha, width, settings.seed)

    def _stage(self, name: str, model: InstructVLA, heads: Any) -> tuple[Stage, TrainingModule]:
        settings = self.settings
        of_stage = settings.stages[name]
        for hook in getattr(model, "_row_hooks", ()):
            hook.remove()
        model._row_hooks = choose_trained(model, name)  # type: ignore[assignment]
        if heads is not None:
            heads.requires_grad_(name != TUNING)
        module = TrainingModule(model, heads, settings.weights)
        composer = self._composer(name, model, self.frames, points=heads is not None)
        held_out = others_first(self.held_out or self.frames[:64])
        judge = self._composer(name, model, held_out, points=heads is not None, augment=False)
        stage = Stage(
            name,
            module,
            composer,
            self._processes,
            self._work,
            learning_rate=of_stage.learning_rate,
            flow_times=of_stage.flow_times,
            seed=settings.seed,
            precision=self.precision,
            steps=of_stage.steps,
            minutes=of_stage.share * settings.minutes,
            validate=lambda: validate(module, judge, of_stage.flow_times),
        )
        stage.resume()
        return stage, module

    def _composer(
        self, name: str, model: InstructVLA, frames: list[Frame], points: bool, augment: bool = True
    ) -> Composer | SightComposer:
        settings, stage = self.settings, self.settings.stages[name]
        if name == VISION:
            return SightComposer(model, frames, stage.pictures, stage.commands, settings.seed, augment)
        acts = name != LANGUAGE
        return Composer(model, frames, stage, settings.dataset, settings.seed, acts, augment, points)

    def _finish(self, stage: Stage, model: InstructVLA, statistics: dict[str, Any], is_last: bool) -> None:
        if not self._processes.is_first:
            return
        folder = self.out if is_last else self.out / "stages" / stage.name
        for old in (folder / "checkpoints").glob("*.pt"):
            old.unlink()
        config = {
            "run_id": self.settings.name,
            "seed": self.settings.seed,
            "future_action_window_size": model.chunk_length - 1,
            "vla": {"base_vlm": self._base, "data_mix": self.settings.dataset},
        }
        write_run(model, folder, stage.name, stage.state.step, statistics, config, self.settings.storage)
        if self._curves:
            draw_curves(stage.log, f"{self.settings.name}: stage {stage.name}", self._work / f"{stage.name}.png")


def _copy_base(start: OfficialStart, model: InstructVLA, out: Path) -> str:
    """Put configuration and tokenizer of the base folder into the run folder, which then needs no other; its name."""
    run = RunFolder.open(start.run)
    rows = model.language.embedding.num_embeddings
    base, _ = choose_base_folder(run.base_folders(start.base), run.num_queries, rows)
    copy = out / base.name
    copy.mkdir(parents=True, exist_ok=True)
    for file in base.iterdir():
        if file.suffix in (".json", ".txt") and not file.name.endswith(".index.json"):
            shutil.copyfile(file, copy / file.name)
    return base.name


def _agreed_precision(processes: Processes) -> torch.dtype:
    """The first process's, since processes that compute differently do not add up."""
    kinds = (torch.float32, torch.bfloat16)
    return kinds[processes.agree(kinds.index(quickest_precision(processes.device)))]


def main(argv: Sequence[str] | None = None) -> int:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description="Train an InstructVLA model in the paper's stages.")
    parser.add_argument("config", help="name in config/training, or a YAML file")
    parser.add_argument("--out", type=Path, required=True, help="run folder to write; what is there is gone on with")
    parser.add_argument("--minutes", type=float, default=None, help="for everything, instead of the configuration's")
    parser.add_argument("--data", type=Path, default=None, help="dataset folder, instead of the configuration's")
    parser.add_argument("--threads", type=int, default=None, help="of the CPU, instead of the configuration's")
    parser.add_argument("--seed", type=int, default=None, help="instead of the configuration's")
    parser.add_argument("--without-reasoning", action="store_true", help="no words before actions, as a control")
    arguments = parser.parse_args(argv)
    try:
        import_extra("matplotlib", "to draw loss curves")
        settings = _with_arguments(TrainingSettings.load(arguments.config), arguments)
        torch.set_num_threads(settings.threads)
        processes = start_processes(settings.device)
        training = Training(settings, arguments.out, processes, config=arguments.config)
        training.collect()
        training.read()
        run = training.run()
    except (YamlError, UnknownNameError, DatasetError, CheckpointError, MissingExtraError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps({"run": str(run), "frames": len(training.frames), "held_out": len(training.held_out)}))
    return 0


def _with_arguments(settings: TrainingSettings, arguments: argparse.Namespace) -> TrainingSettings:
    given = {name: getattr(arguments, name) for name in ("minutes", "threads", "seed")}
    settings = replace(settings, **{name: value for name, value in given.items() if value is not None})
    if arguments.data is not None:
        settings = replace(settings, data=replace(settings.data, folder=arguments.data))
    if arguments.without_reasoning:
        stages = {name: replace(stage, reasoning=0.0) for name, stage in settings.stages.items()}
        settings = replace(settings, stages=stages)
    return settings


if __name__ == "__main__":
    sys.exit(main())
