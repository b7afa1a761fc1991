# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which file of a run folder holds the weights. No torch: bags name the file that a policy runs with."""

from __future__ import annotations

import re
from pathlib import Path


def step_of(name: str) -> int:
    """The training step in the name of a file of weights; -1 without one."""
    step = re.search(r"step-(\d+)", name)
    return int(step.group(1)) if step else -1


def newest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint of a run with the highest step in its name, the latest written among equals; None without any.

    Args:
        folder: of the run; weights are ``checkpoints/*.pt`` in it.
    """

    def age(file: Path) -> tuple[int, float]:
        return step_of(file.name), file.stat().st_mtime

    return max((folder / "checkpoints").glob("*.pt"), key=age, default=None)
