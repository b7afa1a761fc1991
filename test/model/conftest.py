# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recorded numbers of the reference, small models to try things on, and how close the two were."""

from __future__ import annotations

import json
import lzma
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from instructvla_ros.model import InstructVLA
from instructvla_ros.model.untrained import write_untrained

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {
    "reduced": ROOT / "test" / "data" / "parity",
    "whole": Path(os.environ.get("INSTRUCTVLA_SHARED", ROOT / ".." / "shared")) / "parity",
}
_CLOSENESS: dict[tuple[str, str], float] = {}

torch.set_num_threads(1)


@dataclass(frozen=True)
class ParitySet:
    """A folder of recorded numbers."""

    name: str
    folder: Path

    @cached_property
    def images(self) -> dict[str, np.ndarray]:
        """Frames by name."""
        return {name: tensor.numpy() for name, tensor in load_file(self.folder / "images.safetensors").items()}

    @cached_property
    def pixels(self) -> dict[str, torch.Tensor]:
        """Pixel tensors by frame and kind."""
        return load_file(self.folder / "pixels.safetensors")

    @property
    def variants(self) -> list[str]:
        """Names of the recorded models."""
        return sorted(
            run.name for run in (self.folder / "runs").glob("*") if (self.folder / f"{run.name}.json").is_file()
        )


@dataclass(frozen=True)
class ParityModel:
    """One recorded model: what it should compute, and ours."""

    set: ParitySet
    variant: str
    expected: dict
    tensors: dict[str, torch.Tensor]
    model: InstructVLA

    def frames(self, case: dict) -> list[np.ndarray]:
        """The frames of a case, primary first."""
        return [self.set.images[case[key]] for key in ("image", "wrist") if case.get(key)]

    def compare(self, what: str, ours: torch.Tensor | np.ndarray, key: str, tolerance: float) -> None:
        """Hold a tensor of ours against a recorded one, if the set has it, and remember how close it was."""
        if key not in self.tensors:
            return
        theirs = self.tensors[key].double()
        ours = torch.as_tensor(ours).detach().double()
        assert ours.shape == theirs.shape, f"{key}: {tuple(ours.shape)} instead of {tuple(theirs.shape)}"
        self.remember(what, float((ours - theirs).abs().max()), tolerance, key)

    def remember(self, what: str, difference: float, tolerance: float, key: str) -> None:
        """Note a difference for the summary and insist on the tolerance."""
        entry = (f"{self.variant} ({self.set.name})", what)
        _CLOSENESS[entry] = max(_CLOSENESS.get(entry, 0.0), difference)
        assert difference <= tolerance, f"{self.variant} {key}: off by {difference:.3g}, more than {tolerance:g}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give tests every recorded model (or those of the repository), training step, flow or text that there is."""
    kinds = {
        "parity_name": lambda expected: [()],
        "reduced_name": lambda expected: [()],
        "training_name": lambda expected: [()] if "train" in expected else [],
        "flow_name": lambda expected: _flows(expected, ("plain", "reason_clean")),
        "reasoning_name": lambda expected: _flows(expected, ("reason_clean",)),
    }
    for fixture, parts_of in kinds.items():
        if fixture in metafunc.fixturenames:
            names = [
                (name, variant, *parts)
                for name, folder in FOLDERS.items()
                if fixture != "reduced_name" or name == "reduced"
                for variant in ParitySet(name, folder).variants
                for parts in parts_of(json.loads((folder / f"{variant}.json").read_text()))
            ]
            metafunc.parametrize(fixture, names, ids="-".join, scope="session")


def _flows(expected: dict, wanted: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(case, flow) for case, content in expected["cases"].items() for flow in wanted if flow in content]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show how close our numbers were to the recorded ones, one column for each model."""
    if not _CLOSENESS:
        return
    models = sorted({model for model, _ in _CLOSENESS})
    terminalreporter.section("parity: largest absolute difference")
    for number, model in enumerate(models, start=1):
        terminalreporter.write_line(f"({number}) {model}")
    terminalreporter.write_line(f"{'':26}" + "".join(f"{f'({number})':>9}" for number in range(1, len(models) + 1)))
    for what in dict.fromkeys(what for _, what in _CLOSENESS):
        cells = [_CLOSENESS.get((model, what)) for model in models]
        row = "".join(f"{'-' if cell is None else f'{cell:.1e}':>9}" for cell in cells)
        terminalreporter.write_line(f"{what:26}{row}")


@pytest.fixture(scope="session", params=FOLDERS)
def parity_set(request: pytest.FixtureRequest) -> ParitySet:
    """Each folder of recorded numbers that there is."""
    folder = FOLDERS[request.param]
    if not folder.is_dir():
        pytest.skip(f"no recorded numbers at {folder}; INSTRUCTVLA_SHARED names the folder that holds parity/")
    return ParitySet(request.param, folder)


@pytest.fixture(scope="session")
def load_parity(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], ParityModel]:
    """Loads a recorded model by set and name, each once."""
    loaded: dict[tuple[str, str], ParityModel] = {}

    def load(set_name: str, variant: str) -> ParityModel:
        if (set_name, variant) not in loaded:
            parity_set = ParitySet(set_name, FOLDERS[set_name])
            folder = parity_set.folder
            run, base = folder / "runs" / variant, None
            if any((run / "checkpoints").glob("*.xz")):
                base = next(folder.glob("Eagle2-2B*"))
                run = _unpacked(run, tmp_path_factory.mktemp(variant))
            model = InstructVLA.from_pretrained(run, base_vlm=base)
            expected = json.loads((folder / f"{variant}.json").read_text())
            tensors = load_file(folder / f"{variant}.safetensors")
            loaded[set_name, variant] = ParityModel(parity_set, variant, expected, tensors, model)
        return loaded[set_name, variant]

    return load


def _unpacked(run: Path, out: Path) -> Path:
    shutil.copytree(run, out, dirs_exist_ok=True)
    for packed in (out / "checkpoints").glob("*.xz"):
        packed.with_suffix("").write_bytes(lzma.decompress(packed.read_bytes()))
        packed.unlink()
    return out


@pytest.fixture(scope="session")
def parity(parity_name: tuple[str, str], load_parity: Callable[[str, str], ParityModel]) -> ParityModel:
    """Each recorded model in turn."""
    return load_parity(*parity_name)


@pytest.fixture(scope="session")
def training(training_name: tuple[str, str], load_parity: Callable[[str, str], ParityModel]) -> ParityModel:
    """Each recorded model whose training step was recorded, in turn."""
    return load_parity(*training_name)


@pytest.fixture(scope="session")
def generalist_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small untrained run: two adapters, robot state, one view."""
    return write_untrained(tmp_path_factory.mktemp("generalist"), seed=1)


@pytest.fixture(scope="session")
def generalist(generalist_run: Path) -> InstructVLA:
    """The model of `generalist_run`."""
    return InstructVLA.from_pretrained(generalist_run)


@pytest.fixture(scope="session")
def two_view_expert(tmp_path_factory: pytest.TempPathFactory) -> InstructVLA:
    """A small untrained model: one adapter, no robot state, two views, chunks of eight."""
    run = tmp_path_factory.mktemp("expert")
    return InstructVLA.from_pretrained(
        write_untrained(run, seed=2, generalist=False, uses_state=False, num_views=2, chunk_length=8)
    )


@pytest.fixture(scope="session")
def frame() -> np.ndarray:
    """A camera frame of noise."""
    return np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
