# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""tools/record_animation.py films a run as it is, and says who acted."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]


def record(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/record_animation.py", "--width", "160", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)


def frames(file: Path) -> np.ndarray:
    """All frames, ``(n, height, width, 3)``."""
    with Image.open(file) as film:
        shown = []
        for index in range(film.n_frames):
            film.seek(index)
            shown.append(np.array(film.convert("RGB")))
        return np.stack(shown)


def test_the_expert_is_filmed_until_its_task_is_done_and_is_called_the_expert(tmp_path: Path) -> None:
    film = tmp_path / "film.webp"
    result = record("--expert", "--instruction", "pick up the red cube", "--out", str(film))
    assert result.returncode == 0, result.stderr
    assert '"pick up the red cube": done after' in result.stdout and " MB" in result.stdout
    pictures = frames(film).astype(int)
    assert len(pictures) > 15 and film.stat().st_size < 5_000_000
    assert np.abs(pictures[-1, :120] - pictures[0, :120]).max() > 100, "the arm moves in the picture"
    red = (pictures[:, :20, :, 0] - pictures[:, :20, :, 1]) > 80
    assert red.any(axis=(1, 2)).all(), "every frame says in red that this is not the model"


def test_the_model_is_filmed_with_its_words_whatever_they_are(tmp_path: Path) -> None:
    from instructvla_ros.model.untrained import write_untrained

    run, film = write_untrained(tmp_path / "run"), tmp_path / "film.gif"
    words = "something the colour of the sky"
    result = record("--checkpoint", str(run), "--instruction", words, "--seconds", "0.4", "--out", str(film))
    assert result.returncode == 0, result.stderr
    assert f'"{words}": ' in result.stdout and "done" not in result.stdout
    assert len(frames(film)) > 4


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--expert", "--out", "film.mp4"], "film.mp4 must end in .webp or .gif"),
        (["--expert", "--instruction", "do something", "--out", "no.webp"], '"do something" is not in plain words'),
        (["--checkpoint", "/no/such/run", "--out", "no.webp"], "/no/such/run"),
    ],
)
def test_what_cannot_be_filmed_is_refused_with_its_name(arguments: list[str], named: str) -> None:
    result = record(*arguments)
    assert result.returncode != 0 and named in result.stderr and "Traceback" not in result.stderr
    assert not (ROOT / "no.webp").exists()
