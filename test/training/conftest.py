# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A toy world: coloured squares on a grey picture, a hand that moves to them, and a model small enough for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch

from instructvla_ros.model.action_expert import TRUE_MASK
from instructvla_ros.model.run_writer import NewModel, Tower
from instructvla_ros.training.dataset import DatasetWriter, Demonstration
from instructvla_ros.training.frames import Frame, Label, encode_picture
from instructvla_ros.training.language.commands import Intent
from instructvla_ros.training.language.facts import Facts, Thing
from instructvla_ros.training.objectives import Weights
from instructvla_ros.training.processes import OneProcess
from instructvla_ros.training.settings import (
    ACTION,
    LANGUAGE,
    STAGES,
    TUNING,
    VISION,
    DataSettings,
    NewStart,
    StageSettings,
    TrainingSettings,
)
from instructvla_ros.training.train import Training

torch.set_num_threads(1)

PICTURE_SIZE = (64, 48)
CHUNK = 4
_SHADES = {"red": (230, 40, 40), "green": (50, 160, 70), "blue": (35, 90, 210)}
_STEPS = {VISION: 40, LANGUAGE: 80, ACTION: 70, TUNING: 30}


def toy_frame(random: Random) -> Frame:
    """Three squares, and how a hand in the middle moves to each."""
    colors = random.sample(list(_SHADES), 3)
    cells = random.sample([(across, down) for across in range(4) for down in range(3)], 3)
    picture = np.full((48, 64, 3), 128, dtype=np.uint8)
    things: list[Thing] = []
    spots = []
    for color, (across, down) in zip(colors, cells, strict=True):
        picture[16 * down + 3 : 16 * down + 13, 16 * across + 3 : 16 * across + 13] = _SHADES[color]
        spots.append(((across + 0.5) / 4, (down + 0.5) / 3))
        things.append(Thing(color, "cube", (0.3 + 0.05 * (down - 1), 0.08 * (across - 1.5), 0.02)))
    hand = np.array([0.3, 0.0, 0.1])
    labels = []
    for index in random.sample(range(3), 3):
        away = np.array(things[index].position) - hand
        chunk = np.zeros((CHUNK, 7), dtype=np.float32)
        chunk[:, :3] = 0.2 * away
        task = random.choice(("reach", "pick_up"))
        chunk[:, 6] = float(task == "reach")
        labels.append(Label(chunk, Intent(task, index)))
    state = np.array([*hand, 0.0, 0.0, 0.0, 0.0, 1.0], dtype=np.float32)
    state[:3] += np.float32(random.uniform(-0.02, 0.02))
    return Frame(
        (encode_picture(picture),), state, 1.0, tuple(labels), Facts(tuple(things)), np.array(spots, np.float32)
    )


def write_toy_dataset(folder: Path, episodes: int = 12, length: int = 6, seed: int = 0) -> Path:
    """A dataset of the toy world."""
    random = Random(seed)
    writer = DatasetWriter(folder, ("front",), 5.0, "toy", PICTURE_SIZE)
    for _ in range(episodes):
        writer.add(Demonstration("reach the red cube", [toy_frame(random) for _ in range(length)]))
    return folder


def toy_settings(folder: Path) -> TrainingSettings:
    """A training of the toy world that takes seconds."""
    stage = StageSettings(
        share=0.3,
        steps=0,
        pictures=8,
        commands=2,
        carrying=0.0,
        questions=1,
        question_pictures=0.0,
        flow_times=2,
        learning_rate=0.004,
        reasoning=0.4,
        situated=0.2,
        plain=0.4,
        absent=0.1,
        explained=0.0,
        rough=0.1,
    )
    stages = {
        name: replace(
            stage,
            steps=_STEPS[name],
            flow_times=2 if name in (ACTION, TUNING) else 0,
            explained=0.2 if name in (LANGUAGE, TUNING) else 0.0,
        )
        for name in STAGES
    }
    model = NewModel(
        width=64,
        depth=2,
        expert_width=32,
        expert_depth=2,
        head_width=16,
        tower=Tower(32, 2, 8, 64, stem=8),
        film_tower=Tower(32, 3, 16, 64, stem=8),
        adapters=0,
        rank=4,
        alpha=8.0,
        gate_width=16,
        num_queries=4,
        chunk_length=CHUNK,
        action_head=(32, 32, 32),
        mask=TRUE_MASK,
        image_positions=True,
    )
    return TrainingSettings(
        name="toy",
        dataset="toy",
        seed=0,
        minutes=1.0,
        threads=1,
        device="cpu",
        precision=torch.float32,
        storage=torch.float32,
        keep=0.1,
        data=DataSettings(folder, ("front",), collect=False, collect_share=0.0),
        start=NewStart(model, vocabulary=600),
        stages=stages,
        weights=Weights(),
    )


def new_training(settings: TrainingSettings, out: Path) -> Training:
    """A training with its data in memory."""
    training = Training(settings, out, OneProcess(torch.device("cpu")), curves=find_spec("matplotlib") is not None)
    random = Random(0)
    frames = [toy_frame(random) for _ in range(72)]
    training.frames, training.held_out = frames[:64], frames[64:]
    return training


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy world's dataset."""
    pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install -r requirements/training.txt")
    return write_toy_dataset(tmp_path_factory.mktemp("toy") / "dataset")


@pytest.fixture(scope="session")
def finished(settings: TrainingSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a whole training of the toy world."""
    return new_training(settings, tmp_path_factory.mktemp("run") / "toy").run()


@pytest.fixture(scope="session")
def settings() -> TrainingSettings:
    """A training of the toy world that takes seconds."""
    return toy_settings(Path("unused"))


@pytest.fixture(scope="session")
def train() -> Callable[[TrainingSettings, Path], Training]:
    """Makes a training with its data in memory."""
    return new_training


@pytest.fixture(scope="session")
def toy_frames() -> list[Frame]:
    """Some instants of the toy world."""
    random = Random(7)
    return [toy_frame(random) for _ in range(8)]
