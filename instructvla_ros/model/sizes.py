# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The sizes of a model, read from its tensors as far as they tell, from its configurations where they do not.

Head counts cannot be read from tensors. The base folder's configuration gives those of the vision tower and the
language model; for the action expert and its vision tower the run's constants do, and without them heads are 64 wide,
as in all published checkpoints. Where both tensors and configurations tell, they must agree.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from instructvla_ros.model.action_expert import ActionExpertSizes
from instructvla_ros.model.decoder import AdapterSizes, DecoderSizes
from instructvla_ros.model.language import GATE_STEP, GATE_STEP_WITH_DROPOUT, LanguageSizes
from instructvla_ros.model.run_folder import RunFolder
from instructvla_ros.model.settings import CheckpointError, Settings
from instructvla_ros.model.tensor_shapes import depth, first_of, fit, length, linear_layers, rows, shape
from instructvla_ros.model.vision import VisionSizes
from instructvla_ros.model.vision_sizes import (
    OFFICIAL_HEAD_WIDTH,
    OFFICIAL_NORM_EPS,
    film_tower_sizes,
    image_tower_sizes,
    shuffle_block,
)
from instructvla_ros.model.vision_sizes import head_width as head_width_of

OFFICIAL_EXPERT_THETA = 1000.0
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
IMAGE_POSITIONS = "mlp1.positions"
GATE_PREFIX = "language_model.base_model.internal_xlora_classifier."
_EXPERT = "action_model.VideoGPT"
_EMBEDDING = ".model.embed_tokens.weight"


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
        image_positions: whether image tokens get a learned position after the projector.
    """

    image_tower: VisionSizes
    shuffle_block: int
    projector_widths: tuple[int, int, int]
    language: LanguageSizes
    action_expert: ActionExpertSizes
    num_queries: int
    num_views: int
    adapter_names: tuple[str, ...]
    image_positions: bool = False

    @property
    def num_image_tokens(self) -> int:
        """Tokens that a picture becomes."""
        return (self.image_tower.grid // self.shuffle_block) ** 2

    @property
    def language_root(self) -> str:
        """What stands before the names of the language model's tensors in the checkpoint."""
        if self.language.gate_widths:
            return "language_model.base_model.lora_model.model"
        return "language_model.base_model.model" if self.adapter_names else "language_model"


def read_sizes(tensors: Mapping[str, Tensor], run: RunFolder, base: Settings, num_views: int) -> ModelSizes:
    """Read a model's sizes.

    Args:
        tensors: the checkpoint, names as in `layout`.
        run: the run folder.
        base: `config.json` of the base folder.
        num_views: camera views.

    Raises:
        CheckpointError: names the tensor or setting that is missing, malformed or contradicts another.
    """
    adapter_names = _adapter_names(tensors)
    language = _language_sizes(tensors, run, base, adapter_names)
    tower = image_tower_sizes(tensors, base)
    block = shuffle_block(base, tower)
    projector = (length(tensors, "mlp1.0.weight"), rows(tensors, "mlp1.1.weight"), rows(tensors, "mlp1.3.weight"))
    ratio = f"{base.file}: downsample_ratio gathers squares of {block} x {block} vision tokens into one of"
    fit("mlp1.0", projector[0], block**2 * tower.width, ratio)
    fit("mlp1.3", projector[2], language.decoder.width, "tokens of the language model have")
    sizes = ModelSizes(
        image_tower=tower,
        shuffle_block=block,
        projector_widths=projector,
        language=language,
        action_expert=_expert_sizes(tensors, run, language.decoder.width),
        num_queries=run.num_queries,
        num_views=num_views,
        adapter_names=adapter_names,
        image_positions=IMAGE_POSITIONS in tensors,
    )
    root = _language_root(tensors)
    if sizes.language_root != root:
        raise CheckpointError(
            f"the language model's tensors are called {root}.*, but with these adapters "
            f"{sizes.language_root}.* is expected"
        )
    return sizes


def embedding_rows(tensors: Mapping[str, Tensor]) -> int:
    """How many tokens the language model has embeddings for.

    Raises:
        CheckpointError: if the checkpoint has no embeddings.
    """
    return rows(tensors, f"{_language_root(tensors)}{_EMBEDDING}")


def _language_root(tensors: Mapping[str, Tensor]) -> str:
    embedding = next((name for name in tensors if name.endswith(_EMBEDDING)), None)
    if embedding is None:
        raise CheckpointError(f"the checkpoint has no tensor language_model.*{_EMBEDDING}")
    return embedding.removesuffix(_EMBEDDING)


def _language_sizes(
    tensors: Mapping[str, Tensor], run: RunFolder, base: Settings, adapter_names: tuple[str, ...]
) -> LanguageSizes:
    root = _language_root(tensors)
    vocabulary, width = shape(tensors, f"{root}{_EMBEDDING}", 2)
    settings = base.part("llm_config")
    theta = settings
    if settings.content.get("rope_theta") is None:
        theta = settings.part("rope_parameters")
        if theta.content.get("rope_theta") is None:
            raise CheckpointError(f"{base.file} lacks llm_config.rope_theta")
    adapters = _adapter_sizes(tensors, f"{root}.model.layers.0", adapter_names, run)
    decoder = _decoder_sizes(tensors, root, settings, width, theta.number("rope_theta", 0.0), adapters)
    return LanguageSizes(decoder, vocabulary, *_gate(tensors, width, len(adapter_names)))


def _decoder_sizes(
    tensors: Mapping[str, Tensor],
    root: str,
    settings: Settings,
    width: int,
    rope_theta: float,
    adapters: AdapterSizes | None = None,
    usual_head_width: int | None = None,
) -> DecoderSizes:
    """Sizes of a decoder; without a usual head width, settings must tell the heads."""
    prefix = f"{root}.model.layers."

    def linear_rows(name: str) -> int:
        first = f"{prefix}0.{name}"
        return rows(tensors, first_of(tensors, f"{first}.base_layer.weight", f"{first}.weight"))

    queries, keys = linear_rows("self_attn.q_proj"), linear_rows("self_attn.k_proj")
    head_width = settings.optional_integer("head_dim")
    heads = settings.optional_integer("num_attention_heads")
    if heads is None:
        head_width = head_width or usual_head_width
        if head_width is None or queries % head_width:
            raise CheckpointError(f"{settings.file} lacks {settings.prefix}num_attention_heads")
        heads = queries // head_width
    if head_width is None:
        head_width = head_width_of(settings, "num_attention_heads", heads, width)
    if head_width % 2:
        raise settings.error("num_attention_heads", f"= {heads} makes heads {head_width} wide; rotation takes pairs")
    if heads * head_width != queries:
        raise settings.error(
            "num_attention_heads",
            f"= {heads} heads, {head_width} wide, make {heads * head_width} queries, "
            f"but {prefix}0.self_attn.q_proj makes {queries}",
        )
    key_heads = keys // head_width
    if keys % head_width or key_heads == 0 or heads % key_heads:
        raise settings.error(
            "num_attention_heads",
            f"= {heads} heads, {head_width} wide, do not share the {keys} keys of {prefix}0.self_attn.k_proj evenly",
        )
    mlp_width, blocks = linear_rows("mlp.up_proj"), depth(tensors, prefix)
    settings.agree("hidden_size", width)
    settings.agree("num_hidden_layers", blocks)
    settings.agree("num_key_value_heads", key_heads)
    settings.agree("intermediate_size", mlp_width)
    settings.choice("hidden_act", "silu", ("silu",))
    for key in ("rope_scaling", "rope_parameters"):
        rope = settings.part(key)
        for kind in ("type", "rope_type"):
            rope.choice(kind, "default", ("default",))
    return DecoderSizes(
        width=width,
        depth=blocks,
        heads=heads,
        key_heads=key_heads,
        head_width=head_width,
        mlp_width=mlp_width,
        rope_theta=rope_theta,
        norm_eps=settings.number("rms_norm_eps", OFFICIAL_NORM_EPS),
        qkv_bias=_query_bias(tensors, root),
        adapters=adapters,
    )


def _gate(tensors: Mapping[str, Tensor], width: int, num_adapters: int) -> tuple[tuple[int, ...] | None, bool]:
    """Widths of the gate, None without a gate, and whether there is dropout after its hidden layers."""
    prefix = f"{GATE_PREFIX}layers"
    positions, widths = linear_layers(tensors, prefix)
    if not positions:
        if num_adapters > 1:
            raise CheckpointError(f"the checkpoint has {num_adapters} adapters, but no gate {prefix} to mix them")
        return None, True
    fit(f"{prefix}.{positions[0]}", widths[0], width, "tokens of the language model have")
    fit(f"{prefix}.{positions[-1]}", widths[-1], num_adapters, "adapters of the language model number")
    for step, dropout in ((GATE_STEP_WITH_DROPOUT, True), (GATE_STEP, False)):
        if positions == tuple(range(0, len(positions) * step, step)):
            return widths, dropout
    raise CheckpointError(
        f"{prefix} has linear layers at {', '.join(map(str, positions))}; known are every third from 0 (with dropout) "
        "and every second (without): one is missing, or the gate is of another kind"
    )


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
    ranks = tuple(rows(tensors, f"{layer}.{official}.lora_A.{name}.weight") for name in names)
    return AdapterSizes(ranks, run.constant_settings.number("lora_alpha", OFFICIAL_LORA_ALPHA), targets)


def _expert_sizes(tensors: Mapping[str, Tensor], run: RunFolder, latent_width: int) -> ActionExpertSizes:
    settings = run.constant_settings.part("expert_config")
    width = length(tensors, f"{_EXPERT}.model.norm.weight")
    theta = settings.number("rope_theta", OFFICIAL_EXPERT_THETA)
    decoder = _decoder_sizes(tensors, _EXPERT, settings, width, theta, usual_head_width=OFFICIAL_HEAD_WIDTH)
    vision = film_tower_sizes(tensors, run.constant_settings, latent_width)
    action_size = shape(tensors, "action_model.action_embed.linear_1.weight", 2)[1]
    head = _mlp_widths(tensors, "action_model.action_head")
    if head[-1] % action_size or head[0] != head[-1] // action_size * width:
        raise CheckpointError(
            f"action_model.action_head maps {head[0]} to {head[-1]} numbers, which fits no chunk of actions of "
            f"{action_size} numbers at width {width}"
        )
    visual = _joining_widths(tensors, "action_model.visual_projector", vision.width, width)
    latent = _joining_widths(tensors, "action_model.cog_projector", latent_width, width)
    with_state = any(name.startswith("action_model.state_embed.") for name in tensors)
    return ActionExpertSizes(
        decoder=decoder,
        vision=vision,
        chunk_length=head[-1] // action_size,
        action_size=action_size,
        state_widths=_joining_widths(tensors, "action_model.state_embed", None, width) if with_state else None,
        visual_widths=visual,
        latent_widths=latent,
        head_widths=head,
        mask=run.action_expert_mask,
    )


def _query_bias(tensors: Mapping[str, Tensor], root: str) -> bool:
    # any layer's will do: where a single one is missing, it must be missed
    return any(name.startswith(f"{root}.") and re.search(r"\.q_proj\.(base_layer\.)?bias$", name) for name in tensors)


def _mlp_widths(tensors: Mapping[str, Tensor], prefix: str) -> tuple[int, ...]:
    _, widths = linear_layers(tensors, prefix)
    if not widths:
        raise CheckpointError(f"the checkpoint has no tensor {prefix}.0.weight")
    return widths


def _joining_widths(tensors: Mapping[str, Tensor], prefix: str, inputs: int | None, outputs: int) -> tuple[int, ...]:
    widths = _mlp_widths(tensors, prefix)
    if inputs is not None:
        fit(f"the start of {prefix}", widths[0], inputs, "what it reads has")
    fit(f"the end of {prefix}", widths[-1], outputs, "tokens of the action expert have")
    return widths
