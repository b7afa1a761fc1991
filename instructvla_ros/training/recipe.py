# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The recipe: what each stage begins with and what it trains.

Stage 0 makes the vision language model itself, which official runs bring: ``vision`` trains both towers to see,
``language`` the rest. Stage 1 (``action``) trains
the meta queries, one low-rank adapter and the action expert; the model below is frozen. Stage 2 (``tuning``) trains a
second adapter and the gate that mixes both; the action expert and all else are frozen. A run that has both adapters
already may go through ``action`` again, with both and the gate, before it is tuned once more.
"""

import math
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from instructvla_ros.model.checkpoint import save_checkpoint
from instructvla_ros.model.decoder import AdapterSizes
from instructvla_ros.model.instructvla import InstructVLA
from instructvla_ros.model.losses import keep_query_gradients
from instructvla_ros.model.prompt import Prompts
from instructvla_ros.model.run_writer import ADAPTED, base_config, constants, train_tokenizer, write_json
from instructvla_ros.model.sizes import ModelSizes
from instructvla_ros.model.statistics import Statistics
from instructvla_ros.training.language.facts import Facts
from instructvla_ros.training.language.questions import corpus
from instructvla_ros.training.language.words import COLORS, SHAPES, TASKS
from instructvla_ros.training.objectives import GroundingHeads
from instructvla_ros.training.settings import ACTION, LANGUAGE, TUNING, VISION, NewStart

BASE_FOLDER = "Eagle2-2B-small"
_SENTENCES = 4000
_EMBEDDING_STD = 0.05
_FAINT = 0.15  # of sines added to image tokens, whose neighbours in a prompt are embeddings of 0.05
_QUERY_ROWS = ("language.embedding.weight", "language.head.weight")


def new_model(start: NewStart, folder: Path, tables: list[Facts], statistics: dict[str, Any], seed: int) -> InstructVLA:
    """A model that begins with nothing; its base folder is written into the run folder, or has its tokenizer already.

    Args:
        start: its sizes.
        folder: the run folder; made if need be.
        tables: what lies on some tables, for the tokenizer's sentences.
        statistics: content of `dataset_statistics.json`.
        seed: of the weights.
    """
    base = folder / BASE_FOLDER
    base.mkdir(parents=True, exist_ok=True)
    file = base / "tokenizer.json"
    if file.is_file():  # of a run that goes on, whose weights belong to it
        tokenizer = Tokenizer.from_file(str(file))
    else:
        tokenizer = train_tokenizer(corpus(Random(seed), tables, _SENTENCES), start.vocabulary)
        tokenizer.save(str(file))
    sizes = start.model.sizes(tokenizer.get_vocab_size() + start.model.num_queries)
    write_json(base / "config.json", base_config(sizes, tokenizer))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        prompts = Prompts(base, sizes.num_queries, sizes.num_image_tokens)
        model = InstructVLA(sizes, prompts, Statistics(statistics))
        for name, parameter in model.named_parameters():
            if name.endswith(("embedding", "embedding.weight", "class_token", "registers", "positions")):
                nn.init.normal_(parameter, std=_EMBEDDING_STD)
        vision = model.expert.vision
        with torch.no_grad():  # small random places drown in what the patches show: nothing tells where a thing lies
            vision.position_embedding.copy_(grid_positions(vision.sizes.grid, vision.sizes.width))
            places = model.images.positions
            if places is not None:  # faint: as strong as the action vision's they keep the words from being learned
                side = math.isqrt(sizes.num_image_tokens)
                places.copy_(_FAINT * grid_positions(side, places.shape[-1]).reshape(places.shape))
        for layer in model.expert.modules():
            if isinstance(layer, nn.Linear):  # torch's own start is too small for the deep action head to learn soon
                nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
    return model


def grid_positions(side: int, width: int) -> Tensor:
    """Places in a square of patches as sines and cosines, half of the channels for the row and half for the column.

    Args:
        side: patches along one side.
        width: channels, a multiple of four.

    Returns:
        ``(side * side, width)``, row by row; the longest wave spans four sides.
    """
    count = width // 4
    frequencies = math.pi * (2.0 * side) ** (-torch.arange(count) / count)  # (width / 4,) [rad a patch]
    angles = torch.arange(side)[:, None] * frequencies
    along = torch.cat((angles.sin(), angles.cos()), dim=1)  # (side, width / 2)
    rows, columns = along[:, None].expand(side, side, -1), along[None].expand(side, side, -1)
    return torch.cat((rows, columns), dim=-1).reshape(side * side, -1)


def with_adapters(model: InstructVLA, count: int, rank: int, alpha: float, gate_width: int, seed: int) -> InstructVLA:
    """The same model with more adapters on its language model; with two there is a gate.

    A new adapter adds nothing at first: its second matrix is zero.

    Args:
        model: with fewer adapters.
        count: of adapters afterwards.
        rank: of new ones.
        alpha: a new adapter is scaled by ``alpha / rank``; those that are there keep theirs.
        gate_width: hidden channels of a new gate.
        seed: of the new weights.
    """
    decoder = model.sizes.language.decoder
    present = decoder.adapters
    ranks = (*(present.ranks if present else ()), *(rank,) * (count - (len(present.ranks) if present else 0)))
    adapters = AdapterSizes(ranks, present.alpha if present else alpha, present.targets if present else ADAPTED)
    gate = (decoder.width, *(gate_width,) * 3, count) if count > 1 else None
    sizes: ModelSizes = replace(
        model.sizes,
        language=replace(model.sizes.language, decoder=replace(decoder, adapters=adapters), gate_widths=gate),
        adapter_names=tuple(str(index) for index in range(count)) if count > 1 else ("default",),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        grown = InstructVLA(sizes, model.prompts, model.statistics, model.crop_frames)
        for name, parameter in grown.named_parameters():
            if ".lora_a." in name:
                nn.init.kaiming_uniform_(parameter, a=math.sqrt(5))
    grown.load_state_dict(model.state_dict(), strict=False)
    return grown.to(device=model.device, dtype=model.dtype)


def choose_trained(model: InstructVLA, stage: str) -> list[Any]:
    """Freeze all but what a stage trains.

    Args:
        model: with the adapters of the stage.
        stage: ``vision``, ``language``, ``action`` or ``tuning``.

    Returns:
        Handles of hooks that restrict gradients to some rows; to be removed after the stage.
    """
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(is_trained(name, stage))
    return keep_query_gradients(model) if stage == ACTION else []


def is_trained(name: str, stage: str) -> bool:
    """Whether a stage trains a parameter. Of embedding and head the action stage trains the meta queries' rows."""
    if stage == VISION:
        return name.startswith(("images.", "expert.vision."))
    if stage == LANGUAGE:
        is_base = ".lora_" not in name and ".gate.layers" not in name
        return name.startswith(("images.", "language.", "expert.vision.")) and is_base
    if stage == ACTION:
        return name.startswith(("expert.", "language.gate.")) or ".lora_" in name or name in _QUERY_ROWS
    if stage == TUNING:
        return name.endswith(("lora_a.1", "lora_b.1")) or name.startswith("language.gate.")
    raise ValueError(f"there is no stage {stage!r}")


def adapters_of(stage: str) -> int:
    """How many adapters the language model has in a stage, at least."""
    return {VISION: 0, LANGUAGE: 0, ACTION: 1, TUNING: 2}[stage]


def parameter_groups(model: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Trained parameters, matrices with weight decay and all others without.

    Rows that gradients never reach must not decay either, so embedding and head have none.
    """
    decayed: list[Tensor] = []
    free: list[Tensor] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            is_matrix = parameter.dim() > 1 and not name.endswith((*_QUERY_ROWS, "positions", "embedding"))
            (decayed if is_matrix else free).append(parameter)
    groups = [{"params": decayed, "weight_decay": decay}, {"params": free, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def new_heads(model: InstructVLA, seed: int) -> GroundingHeads:
    """Grounding heads that fit a model."""
    language, vision = model.sizes.language.decoder.width, model.sizes.action_expert.vision.width
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        heads = GroundingHeads(language, vision, len(TASKS), len(COLORS), len(SHAPES))
    return heads.to(model.device)


def write_run(
    model: InstructVLA,
    folder: Path,
    stage: str,
    step: int,
    statistics: dict[str, Any],
    config: dict[str, Any],
    storage: torch.dtype,
) -> Path:
    """Write a run folder that the normal loader takes.

    Args:
        model: the model; its base folder lies in the run folder, or is named by the configuration.
        folder: the run folder.
        stage: that was finished.
        step: of the stage, for the checkpoint's name.
        statistics: content of `dataset_statistics.json`.
        config: further content of `config.json`.
        storage: type of the weights in the file.

    Returns:
        The checkpoint file.
    """
    content = {
        "stage": "stage2" if len(model.sizes.adapter_names) > 1 else "stage1",
        "num_of_meta_query": model.sizes.num_queries,
        "image_aug": model.crop_frames,
        "action_expert_mask": model.sizes.action_expert.mask,
        **config,
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", content)
    write_json(folder / "dataset_statistics.json", statistics)
    write_json(folder / "tiny_sizes.json", constants(model.sizes))
    file = folder / "checkpoints" / f"step-{step:06d}-{stage}.pt"
    save_checkpoint(model, model.sizes, file, storage)
    return file
