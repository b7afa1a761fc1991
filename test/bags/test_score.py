# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command, with the shipped model on the shipped recordings: its files, its exit codes, its bits."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from instructvla_ros.bags.score import NOT_GOOD_ENOUGH, main
from instructvla_ros.bags.scoring.chunks_file import KeptChunks

ROOT = Path(__file__).resolve().parents[2]
SIM = str(ROOT / "recordings" / "sim_stop")
BRIDGE = str(ROOT / "recordings" / "bridge_widowx")
MODEL = ["--checkpoint", str(ROOT / "models" / "tabletop"), "--robot", "sim", "--threads", "1", "--device", "cpu"]


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that one run writes."""
    folder = tmp_path_factory.mktemp("scored")
    files = ["--json", f"{folder}/score.json", "--html", f"{folder}/score.html", "--save", f"{folder}/chunks.npz"]
    assert main([SIM, *MODEL, *files, "--fail-above", "held_share=0"]) == 0
    return folder


def test_a_score_says_what_was_done_and_what_made_it(scored: Path) -> None:
    content = json.loads((scored / "score.json").read_text())
    (policy,) = content["policies"]
    (bag,) = policy["bags"]
    assert bag["against"] == "recorded action chunks" and (bag["observations"], bag["chunks"]) == (32, 8)
    assert policy["errors"]["observations"] == 7 and bag["steps_left_out"] > 0, "it was stopped for a while"
    assert policy["figures"]["translation_share"] < 1.0, "it is better than not moving"
    assert policy["figures"]["time_share"] > 0.0 and content["about"]["torch"]
    assert content["about"]["seed"] == "0" and "checkpoints/" in content["about"]["checkpoint"]
    page = (scored / "score.html").read_text()
    assert page.count("data:image/jpeg;base64,") >= 6 and "http" not in page


def test_the_same_bag_seed_and_machine_give_the_same_bits_and_another_seed_does_not(
    scored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = ["--expect", str(scored / "chunks.npz")]
    assert main([SIM, *MODEL, *expected]) == 0
    assert main([SIM, *MODEL, *expected, "--seed", "1"]) == NOT_GOOD_ENOUGH
    told = capsys.readouterr().err
    assert "8 of 8 chunks differ" in told and "seed 0 (expected), 1 (now)" in told
    assert main([SIM, *MODEL, *expected, "--seed", "1", "--tolerance", "10"]) == 0


def test_a_figure_above_its_threshold_fails_and_is_named(scored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--at", "chunks", "--fail-above", "translation_mm=0.01", "--fail-above", "limit.nonsense=0"]
    assert main([SIM, *MODEL, *arguments]) == NOT_GOOD_ENOUGH
    told = capsys.readouterr().err
    assert "not good enough: translation_mm is" in told and "above 0.01" in told and "nonsense" not in told


def test_real_data_is_scored_step_by_step_against_its_recorded_actions(tmp_path: Path) -> None:
    out = tmp_path / "score.json"
    text = (ROOT / "config" / "robots" / "sim.yaml").read_text()
    often = tmp_path / "often.yaml"  # a chunk at every tick
    ours, wanted = "{mode: asynchronous, steps: 4, blend: 2}", "{mode: ensemble, window: 7, alpha: 0.1}"
    assert ours in text
    often.write_text(text.replace(ours, wanted))
    chosen = ["--robot", str(often), "--reasoning", "never", "--json", str(out), "--limits", "none"]
    assert main([BRIDGE, *MODEL, *chosen]) == 0
    (policy,) = json.loads(out.read_text())["policies"]
    assert policy["bags"][0]["against"] == "recorded action chunks"
    assert policy["errors"]["observations"] >= 100 and policy["errors"]["gripper_steps"] > 0
    assert policy["figures"]["limited_share"] is None


def test_two_checkpoints_stand_side_by_side(
    scored: Path, untrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, out = tmp_path / "two.html", tmp_path / "two.json"
    compare = ["--compare", str(untrained), "--html", str(page), "--json", str(out), "--pictures", "1"]
    assert main([SIM, *MODEL, "--reasoning", "never", *compare]) == 0
    table = capsys.readouterr().out
    assert "tabletop" in table and untrained.name in table
    policies = json.loads(out.read_text())["policies"]
    assert [policy["name"] for policy in policies] == ["tabletop", untrained.name]
    assert policies[0]["figures"]["translation_mm"] != policies[1]["figures"]["translation_mm"]
    assert f'<span class="second">{untrained.name}</span>' in page.read_text()


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from instructvla_ros.model.untrained import write_untrained

    return write_untrained(tmp_path_factory.mktemp("runs") / "untrained")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["/nowhere", *MODEL], "/nowhere"),
        ([SIM, "--checkpoint", "/nowhere", "--robot", "sim"], "/nowhere"),
        ([SIM, "--checkpoint", "x", "--robot", "nonsense"], "nonsense.*known: .*sim"),
        ([SIM, *MODEL, "--dataset", "mars"], "'mars'"),
        ([SIM, *MODEL, "--expect", SIM], "sim_stop"),
        ([SIM, *MODEL, "--image", "/wrong"], "/wrong.*topics of type.*image/compressed"),
    ],
)
def test_what_cannot_be_scored_is_one_sentence(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and re.search(told, error) and "Traceback" not in error


@pytest.mark.parametrize("threshold", ["nonsense=1", "translation_mm", "translation_mm=small"])
def test_a_threshold_that_makes_no_sense_is_refused_before_anything_is_loaded(
    threshold: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([SIM, *MODEL, "--fail-above", threshold])
    assert ended.value.code == 2
    assert threshold in capsys.readouterr().err


def test_the_shipped_chunks_file_is_as_small_as_its_numbers(scored: Path) -> None:
    kept = KeptChunks.load(scored / "chunks.npz")
    stamps, steps = kept.bags["sim_stop"]
    assert steps.shape[0] == len(stamps) == 8 and np.isfinite(steps).all()
    assert os.path.getsize(scored / "chunks.npz") < 4 * steps.nbytes
