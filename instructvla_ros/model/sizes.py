# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The sizes of a model, read from its tensors as far as they tell, from its configurations where they do not.

Head counts cannot be read from tensors. The base folder's configuration gives those of the vision tower and the
language model; for the action expert and its vision tower the run's constants do, and without them heads are 64 wide,
as in all published checkpoints.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from instructvla_ros.model.action_expert import ActionExpertSizes
from instructvla_ros.model.decoder import AdapterSizes, DecoderSizes
from instructvla_ros.model.language import LanguageSizes
from instructvla_ros.model.run_folder import CheckpointError, RunFolder
from instructvla_ros.model.vision import VisionSizes

FILM_BLOCKS = 3  # the action vision's output is that of its third block, whatever the depth
OFFICIAL_HEAD_WIDTH = 64
OFFICIAL_EXPERT_THETA = 1000.0
OFFICIAL_EXPERT_NORM_EPS = 1e-6
OFFICIAL_LORA_ALPHA = 256.0
ADAPTED_LAYERS = {
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "o": "self_attn.o_proj",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}
GATE_PREFIX = "language_model.base_model.internal_xlora_classifier."
_FILM_TOWER = "action_model.film_vision_model.vision_model"
_EXPERT = "action_model.VideoGPT.model"


@dataclass(frozen=True)
class ModelSizes:
    """All sizes of a model, and how its language model's tensors are called.

    Attributes:
        image_tower: the language model's vision tower.
        shuffle_block: side of the squares of vision tokens that are gathered into one.
        projector_widths: gathered width, hidden width, language width.
        language: the language model.
        action_expert: the action expert.
        num_queries: meta queries, that is latent actions.
        num_views: camera views.
        adapter_names: names of the adapters in the checkpoint.
    """

    image_tower: VisionSizes
    shuffle_block: int
    projector_widths: tuple[int, int, int]
    language: LanguageSizes
    action_expert: ActionExpertSizes
    num_queries: int
    num_views: int
    adapter_names: tuple[str, ...]

    @property
    def language_root(self) -> str:
        """What stands before the names of the language model's tensors in the checkpoint."""
        if self.language.gate_widths:
            return "language_model.base_model.lora_model.model"
        return "language_model.base_model.model" if self.adapter_names else "language_model"


def read_sizes(
    tensors: Mapping[str, Tensor], run: RunFolder, base_config: Mapping[str, Any], num_views: int
) -> ModelSizes:
    """Read a model's sizes.

    Args:
        tensors: the checkpoint, names as in `layout`.
        run: the run folder.
        base_config: `config.json` of the base folder.
        num_views: camera views.

    Raises:
        CheckpointError: names the tensor or setting that is missing or contradicts another.
    """
    adapter_names = _adapter_names(tensors)
    language, language_root = _language_sizes(tensors, run, base_config, adapter_names)
    tower = _image_tower_sizes(tensors, base_config)
    projector = (_rows(tensors, "mlp1.0.weight"), _rows(tensors, "mlp1.1.weight"), _rows(tensors, "mlp1.3.weight"))
    ratio = float(base_config.get("downsample_ratio", 0.5))
    sizes = ModelSizes(
        image_tower=tower,
        shuffle_block=round(1 / ratio),
        projector_widths=projector,
        language=language,
        action_expert=_expert_sizes(tensors, run, language.decoder.width),
        num_queries=run.num_queries,
        num_views=num_views,
        adapter_names=adapter_names,
    )
    if sizes.language_root != language_root:
        raise CheckpointError(
            f"the language model's tensors are called {language_root}.*, but with these adapters "
            f"{sizes.language_root}.* is expected"
        )
    return sizes


def _language_sizes(
    tensors: Mapping[str, Tensor], run: RunFolder, base_config: Mapping[str, Any], adapter_names: tuple[str, ...]
) -> tuple[LanguageSizes, str]:
    embedding = next((name for name in tensors if name.endswith(".model.embed_tokens.weight")), None)
    if embedding is None:
        raise CheckpointError("the checkpoint has no tensor language_model.*.model.embed_tokens.weight")
    root = embedding.removesuffix(".model.embed_tokens.weight")
    config = _part(base_config, "llm_config")
    vocabulary, width = tensors[embedding].shape
    heads = _number(config, "num_attention_heads", "llm_config")
    head_width = int(config.get("head_dim") or width // heads)
    first = f"{root}.model.layers.0"

    def linear(name: str) -> str:
        return _first_of(tensors, f"{first}.{name}.base_layer.weight", f"{first}.{name}.weight")

    rope = config.get("rope_theta") or _part(config, "rope_parameters").get("rope_theta")
    if rope is None:
        raise CheckpointError("the base folder's config.json lacks llm_config.rope_theta")
    depth = _depth(tensors, f"{root}.model.layers.")
    decoder = DecoderSizes(
        width=width,
        depth=depth,
        heads=heads,
        key_heads=_rows(tensors, linear("self_attn.k_proj")) // head_width,
        head_width=head_width,
        mlp_width=_rows(tensors, linear("mlp.up_proj")),
        rope_theta=float(rope),
        norm_eps=float(config.get("rms_norm_eps", 1e-6)),
        qkv_bias=_query_bias(tensors, root),
        adapters=_adapter_sizes(tensors, first, adapter_names, run),
    )
    for key, found in (("hidden_size", width), ("num_hidden_layers", depth)):
        _agree(config, "llm_config", key, found)
    gate = sorted(
        (int(name.split(".")[-2]), tensors[name])
        for name in tensors
        if name.startswith(GATE_PREFIX) and name.endswith(".weight")
    )
    widths = (gate[0][1].shape[1], *(weight.shape[0] for _, weight in gate)) if gate else None
    return LanguageSizes(decoder, vocabulary, widths), root


def _adapter_names(tensors: Mapping[str, Tensor]) -> tuple[str, ...]:
    found = {match.group(1) for name in tensors if (match := re.search(r"\.lora_A\.([^.]+)\.weight$", name))}
    return tuple(sorted(found, key=lambda name: (len(name), name)))


def _adapter_sizes(
    tensors: Mapping[str, Tensor], layer: str, names: tuple[str, ...], run: RunFolder
) -> AdapterSizes | None:
    if not names:
        return None
    targets = frozenset(
        ours for ours, official in ADAPTED_LAYERS.items() if f"{layer}.{official}.lora_A.{names[0]}.weight" in tensors
    )
    if not targets:
        raise CheckpointError(f"the checkpoint has adapters {', '.join(names)}, but none on {layer}")
    official = ADAPTED_LAYERS[min(targets)]
    ranks = tuple(_rows(tensors, f"{layer}.{official}.lora_A.{name}.weight") for name in names)
    return AdapterSizes(ranks, float(run.constants.get("lora_alpha", OFFICIAL_LORA_ALPHA)), targets)


def _image_tower_sizes(tensors: Mapping[str, Tensor], base_config: Mapping[str, Any]) -> VisionSizes:
    config = _part(base_config, "vision_config")
    root = "vision_model.vision_model"
    width, _, patch, _ = _shape(tensors, f"{root}.embeddings.patch_embedding.weight", 4)
    grid = _square_side(tensors, f"{root}.embeddings.position_embedding.weight", 0)
    depth = _depth(tensors, f"{root}.encoder.layers.")
    for key, found in (("hidden_size", width), ("num_hidden_layers", depth), ("patch_size", patch)):
        _agree(config, "vision_config", key, found)
    activation = config.get("hidden_act", "gelu_pytorch_tanh")
    if activation not in ("gelu", "gelu_pytorch_tanh"):
        raise CheckpointError(
            f"the base folder's vision_config.hidden_act is {activation!r}; known: gelu, gelu_pytorch_tanh"
        )
    return VisionSizes(
        width=width,
        depth=depth,
        heads=_number(config, "num_attention_heads", "vision_config"),
        mlp_width=_rows(tensors, f"{root}.encoder.layers.0.mlp.fc1.weight"),
        patch=patch,
        image_size=grid * patch,
        tanh_gelu=activation == "gelu_pytorch_tanh",
        norm_eps=float(config.get("layer_norm_eps", 1e-6)),
    )


def _expert_sizes(tensors: Mapping[str, Tensor], run: RunFolder, latent_width: int) -> ActionExpertSizes:
    config = _part(run.constants, "expert_config")
    layer = f"{_EXPERT}.layers.0"
    width = _rows(tensors, f"{_EXPERT}.norm.weight")
    heads = int(config.get("num_attention_heads") or width // OFFICIAL_HEAD_WIDTH)
    head_width = int(config.get("head_dim") or width // heads)
    decoder = DecoderSizes(
        width=width,
        depth=_depth(tensors, f"{_EXPERT}.layers."),
        heads=heads,
        key_heads=_rows(tensors, f"{layer}.self_attn.k_proj.weight") // head_width,
        head_width=head_width,
        mlp_width=_rows(tensors, f"{layer}.mlp.up_proj.weight"),
        rope_theta=float(config.get("rope_theta", OFFICIAL_EXPERT_THETA)),
        norm_eps=float(config.get("rms_norm_eps", OFFICIAL_EXPERT_NORM_EPS)),
        qkv_bias=_query_bias(tensors, _EXPERT),
    )
    action_size = _shape(tensors, "action_model.action_embed.linear_1.weight", 2)[1]
    head = _mlp_widths(tensors, "action_model.action_head")
    if head[-1] % action_size or head[0] != head[-1] // action_size * width:
        raise CheckpointError(
            f"action_model.action_head maps {head[0]} to {head[-1]} numbers, which fits no chunk of actions of "
            f"{action_size} numbers at width {width}"
        )
    with_state = any(name.startswith("action_model.state_embed.") for name in tensors)
    return ActionExpertSizes(
        decoder=decoder,
        vision=_film_tower_sizes(tensors, run, latent_width),
        chunk_length=head[-1] // action_size,
        action_size=action_size,
        state_widths=_mlp_widths(tensors, "action_model.state_embed") if with_state else None,
        visual_widths=_mlp_widths(tensors, "action_model.visual_projector"),
        latent_widths=_mlp_widths(tensors, "action_model.cog_projector"),
        head_widths=head,
        mask=run.action_expert_mask,
    )


def _film_tower_sizes(tensors: Mapping[str, Tensor], run: RunFolder, latent_width: int) -> VisionSizes:
    config = _part(run.constants, "dino_config")
    width, _, patch, _ = _shape(tensors, f"{_FILM_TOWER}.patch_embed.proj.weight", 4)
    registers = f"{_FILM_TOWER}.reg_token"
    return VisionSizes(
        width=width,
        depth=FILM_BLOCKS,
        heads=int(config.get("num_heads") or width // OFFICIAL_HEAD_WIDTH),
        mlp_width=_rows(tensors, f"{_FILM_TOWER}.blocks.0.block.mlp.fc1.weight"),
        patch=patch,
        image_size=_square_side(tensors, f"{_FILM_TOWER}.pos_embed", 1) * patch,
        registers=_shape(tensors, registers, 3)[1] if registers in tensors else 0,
        class_token=True,
        layer_scale=True,
        film_width=latent_width,
        final_norm=False,
    )


def _part(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = config.get(key) or {}
    if not isinstance(part, Mapping):
        raise CheckpointError(f"{key} must be a JSON object, not {part!r}")
    return part


def _number(config: Mapping[str, Any], key: str, where: str) -> int:
    if key not in config:
        raise CheckpointError(f"the base folder's config.json lacks {where}.{key}")
    return int(config[key])


def _agree(config: Mapping[str, Any], where: str, key: str, found: int) -> None:
    if key in config and int(config[key]) != found:
        raise CheckpointError(
            f"the base folder's config.json says {where}.{key} = {config[key]}, the checkpoint has {found}: "
            "they do not belong together, or the checkpoint is incomplete"
        )


def _shape(tensors: Mapping[str, Tensor], name: str, dimensions: int) -> tuple[int, ...]:
    if name not in tensors:
        raise CheckpointError(f"the checkpoint has no tensor {name}")
    shape = tuple(tensors[name].shape)
    if len(shape) != dimensions:
        raise CheckpointError(f"{name} has the shape {shape}; {dimensions} dimensions are expected")
    return shape


def _rows(tensors: Mapping[str, Tensor], name: str) -> int:
    if name not in tensors:
        raise CheckpointError(f"the checkpoint has no tensor {name}")
    return int(tensors[name].shape[0])


def _square_side(tensors: Mapping[str, Tensor], name: str, dimension: int) -> int:
    if name not in tensors:
        raise CheckpointError(f"the checkpoint has no tensor {name}")
    count = int(tensors[name].shape[dimension])
    side = round(count**0.5)
    if side * side != count:
        raise CheckpointError(f"{name} has {count} positions, which is no square")
    return side


def _first_of(tensors: Mapping[str, Tensor], *names: str) -> str:
    for name in names:
        if name in tensors:
            return name
    raise CheckpointError(f"the checkpoint has no tensor {names[-1]}")


def _depth(tensors: Mapping[str, Tensor], prefix: str) -> int:
    indices = {int(name[len(prefix) :].split(".")[0]) for name in tensors if name.startswith(prefix)}
    if not indices:
        raise CheckpointError(f"the checkpoint has no tensor {prefix}0.*")
    return max(indices) + 1


def _query_bias(tensors: Mapping[str, Tensor], root: str) -> bool:
    # any layer's will do: where a single one is missing, it must be missed
    return any(name.startswith(f"{root}.") and re.search(r"\.q_proj\.(base_layer\.)?bias$", name) for name in tensors)


def _mlp_widths(tensors: Mapping[str, Tensor], prefix: str) -> tuple[int, ...]:
    found = sorted(
        (int(name.split(".")[-2]), tensors[name].shape)
        for name in tensors
        if name.startswith(f"{prefix}.") and name.endswith(".weight")
    )
    if not found:
        raise CheckpointError(f"the checkpoint has no tensor {prefix}.0.weight")
    return (int(found[0][1][1]), *(int(shape[0]) for _, shape in found))
