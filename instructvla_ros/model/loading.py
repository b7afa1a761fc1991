# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A model ready to run: on the device and in the type that are right for it here."""

import os
from collections.abc import Mapping
from pathlib import Path

import torch

from instructvla_ros.model.instructvla import InstructVLA
from instructvla_ros.model.run_folder import RunFolder

INT8 = "int8"
_LARGE = 1e9  # [B] of a checkpoint from which on a CPU reads weights longer than it converts them



def load_for_running(
    checkpoint: str | os.PathLike[str],
    base_vlm: str | os.PathLike[str] | None = None,
    device: str = "auto",
    dtype: str = "auto",
    threads: int = 0,
    cuda_graphs: bool = True,
) -> InstructVLA:
    """Load a run folder in the form that runs fastest.

    Args:
        checkpoint: the run folder, or one checkpoint in it.
        base_vlm: folder of the base model, if it is not where it is looked for.
        device: as torch names it, or ``auto``: a GPU where there is one.
        dtype: of the weights, as torch names it; ``int8`` for the language model's in 8 bits and the rest as under
            ``auto``, on a CPU only; ``auto``: bfloat16 on a GPU, and for large models on a CPU that has instructions
            for it; float32 else.
        threads: that torch may use; 0: as many as it likes.
        cuda_graphs: whether a GPU replays the steps by itself, see `recorded`; without effect on a CPU.

    Raises:
        CheckpointError: names what is missing, broken or does not fit.
        ValueError: there is no such device or type.
    """
    gpu = torch.cuda.is_available()
    if device == "auto":
        device = "cuda" if gpu else "cpu"
    if torch.device(device).type == "cuda" and not gpu:
        raise ValueError(f"device {device!r} is asked for, but torch sees no GPU here: say cpu, or auto")
    kind: torch.dtype | None
    if dtype in ("auto", INT8):
        kind = usual_type(device, RunFolder.open(Path(checkpoint)).checkpoint.stat().st_size > _LARGE)
    else:
        kind = getattr(torch, dtype, None)
    if not isinstance(kind, torch.dtype):
        raise ValueError(f"torch has no type {dtype!r}; usual are float32, bfloat16, int8 and auto")
    if threads:
        torch.set_num_threads(threads)
    model = InstructVLA.from_pretrained(checkpoint, base_vlm=base_vlm or None, device=device, dtype=kind)
    model.fuse(int8=dtype == INT8)
    return model.record() if cuda_graphs and device.startswith("cuda") else model


def usual_type(device: str, is_large: bool) -> torch.dtype:
    """The type of weights under ``auto``, and of those that are not in 8 bits under ``int8``."""
    if device.startswith("cuda") or is_large and has_bfloat16():
        return torch.bfloat16
    return torch.float32


def has_bfloat16() -> bool:
    """Whether this processor has instructions for bfloat16; without them it is many times slower than float32."""
    able: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # an older torch does not tell
    return bool(able.get("avx512_bf16") or able.get("amx_bf16") or able.get("bf16"))
