# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The folders that a model comes in.

A run folder holds `config.json`, `dataset_statistics.json` and `checkpoints/*.pt`; a base folder holds the vision
language model's `config.json` and its tokenizer. Small models may add `tiny_sizes.json` to the run: constants that the
published checkpoints leave out because they are the same for all of them.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from instructvla_ros.model.action_expert import OFFICIAL_MASK, TRUE_MASK

BASE_FOLDER_PATTERN = "Eagle2-2B*"
DEFAULT_NUM_QUERIES = 64


class CheckpointError(RuntimeError):
    """A run folder, base folder or checkpoint cannot be used; the message names the file or the key."""


@dataclass(frozen=True)
class RunFolder:
    """What a run folder says of itself, weights aside.

    Attributes:
        path: the folder.
        config: `config.json`.
        statistics: `dataset_statistics.json`.
        constants: `tiny_sizes.json`, empty for published runs.
        checkpoint: the weights file: the newest step, or the one asked for.
    """

    path: Path
    config: dict[str, Any]
    statistics: dict[str, Any]
    constants: dict[str, Any]
    checkpoint: Path

    @classmethod
    def open(cls, path: str | Path) -> "RunFolder":
        """Read a run folder, or the run folder around one checkpoint file.

        Args:
            path: the run folder, or a `.pt` file in its `checkpoints` folder.

        Raises:
            CheckpointError: names what is missing or unreadable.
        """
        given = Path(path).expanduser()
        if not given.exists():
            raise CheckpointError(f"there is no run folder {given}")
        folder = given.parent.parent if given.is_file() else given
        config = read_json(folder / "config.json")
        statistics = read_json(folder / "dataset_statistics.json")
        constants_file = folder / "tiny_sizes.json"
        constants = read_json(constants_file) if constants_file.exists() else {}
        checkpoint = given if given.is_file() else newest_checkpoint(folder)
        return cls(folder, config, statistics, constants, checkpoint)

    @property
    def num_queries(self) -> int:
        """Meta queries, that is latent actions."""
        return int(self.config.get("num_of_meta_query", DEFAULT_NUM_QUERIES))

    @property
    def training_settings(self) -> dict[str, Any]:
        """The `vla` part of the configuration."""
        settings = self.config.get("vla", {})
        return settings if isinstance(settings, dict) else {}

    @property
    def num_views(self) -> int:
        """Camera views: as the constants say, else two for LIBERO and one for all others."""
        if "num_views" in self.constants:
            return int(self.constants["num_views"])
        names = [*self.statistics, str(self.training_settings.get("data_mix", ""))]
        return 2 if any("libero" in name.lower() for name in names) else 1

    @property
    def image_augmentation(self) -> bool:
        """Whether training augmented images, so that frames must be cropped."""
        return bool(self.config.get("image_aug", False))

    @property
    def action_expert_mask(self) -> str:
        """The action expert's attention mask; published runs say nothing and use the additive one.

        Raises:
            CheckpointError: if the configuration names an unknown mask.
        """
        mask = str(self.config.get("action_expert_mask", OFFICIAL_MASK))
        if mask not in (OFFICIAL_MASK, TRUE_MASK):
            raise CheckpointError(
                f"{self.path / 'config.json'}: action_expert_mask is {mask!r}; known are {OFFICIAL_MASK}, {TRUE_MASK}"
            )
        return mask

    def base_folder(self, given: str | Path | None = None) -> Path:
        """Find the base folder.

        Args:
            given: where it is, if the caller knows.

        Returns:
            The first folder with a configuration and a tokenizer: the given one, else the one that the configuration
            names (from the run folder, its parents or the working directory), else one inside or beside the run.

        Raises:
            CheckpointError: lists the places looked at.
        """
        if given is not None:
            folder = Path(given).expanduser()
            if not is_base_folder(folder):
                raise CheckpointError(
                    f"{folder} is no base folder: it needs config.json and tokenizer.json or vocab.json"
                )
            return folder
        looked: list[str] = []
        for folder in self._base_candidates():
            if is_base_folder(folder):
                return folder
            if str(folder) not in looked:
                looked.append(str(folder))
        raise CheckpointError(
            f"the base folder (Eagle2-2B: config.json and tokenizer) of {self.path} was not found; "
            f"name it with base_vlm. Looked at: {', '.join(looked)}"
        )

    def _base_candidates(self) -> Iterator[Path]:
        run = self.path.resolve()
        named = str(self.training_settings.get("base_vlm") or "")
        patterns = [BASE_FOLDER_PATTERN]
        if named:
            for root in (run, *run.parents, Path.cwd()):
                yield root / named
            patterns.insert(0, Path(named).name + "*")
        for root in (run, run.parent, run.parent.parent):
            for pattern in patterns:
                found = sorted(folder for folder in root.glob(pattern) if folder.is_dir())
                yield from found or (root / pattern,)


def newest_checkpoint(folder: Path) -> Path:
    """The checkpoint of a run with the highest step in its name, the latest written among equals.

    Raises:
        CheckpointError: if there is none.
    """
    files = list((folder / "checkpoints").glob("*.pt"))
    if not files:
        raise CheckpointError(f"there is no checkpoint {folder / 'checkpoints'}/*.pt")

    def age(file: Path) -> tuple[int, float]:
        step = re.search(r"step-(\d+)", file.name)
        return (int(step.group(1)) if step else -1, file.stat().st_mtime)

    return max(files, key=age)


def is_base_folder(folder: Path) -> bool:
    """Whether a folder holds a configuration and a tokenizer."""
    return (folder / "config.json").is_file() and any(
        (folder / name).is_file() for name in ("tokenizer.json", "vocab.json")
    )


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        CheckpointError: if the file is missing, is no JSON, or holds something other than an object.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{file} is missing") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{file} must hold a JSON object, not a {type(content).__name__}")
    return content
