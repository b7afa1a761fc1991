# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The folders that a model comes in.

A run folder holds `config.json`, `dataset_statistics.json` and `checkpoints/*.pt`; a base folder holds the vision
language model's `config.json` and its tokenizer. Small models may add `tiny_sizes.json` to the run: constants that the
published checkpoints leave out because they are the same for all of them.
"""

import glob
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from instructvla_ros.checkpoint_files import newest_checkpoint
from instructvla_ros.model.action_expert import OFFICIAL_MASK, TRUE_MASK
from instructvla_ros.model.settings import CheckpointError, Settings, read_json

BASE_FOLDER_PATTERN = "Eagle2-2B*"
DEFAULT_NUM_QUERIES = 64
VIEWS = (1, 2)


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
        if checkpoint is None:
            raise CheckpointError(f"there is no checkpoint {folder / 'checkpoints'}/*.pt")
        return cls(folder, config, statistics, constants, checkpoint)

    @property
    def settings(self) -> Settings:
        """`config.json`, checked as it is read."""
        return Settings(self.path / "config.json", self.config)

    @property
    def constant_settings(self) -> Settings:
        """`tiny_sizes.json`, checked as it is read."""
        return Settings(self.path / "tiny_sizes.json", self.constants)

    @property
    def num_queries(self) -> int:
        """Meta queries, that is latent actions.

        Raises:
            CheckpointError: if the configuration says something else than a number.
        """
        return self.settings.integer("num_of_meta_query", DEFAULT_NUM_QUERIES)

    @property
    def training_settings(self) -> dict[str, Any]:
        """The `vla` part of the configuration.

        Raises:
            CheckpointError: if it is no object.
        """
        return dict(self.settings.part("vla").content)

    @property
    def num_views(self) -> int:
        """Camera views: as the constants say, else two for LIBERO and one for all others.

        Raises:
            CheckpointError: if the constants say something else than 1 or 2.
        """
        if "num_views" in self.constants:
            views = self.constant_settings.integer("num_views")
            if views not in VIEWS:
                raise self.constant_settings.error("num_views", f"must be 1 or 2, not {views}")
            return views
        names = [*self.statistics, str(self.training_settings.get("data_mix", ""))]
        return 2 if any("libero" in name.lower() for name in names) else 1

    @property
    def image_augmentation(self) -> bool:
        """Whether training augmented images, so that frames must be cropped.

        Raises:
            CheckpointError: if the configuration says neither true nor false.
        """
        return self.settings.boolean("image_aug", False)

    @property
    def action_expert_mask(self) -> str:
        """The action expert's attention mask; published runs say nothing and use the additive one.

        Raises:
            CheckpointError: if the configuration names an unknown mask.
        """
        return self.settings.choice("action_expert_mask", OFFICIAL_MASK, (OFFICIAL_MASK, TRUE_MASK))

    def base_folders(self, given: str | PathLike[str] | None = None) -> list[Path]:
        """Find the folders that may be the base folder.

        Args:
            given: where it is, if the caller knows.

        Returns:
            Folders with a configuration and a tokenizer, likelier ones first: the given one alone, else those that the
            configuration names (from the run folder, its parents or the working directory), then those inside or
            beside the run.

        Raises:
            CheckpointError: if there is none; lists the places looked at.
        """
        if given is not None:
            folder = Path(given).expanduser()
            if not is_base_folder(folder):
                raise CheckpointError(
                    f"{folder} is no base folder: it needs config.json and tokenizer.json or vocab.json"
                )
            return [folder]
        candidates = list(dict.fromkeys(self._base_candidates()))
        found: dict[Path, Path] = {}
        for folder in filter(is_base_folder, candidates):
            found.setdefault(folder.resolve(), folder)
        if not found:
            raise CheckpointError(
                f"the base folder (Eagle2-2B: config.json and tokenizer) of {self.path} was not found; "
                f"name it with base_vlm. Looked at: {', '.join(map(str, candidates))}"
            )
        return list(found.values())

    def _base_candidates(self) -> Iterator[Path]:
        run = self.path.resolve()
        named = str(self.training_settings.get("base_vlm") or "")
        patterns = [BASE_FOLDER_PATTERN]
        if named:
            for root in (run, *run.parents, Path.cwd()):
                yield root / named
            if Path(named).name:
                patterns.insert(0, glob.escape(Path(named).name) + "*")
        for root in (run, run.parent, run.parent.parent):
            for pattern in patterns:
                found = sorted(folder for folder in root.glob(pattern) if folder.is_dir())
                yield from found or (root / pattern,)


def is_base_folder(folder: Path) -> bool:
    """Whether a folder holds a configuration and a tokenizer."""
    return (folder / "config.json").is_file() and any(
        (folder / name).is_file() for name in ("tokenizer.json", "vocab.json")
    )
