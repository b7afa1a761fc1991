# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Weights between file and model, with one copy of them in memory."""

import ctypes
import math
import mmap
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from instructvla_ros.model.layout import PARTS, official_names, unexpected
from instructvla_ros.model.settings import CheckpointError
from instructvla_ros.model.sizes import ModelSizes

_SHOWN = 5


def open_checkpoint(file: Path) -> dict[str, Tensor]:
    """Map a checkpoint file into memory; nothing is read before it is used.

    Args:
        file: a `.pt` file with `{"model": {part: {name: tensor}}}`.

    Returns:
        The tensors by `part.name`.

    Raises:
        CheckpointError: if the file is truncated, is something else, or holds something else than tensors.
    """
    try:
        content = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError:
        raise CheckpointError(f"{file} is missing") from None
    except (RuntimeError, ValueError, EOFError, OSError, KeyError, pickle.UnpicklingError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(f"{file} is truncated or no checkpoint of weights alone: {reason}") from error
    model = content.get("model") if isinstance(content, dict) else None
    if not isinstance(model, dict):
        raise CheckpointError(f'{file} has no entry "model" with the parts {", ".join(PARTS)}')
    tensors: dict[str, Tensor] = {}
    for part in PARTS:
        if not isinstance(model.get(part), dict):
            raise CheckpointError(f'{file} has no part "model" / "{part}"')
    for part, named in model.items():
        if not isinstance(named, dict):
            raise CheckpointError(f'{file}: "model" / "{part}" holds a {type(named).__name__}, not tensors by name')
        for name, tensor in named.items():
            if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
                raise CheckpointError(f"{file}: {part}.{name} is no tensor of floating point numbers")
            tensors[f"{part}.{name}"] = tensor
    return tensors


def load_weights(
    model: nn.Module,
    sizes: ModelSizes,
    tensors: Mapping[str, Tensor],
    device: torch.device,
    dtype: torch.dtype,
    mapped: bool = False,
) -> None:
    """Put a checkpoint's weights into a model that was built on the meta device.

    The largest weights go first, and each leaves the pages of the file again, so that the peak stays near the model's
    own size.

    Args:
        model: takes the weights.
        sizes: its sizes.
        tensors: the checkpoint, names as in `layout`.
        device: where the weights go.
        dtype: what they are converted to.
        mapped: whether the tensors are views of a file, as `open_checkpoint` gives them, whose pages may be dropped.

    Raises:
        CheckpointError: names the tensors that are missing, left over, of another shape or not finite.
    """
    parameters = dict(model.named_parameters())
    sources = {name: official_names(name, sizes) for name in parameters}
    known = [official for names in sources.values() for official in names]
    _refuse("lacks", [name for name in known if name not in tensors])
    _refuse("has unknown tensors:", unexpected(tensors, known))
    for name, parameter in parameters.items():
        _check_shape(parameter, sources[name], tensors)
    weights: dict[str, Tensor] = {}
    for name in sorted(parameters, key=lambda name: parameters[name].numel(), reverse=True):
        weight = torch.empty(parameters[name].shape, device=device, dtype=dtype)
        flat = weight.view(-1)
        start = 0
        for official in sources[name]:
            source = tensors[official]
            flat[start : start + source.numel()].view(source.shape).copy_(source)
            start += source.numel()
            if mapped:
                _release_pages(source)
        if not all(math.isfinite(float(bound)) for bound in torch.aminmax(weight)):  # needs no copy of the weight
            raise CheckpointError(f"{', '.join(sources[name])} holds values that are not finite")
        weights[name] = weight
    model.load_state_dict(weights, assign=True)


def save_checkpoint(model: nn.Module, sizes: ModelSizes, file: Path, dtype: torch.dtype | None = None) -> None:
    """Write a model's weights in the layout of published checkpoints.

    Args:
        model: whose weights.
        sizes: its sizes.
        file: a `.pt` file; its folder is made if need be.
        dtype: what the weights are converted to; as they are if None.
    """
    parts: dict[str, dict[str, Any]] = {part: {} for part in PARTS}
    for name, parameter in model.named_parameters():
        names = official_names(name, sizes)
        pieces = parameter.detach().cpu().chunk(len(names)) if len(names) > 1 else (parameter.detach().cpu(),)
        for official, piece in zip(names, pieces, strict=True):
            part, _, key = official.partition(".")
            parts[part][key] = _official_shape(key, piece).to(dtype or piece.dtype, copy=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": parts}, file)


def _official_shape(key: str, tensor: Tensor) -> Tensor:
    # class, register and position tokens carry a batch dimension of one in checkpoints
    return tensor.unsqueeze(0) if key.endswith((".cls_token", ".reg_token", ".pos_embed")) else tensor


def _check_shape(parameter: Tensor, names: tuple[str, ...], tensors: Mapping[str, Tensor]) -> None:
    expected = torch.Size((parameter.shape[0] // len(names), *parameter.shape[1:]))
    for name in names:
        found = tensors[name].shape
        if found != expected and found != _official_shape(name, torch.empty(expected, device="meta")).shape:
            raise CheckpointError(f"{name} has the shape {tuple(found)}; the rest asks for {tuple(expected)}")


def _refuse(what: str, names: list[str]) -> None:
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        raise CheckpointError(f"the checkpoint {what} {', '.join(names[:_SHOWN])}{more}")


def _release_pages(tensor: Tensor) -> None:
    # the pages are a clean view of the file and come back from there if they are ever read again
    if not tensor.is_contiguous() or tensor.numel() == 0:
        return
    start = tensor.data_ptr() // mmap.PAGESIZE * mmap.PAGESIZE
    length = tensor.data_ptr() + tensor.numel() * tensor.element_size() - start
    ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), mmap.MADV_DONTNEED)
