# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A model ready to run: on the device and in the type that are right for it here."""

import os

import torch

from instructvla_ros.model.instructvla import InstructVLA


def load_for_running(
    checkpoint: str | os.PathLike[str],
    base_vlm: str | os.PathLike[str] | None = None,
    device: str = "auto",
    dtype: str = "auto",
    threads: int = 0,
) -> InstructVLA:
    """Load a run folder in the form that runs fastest.

    Args:
        checkpoint: the run folder, or one checkpoint in it.
        base_vlm: folder of the base model, if it is not where it is looked for.
        device: as torch names it, or ``auto``: a GPU where there is one.
        dtype: as torch names it, or ``auto``: bfloat16 on a GPU, float32 else.
        threads: that torch may use; 0: as many as it likes.

    Raises:
        CheckpointError: names what is missing, broken or does not fit.
        ValueError: there is no such device or type.
    """
    gpu = torch.cuda.is_available()
    if device == "auto":
        device = "cuda" if gpu else "cpu"
    if torch.device(device).type == "cuda" and not gpu:
        raise ValueError(f"device {device!r} is asked for, but torch sees no GPU here: say cpu, or auto")
    if dtype == "auto":
        dtype = "bfloat16" if device.startswith("cuda") else "float32"
    kind = getattr(torch, dtype, None)
    if not isinstance(kind, torch.dtype):
        raise ValueError(f"torch has no type {dtype!r}; usual are float32, bfloat16 and auto")
    if threads:
        torch.set_num_threads(threads)
    return InstructVLA.from_pretrained(checkpoint, base_vlm=base_vlm or None, device=device, dtype=kind).fuse()
