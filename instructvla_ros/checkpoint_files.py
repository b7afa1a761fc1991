# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which file of a run folder holds the weights. No torch: bags name the file that a policy runs with."""

from __future__ import annotations

import re
from pathlib import Path


def newest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint of a run with the highest step in its name, the latest written among equals; None without any.

    Args:
        folder: of the run; weights are ``checkpoints/*.pt`` in it.
    """

    def age(file: Path) -> tuple[int, float]:
        step = re.search(r"step-(\d+)", file.name)
        return (int(step.group(1)) if step else -1, file.stat().st_mtime)

    return max((folder / "checkpoints").glob("*.pt"), key=age, default=None)
