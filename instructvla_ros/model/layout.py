# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How our parameters are called in published checkpoints, and which of their tensors we leave aside.

A checkpoint is `{"model": {part: {name: tensor}}}`; here a tensor goes by `part.name`.
"""

import re
from collections.abc import Iterable

from instructvla_ros.model.sizes import ADAPTED_LAYERS, GATE_PREFIX, IMAGE_POSITIONS, ModelSizes
from instructvla_ros.model.vision_sizes import FILM_BLOCKS

PARTS = ("vision_model", "language_model", "mlp1", "action_model")
_TOWER = "vision_model.vision_model"
_FILM = "action_model.film_vision_model.vision_model"

_RULES: tuple[tuple[str, str], ...] = (
    (r"images\.tower\.stem\.(.*)", rf"{_TOWER}.embeddings.stem.\1"),
    (r"images\.tower\.patch_embedding\.(.*)", rf"{_TOWER}.embeddings.patch_embedding.\1"),
    (r"images\.tower\.position_embedding", rf"{_TOWER}.embeddings.position_embedding.weight"),
    (r"images\.tower\.blocks\.(\d+)\.norm([12])\.(.*)", rf"{_TOWER}.encoder.layers.\1.layer_norm\2.\3"),
    (r"images\.tower\.blocks\.(\d+)\.out\.(.*)", rf"{_TOWER}.encoder.layers.\1.self_attn.out_proj.\2"),
    (r"images\.tower\.blocks\.(\d+)\.(fc[12])\.(.*)", rf"{_TOWER}.encoder.layers.\1.mlp.\2.\3"),
    (r"images\.tower\.norm\.(.*)", rf"{_TOWER}.post_layernorm.\1"),
    (r"images\.projector\.(.*)", r"mlp1.\1"),
    (r"images\.positions", IMAGE_POSITIONS),
    (r"language\.gate\.(.*)", rf"{GATE_PREFIX}\1"),
    (r"expert\.vision\.stem\.(.*)", rf"{_FILM}.patch_embed.stem.\1"),
    (r"expert\.vision\.patch_embedding\.(.*)", rf"{_FILM}.patch_embed.proj.\1"),
    (r"expert\.vision\.position_embedding", rf"{_FILM}.pos_embed"),
    (r"expert\.vision\.class_token", rf"{_FILM}.cls_token"),
    (r"expert\.vision\.registers", rf"{_FILM}.reg_token"),
    (r"expert\.vision\.blocks\.(\d+)\.norm([12])\.(.*)", rf"{_FILM}.blocks.\1.block.norm\2.\3"),
    (r"expert\.vision\.blocks\.(\d+)\.qkv\.(.*)", rf"{_FILM}.blocks.\1.block.attn.qkv.\2"),
    (r"expert\.vision\.blocks\.(\d+)\.out\.(.*)", rf"{_FILM}.blocks.\1.block.attn.proj.\2"),
    (r"expert\.vision\.blocks\.(\d+)\.(fc[12])\.(.*)", rf"{_FILM}.blocks.\1.block.mlp.\2.\3"),
    (r"expert\.vision\.blocks\.(\d+)\.attention_scale", rf"{_FILM}.blocks.\1.block.ls1.gamma"),
    (r"expert\.vision\.blocks\.(\d+)\.mlp_scale", rf"{_FILM}.blocks.\1.block.ls2.gamma"),
    (r"expert\.vision\.blocks\.(\d+)\.film_gamma\.(.*)", rf"{_FILM}.blocks.\1.scale.\2"),
    (r"expert\.vision\.blocks\.(\d+)\.film_beta\.(.*)", rf"{_FILM}.blocks.\1.shift.\2"),
    (r"expert\.visual_projector\.(.*)", r"action_model.visual_projector.\1"),
    (r"expert\.latent_projector\.(.*)", r"action_model.cog_projector.\1"),
    (r"expert\.state_encoder\.(.*)", r"action_model.state_embed.\1"),
    (r"expert\.action_encoder\.action\.(.*)", r"action_model.action_embed.linear_1.\1"),
    (r"expert\.action_encoder\.with_time\.(.*)", r"action_model.action_embed.linear_2.\1"),
    (r"expert\.action_encoder\.out\.(.*)", r"action_model.action_embed.linear_3.\1"),
    (r"expert\.head\.(.*)", r"action_model.action_head.\1"),
)
_UNUSED = (
    r"vision_model\.vision_model\.head\..*",
    r"action_model\.film_vision_model\.vision_model\.(norm\..*|mask_token|head\..*|fc_norm\..*)",
    r".*\.rotary_emb\.inv_freq",
    r".*\.embeddings\.position_ids",
)


def official_names(ours: str, sizes: ModelSizes) -> tuple[str, ...]:
    """What one of our parameters is called in a checkpoint.

    Args:
        ours: name of the parameter in the model.
        sizes: the model's sizes.

    Returns:
        One name, or several whose rows follow one another in ours.

    Raises:
        KeyError: if the model has no such parameter.
    """
    fused = re.fullmatch(r"images\.tower\.blocks\.(\d+)\.qkv\.(.*)", ours)
    if fused:
        block, kind = fused.groups()
        return tuple(f"{_TOWER}.encoder.layers.{block}.self_attn.{letter}_proj.{kind}" for letter in "qkv")
    for pattern, replacement in _RULES:
        match = re.fullmatch(pattern, ours)
        if match:
            return (match.expand(replacement),)
    for part, root in (("language", sizes.language_root), ("expert", "action_model.VideoGPT")):
        if ours.startswith(f"{part}."):
            return (f"{root}.{_decoder_name(ours.removeprefix(part + '.'), sizes, part == 'language')}",)
    raise KeyError(ours)


def is_unused(official: str) -> bool:
    """Whether a tensor belongs to published checkpoints but never reaches the output."""
    block = re.match(re.escape(_FILM) + r"\.blocks\.(\d+)\.", official)
    if block:
        return int(block.group(1)) >= FILM_BLOCKS
    return any(re.fullmatch(pattern, official) for pattern in _UNUSED)


def unexpected(present: Iterable[str], known: Iterable[str]) -> list[str]:
    """Names of tensors that the model has no place for, those aside that are known to be unused."""
    known = set(known)
    return [name for name in present if name not in known and not is_unused(name)]


def _decoder_name(name: str, sizes: ModelSizes, adaptable: bool) -> str:
    if name == "embedding.weight":
        return "model.embed_tokens.weight"
    if name == "head.weight":
        return "lm_head.weight"
    if name == "decoder.norm.weight":
        return "model.norm.weight"
    match = re.fullmatch(r"decoder\.layers\.(\d+)\.(\w+)\.(.*)", name)
    if match is None:
        raise KeyError(name)
    layer, module, rest = match.groups()
    root = f"model.layers.{layer}"
    if module in ("norm1", "norm2"):
        return f"{root}.{'input_layernorm' if module == 'norm1' else 'post_attention_layernorm'}.{rest}"
    official = ADAPTED_LAYERS[module]
    adapter = re.fullmatch(r"lora_([ab])\.(\d+)", rest)
    if adapter:
        return f"{root}.{official}.lora_{adapter.group(1).upper()}.{sizes.adapter_names[int(adapter.group(2))]}.weight"
    adapters = sizes.language.decoder.adapters
    wrapped = adaptable and adapters is not None and module in adapters.targets
    return f"{root}.{official}.{'base_layer.' if wrapped else ''}{rest}"
