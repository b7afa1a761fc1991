# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The commands: inspect and untrained."""

import subprocess
import sys
from pathlib import Path

import torch

from instructvla_ros.model import InstructVLA, inspect, untrained
from instructvla_ros.model.untrained import CHECKPOINT, write_untrained


def test_inspect_tells_what_a_run_holds(generalist_run, capsys):
    assert inspect.main([str(generalist_run)]) == 0
    shown = capsys.readouterr().out
    for part in ("Generalist", "8 numbers", "16 actions of 7 numbers", "553 tokens with 64 meta queries", "float32"):
        assert part in shown
    assert "sim: q01 and q99 are there" in shown
    assert "nothing is missing, nothing is unexpected" in shown
    count = sum(parameter.numel() for parameter in InstructVLA.from_pretrained(generalist_run).parameters())
    assert f"{count:,} stored as" in shown


def test_inspect_names_what_is_missing_and_unexpected(tmp_path, capsys):
    run = write_untrained(tmp_path / "run", generalist=False, uses_state=False)
    file = run / "checkpoints" / CHECKPOINT
    content = torch.load(file, weights_only=True)
    content["model"]["mlp1"]["9.weight"] = torch.zeros(3)
    del content["model"]["mlp1"]["3.bias"]
    torch.save(content, file)
    (run / "dataset_statistics.json").write_text('{"sim": {"action": {"q01": [0, 0]}}}')
    assert inspect.main([str(run)]) == 1
    shown = capsys.readouterr().out
    assert "Expert (one adapter)" in shown
    assert "missing     mlp1.3.bias" in shown
    assert "unexpected  mlp1.9.weight" in shown
    assert "sim: lacks action.q99" in shown


def test_inspect_says_why_it_cannot_read_a_run(tmp_path, capsys):
    assert inspect.main([str(tmp_path / "nowhere")]) == 1
    assert "there is no run folder" in capsys.readouterr().err


def test_inspect_runs_as_a_module(generalist_run):
    done = subprocess.run(
        [sys.executable, "-m", "instructvla_ros.model.inspect", str(generalist_run)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.returncode == 0 and "Generalist" in done.stdout


def test_the_same_seed_writes_the_same_model(tmp_path, capsys):
    assert untrained.main([str(tmp_path / "one"), "--seed", "3"]) == 0
    assert str(tmp_path / "one") in capsys.readouterr().out
    before = torch.random.get_rng_state()
    write_untrained(tmp_path / "two", seed=3)
    assert torch.equal(torch.random.get_rng_state(), before)
    write_untrained(tmp_path / "three", seed=4)
    one, two, three = (InstructVLA.from_pretrained(tmp_path / name).state_dict() for name in ("one", "two", "three"))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not all(torch.equal(one[name], three[name]) for name in one)
    for name in ("config.json", "dataset_statistics.json", "tiny_sizes.json"):
        assert (tmp_path / "one" / name).is_file()
    assert sum(file.stat().st_size for file in (tmp_path / "one").rglob("*") if file.is_file()) < 10e6
