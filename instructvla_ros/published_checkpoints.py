# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The checkpoints that the authors of InstructVLA have published on the Hugging Face hub, and which files a run needs.

Names of repositories and folders: README of InternRobotics/InstructVLA on GitHub, and the listings of the repositories.
Needs neither torch nor the network.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from instructvla_ros.checkpoint_files import step_of

OWNER = "ShuaiYang03"
BASE_REPOSITORY = f"{OWNER}/InstructVLA_Assets"
BASE_FOLDER = "Eagle2-2B"
_RUN_FILES = ("config.json", "dataset_statistics.json")
_BASE_SUFFIXES = (".json", ".txt")  # configuration and tokenizer; weights and code of the base are not needed
_BASE_WEIGHTS = "index.json"


class CheckpointNameError(ValueError):
    """No published checkpoint has this name, or its repository does not hold a run; the message lists what there is."""


@dataclass(frozen=True)
class PublishedCheckpoint:
    """One published run.

    Attributes:
        name: as a user types it.
        repository: owner and name on the hub.
        description: what it is for.
    """

    name: str
    repository: str
    description: str


def _libero(suite: str) -> PublishedCheckpoint:
    return PublishedCheckpoint(
        f"libero_{suite}",
        f"{OWNER}/instructvla_pretraining_v2_libero_{suite}_wrist-image_aug",
        f"Expert for LIBERO {suite}, third-person and wrist view",
    )


PUBLISHED = {
    checkpoint.name: checkpoint
    for checkpoint in (
        PublishedCheckpoint(
            "generalist",
            f"{OWNER}/instructvla_finetune_v2_xlora_freeze_head_instruction",
            "Generalist: reasons, answers, acts; Bridge and Fractal",
        ),
        PublishedCheckpoint(
            "generalist_state",
            f"{OWNER}/instructvla_finetune_v2_xlora_freeze_head_instruction_state",
            "Generalist that reads the robot state",
        ),
        PublishedCheckpoint(
            "expert", f"{OWNER}/instructvla_pretraining_v2_query_64_lora", "Expert: acts; Bridge and Fractal"
        ),
        PublishedCheckpoint(
            "expert_state",
            f"{OWNER}/instructvla_pretraining_v2_query_64_lora_state",
            "Expert that reads the robot state",
        ),
        *map(_libero, ("goal", "10", "object", "spatial")),
    )
}
"""The published runs by the name that ``fetch_checkpoint`` takes."""


def published(name: str) -> PublishedCheckpoint:
    """The run of a name, or of a repository's name with or without its owner.

    Raises:
        CheckpointNameError: there is none; lists the names.
    """
    for checkpoint in PUBLISHED.values():
        if name in (checkpoint.name, checkpoint.repository, checkpoint.repository.split("/")[1]):
            return checkpoint
    close = difflib.get_close_matches(name, PUBLISHED, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    raise CheckpointNameError(f"no published checkpoint is called {name!r}{hint}; there are {', '.join(PUBLISHED)}")


def files_of_run(files: Iterable[str], repository: str, step: int | None = None) -> list[str]:
    """Which files of a repository make up a run: configuration, statistics and one file of weights.

    Args:
        files: all files of the repository, as paths with slashes.
        repository: its name, for messages.
        step: training step of the weights; None: the highest, which is the one that a run folder is opened with.

    Raises:
        CheckpointNameError: the repository lacks one of them, or has no weights of this step.
    """
    files = sorted(files)
    missing = [name for name in _RUN_FILES if name not in files]
    steps = {path: step_of(PurePosixPath(path).name) for path in files if PurePosixPath(path).match("checkpoints/*.pt")}
    if missing or not steps:
        lacks = missing + ([] if steps else ["checkpoints/*.pt"])
        raise CheckpointNameError(
            f"{repository} is no run folder: it lacks {', '.join(lacks)}; it holds {', '.join(files[:8]) or 'nothing'}"
        )
    wanted = max(steps.values()) if step is None else step
    chosen = [path for path, its_step in steps.items() if its_step == wanted]
    if not chosen:
        there = ", ".join(str(its_step) for its_step in sorted(set(steps.values())))
        raise CheckpointNameError(f"{repository} has no weights of step {step}; it has steps {there}")
    return [*_RUN_FILES, chosen[-1]]


def files_of_base(files: Iterable[str]) -> list[str]:
    """Which files of the assets are configuration and tokenizer of the vision-language model.

    Raises:
        CheckpointNameError: there are none.
    """
    chosen = [
        path
        for path in sorted(files)
        if PurePosixPath(path).match(f"{BASE_FOLDER}/*")
        and path.endswith(_BASE_SUFFIXES)
        and not path.endswith(_BASE_WEIGHTS)
    ]
    if f"{BASE_FOLDER}/config.json" not in chosen:
        raise CheckpointNameError(f"{BASE_REPOSITORY} has no {BASE_FOLDER}/config.json")
    return chosen
