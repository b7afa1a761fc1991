# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The configuration of a training, a YAML file that says everything: data, model, stages."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import torch

from instructvla_ros.checked_yaml import CheckedMapping
from instructvla_ros.model.action_expert import TRUE_MASK
from instructvla_ros.model.run_writer import NewModel, Tower
from instructvla_ros.model.vision import STEM_STRIDE
from instructvla_ros.model.vision_sizes import FILM_BLOCKS
from instructvla_ros.shared_files import yaml_path
from instructvla_ros.training.objectives import Weights

CONFIG_FOLDER = "config/training"
VISION, LANGUAGE, ACTION, TUNING = "vision", "language", "action", "tuning"
STAGES = (VISION, LANGUAGE, ACTION, TUNING)
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_LARGEST = 1_000_000
_T = TypeVar("_T")


@dataclass(frozen=True)
class StageSettings:
    """One stage.

    Attributes:
        share: of the minutes.
        steps: of the optimiser; 0 if they are fitted to the minutes.
        pictures: of a batch.
        commands: of a picture; in the stage ``vision`` things of a picture that are pointed at.
        carrying: share of the pictures with something in the hand, beyond those that chance brings.
        questions: of a picture.
        question_pictures: share of the pictures that are only spoken about.
        flow_times: of an observation; 0 without actions.
        learning_rate: at its highest.
        reasoning: share of the commands with words before the latent actions.
        situated: share of the commands whose goal is implied.
        plain: share of the commands in the plainest words.
        absent: share of the commands about a thing that is not there.
        explained: share of the commands in words of the ``language`` tier, of which only the meaning is learned: they
            have no actions.
        rough: share of the texts with a slip of the pen.
    """

    share: float
    steps: int
    pictures: int
    commands: int
    carrying: float
    questions: int
    question_pictures: float
    flow_times: int
    learning_rate: float
    reasoning: float
    situated: float
    plain: float
    absent: float
    explained: float
    rough: float


@dataclass(frozen=True)
class DataSettings:
    """Where demonstrations are.

    Attributes:
        folder: the dataset.
        views: its cameras, in the model's order.
        collect: whether the scripted expert fills an empty folder.
        collect_share: of the minutes.
    """

    folder: Path
    views: tuple[str, ...]
    collect: bool
    collect_share: float


@dataclass(frozen=True)
class OfficialStart:
    """A checkpoint to go on from.

    Attributes:
        run: the run folder.
        base: the base folder; None if it is found from the run.
    """

    run: Path
    base: Path | None


@dataclass(frozen=True)
class NewStart:
    """A model that begins with nothing.

    Attributes:
        model: its sizes.
        vocabulary: tokens of its tokenizer at most, special tokens aside.
    """

    model: NewModel
    vocabulary: int


@dataclass(frozen=True)
class TrainingSettings:
    """Everything.

    Attributes:
        name: of the training.
        dataset: key in `dataset_statistics.json`.
        seed: decides everything that is drawn.
        minutes: for everything; stages without steps are fitted to them.
        threads: of the CPU.
        device: ``auto``, ``cpu`` or ``cuda``.
        precision: of the matrix products; None for the one that the machine is quickest in.
        storage: of the finished run's weights.
        keep: share of the episodes that only validation sees.
        data: where demonstrations are.
        start: what the model begins with.
        stages: by name, in order.
        weights: of the parts of the loss.
    """

    name: str
    dataset: str
    seed: int
    minutes: float
    threads: int
    device: str
    precision: torch.dtype | None
    storage: torch.dtype
    keep: float
    data: DataSettings
    start: NewStart | OfficialStart
    stages: dict[str, StageSettings]
    weights: Weights

    @classmethod
    def load(cls, name_or_path: str | Path) -> "TrainingSettings":
        """Read a configuration.

        Args:
            name_or_path: name of one in the package's config/training folder, or the path of a YAML file.

        Raises:
            YamlError: names the file, the line and what is allowed.
            UnknownNameError: if there is no such configuration.
        """
        path = yaml_path(CONFIG_FOLDER, "training", name_or_path)
        file = CheckedMapping.from_file(
            path, [field.name for field in fields(cls) if field.name != "start"] + ["model"]
        )
        data = file.mapping("data", [field.name for field in fields(DataSettings)])
        stages = file.mapping("stages", None)
        unknown = [name for name in stages.keys if name not in STAGES]
        if unknown or not stages.keys:
            raise file.refuse("stages", f"stages are {', '.join(STAGES)}, in this order; got {', '.join(stages.keys)}")
        return cls(
            name=file.text("name"),
            dataset=file.text("dataset"),
            seed=file.integer("seed", 0, 2**31 - 1),
            minutes=file.number("minutes", 0.01, 100_000.0, "min"),
            threads=file.integer("threads", 1, 1024),
            device=file.choice("device", ("auto", "cpu", "cuda")),
            precision=PRECISIONS.get(file.choice("precision", ("auto", "float32", "bfloat16"))),
            storage=PRECISIONS[file.choice("storage", PRECISIONS)],
            keep=file.number("keep", 0.0, 0.5),
            data=DataSettings(
                folder=Path(data.text("folder")),
                views=data.names("views"),
                collect=data.boolean("collect"),
                collect_share=data.number("collect_share", 0.0, 1.0),
            ),
            start=_read_start(file),
            stages={name: _read_numbers(StageSettings, stages, name) for name in STAGES if name in stages.keys},
            weights=_read_numbers(Weights, file, "weights"),
        )


def _read_start(file: CheckedMapping) -> NewStart | OfficialStart:
    numbers = ["width", "depth", "expert_width", "expert_depth", "head_width", "shuffle_block", "rank", "gate_width"]
    numbers += ["num_queries", "chunk_length", "vocabulary"]
    keys = [*numbers, "alpha", "tower", "film_tower"]
    kind, model = file.tagged_mapping("model", "start", {"new": keys, "official": ["run", "base"]})
    if kind == "official":
        base = model.text("base")
        return OfficialStart(Path(model.text("run")), None if base == "auto" else Path(base))
    values: dict[str, Any] = {key: model.integer(key, 1, _LARGEST) for key in numbers}
    vocabulary = values.pop("vocabulary")
    tower, film = (_read_numbers(Tower, model, key) for key in ("tower", "film_tower"))
    if film.depth != FILM_BLOCKS:
        raise model.refuse("film_tower", f"the action vision has a depth of {FILM_BLOCKS}")
    for key, width in (("width", values["width"]), ("expert_width", values["expert_width"])):
        if width % (2 * values["head_width"] if key == "width" else values["head_width"]):
            raise model.refuse(key, f"{width} channels do not divide into (pairs of) heads of {values['head_width']}")
    for key, part in (("tower", tower), ("film_tower", film)):
        if part.stem and part.patch % STEM_STRIDE:
            raise model.refuse(key, f"with a stem {STEM_STRIDE} must divide its patches")
        if part.width % values["head_width"] or part.width % 4 or part.image_size % part.patch:
            raise model.refuse(key, "heads and 4 must divide its width, and patches its image size")
    new = NewModel(
        **values,
        alpha=model.number("alpha", 0.1, 1e4),
        tower=tower,
        film_tower=film,
        adapters=0,
        num_views=len(file.mapping("data", None).names("views")),
        action_head=(256, 256, 128),
        mask=TRUE_MASK,
        image_positions=True,
    )
    return NewStart(new, vocabulary)


def _read_numbers(kind: type[_T], parent: CheckedMapping, key: str) -> _T:
    """A dataclass of whole and other numbers."""
    mapping = parent.mapping(key, [field.name for field in fields(kind)])  # type: ignore[arg-type]
    values: dict[str, int | float] = {}
    for field in fields(kind):  # type: ignore[arg-type]
        whole = field.type in (int, "int")
        values[field.name] = (
            mapping.integer(field.name, 0, _LARGEST) if whole else mapping.number(field.name, 0.0, 1000.0)
        )
    return kind(**values)
