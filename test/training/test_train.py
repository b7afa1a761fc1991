# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command: configurations, other starts, several processes, clear errors."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from instructvla_ros.checked_yaml import YamlError
from instructvla_ros.model import InstructVLA
from instructvla_ros.model.statistics import Statistics
from instructvla_ros.model.untrained import write_untrained
from instructvla_ros.training.settings import ACTION, STAGES, NewStart, OfficialStart, TrainingSettings
from instructvla_ros.training.train import main

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "config" / "training"


def changed(tmp_path: Path, name: str, **changes: object) -> Path:
    """A configuration with other values, keys of parts joined by two underscores."""
    content = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    for key, value in changes.items():
        *parts, last = key.split("__")
        place = content
        for part in parts:
            place = place[part]
        place[last] = value
    file = tmp_path / "changed.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def test_the_configurations_that_come_along_are_valid():
    tabletop = TrainingSettings.load("tabletop")
    assert list(tabletop.stages) == list(STAGES) and isinstance(tabletop.start, NewStart)
    shares = tabletop.data.collect_share + sum(stage.share for stage in tabletop.stages.values())
    assert 0.9 <= shares <= 1.0
    assert tabletop.minutes <= 120.0
    assert list(TrainingSettings.load("tabletop_again").stages) == [ACTION]
    finetune = TrainingSettings.load("finetune")
    assert isinstance(finetune.start, OfficialStart) and list(finetune.stages) == [ACTION]


def test_the_small_model_has_the_promised_size():
    start = TrainingSettings.load("tabletop").start
    assert isinstance(start, NewStart)
    model = replace(start.model, adapters=2)
    with torch.device("meta"):
        network = InstructVLA(model.sizes(start.vocabulary + 64), None, Statistics({}))  # type: ignore[arg-type]
    parameters = sum(parameter.numel() for parameter in network.parameters())
    assert 3e6 <= parameters <= 12e6
    assert 2 * parameters < 20e6  # bytes of the shipped file, in float16


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stages__action__pictures": -1}, "stages.action.pictures"),
        ({"stages__action__learning_rate": "high"}, "learning_rate"),
        ({"model__width": 100}, "100 channels do not divide"),
        ({"model__film_tower__depth": 5}, "depth of 3"),
        ({"model__tower__patch": 12}, "with a stem 8 must divide its patches"),
        ({"model__film_tower__image_size": 190}, "patches its image size"),
        ({"model__start": "old"}, "one of new, official"),
        ({"precision": "float8"}, "precision"),
        ({"stages": {"first": {}}}, "stages are vision, language, action, tuning"),
    ],
)
def test_a_wrong_configuration_is_refused_with_its_key(tmp_path, changes, message):
    with pytest.raises(YamlError, match=message):
        TrainingSettings.load(changed(tmp_path, "tabletop", **changes))


@pytest.mark.parametrize(("generalist", "stage"), [(False, "action"), (True, "tuning"), (True, "action")])
def test_a_published_kind_of_checkpoint_goes_on_by_the_same_command(dataset, tmp_path, capsys, generalist, stage):
    """At tiny sizes; the data are plain demonstrations, without annotations, as a robot's recordings are."""
    pytest.importorskip("matplotlib")
    run = write_untrained(tmp_path / "official", generalist=generalist)
    content = yaml.safe_load((CONFIGS / "finetune.yaml").read_text())
    stages = {stage: {**content["stages"]["action"], "steps": 2, "pictures": 2}}
    config = changed(
        tmp_path,
        "finetune",
        data__folder=str(_plain(dataset, tmp_path)),
        model__run=str(run),
        threads=1,
        stages=stages,
        device="cpu",
    )
    assert main([str(config), "--out", str(tmp_path / "out")]) == 0, capsys.readouterr().err
    before, after = InstructVLA.from_pretrained(run), InstructVLA.from_pretrained(tmp_path / "out")
    assert after.datasets == ("my_robot", "sim") and after.has_reasoning == generalist
    assert after.sizes.action_expert.mask == "additive"
    moved = {
        name
        for name, weight in after.state_dict().items()
        if (weight - before.state_dict()[name]).abs().max() > 0.01 * before.state_dict()[name].abs().max() + 1e-6
    }
    assert not any(name.startswith("images.") for name in moved)
    assert any(name.startswith("expert.") for name in moved) == (stage == "action")


def test_a_tuned_run_goes_through_both_stages_again_and_points_anew(dataset, finished, tmp_path, capsys):
    """The run folder has no grounding heads: they begin with nothing where their losses count."""
    pytest.importorskip("matplotlib")
    stages = yaml.safe_load((CONFIGS / "tabletop_again.yaml").read_text())["stages"]
    config = changed(
        tmp_path,
        "tabletop_again",
        data__folder=str(dataset),
        model__run=str(finished),
        threads=1,
        stages={name: {**stage, "steps": 3, "pictures": 2} for name, stage in stages.items()},
        device="cpu",
    )
    assert main([str(config), "--out", str(tmp_path / "out")]) == 0, capsys.readouterr().err
    rows = [json.loads(line) for line in (tmp_path / "out/training/action.jsonl").read_text().splitlines()]
    assert any("vision_pointing" in row for row in rows)
    again = InstructVLA.from_pretrained(tmp_path / "out")
    assert again.has_reasoning and again.sizes.adapter_names == ("0", "1")


def test_faults_are_told_and_not_thrown(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    pytest.importorskip("pyarrow")
    config = changed(tmp_path, "tabletop", data__folder=str(tmp_path / "none"), data__collect=False, threads=1)
    assert main([str(config), "--out", str(tmp_path / "out")]) == 1
    assert "has no meta/info.json" in capsys.readouterr().err
    assert main(["no_such_training", "--out", str(tmp_path / "out")]) == 1
    assert "no_such_training" in capsys.readouterr().err


def test_two_processes_share_a_training(dataset, tmp_path):
    """accelerate averages their gradients: both end with the same weights, and one writes the run."""
    pytest.importorskip("accelerate", reason="accelerate is not installed: pip install -r requirements/training.txt")
    pytest.importorskip("matplotlib")
    run = write_untrained(tmp_path / "official", generalist=False)
    content = yaml.safe_load((CONFIGS / "finetune.yaml").read_text())
    stages = {"action": {**content["stages"]["action"], "steps": 2, "pictures": 1}}
    config = changed(
        tmp_path,
        "finetune",
        data__folder=str(_plain(dataset, tmp_path)),
        model__run=str(run),
        threads=1,
        stages=stages,
        device="cpu",
        precision="float32",
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=29517"]
    command += ["-m", "instructvla_ros.training.train", str(config), "--out", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert InstructVLA.from_pretrained(tmp_path / "out").datasets == ("my_robot", "sim")


def _plain(dataset: Path, tmp_path: Path) -> Path:
    """The dataset without annotations."""
    plain = tmp_path / "plain"
    shutil.copytree(dataset, plain)
    shutil.rmtree(plain / "annotations")
    return plain
