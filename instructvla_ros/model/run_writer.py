# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""New models at sizes of one's own, in the layout of published runs: sizes, tokenizer, configurations."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from instructvla_ros.model.action_expert import OFFICIAL_MASK, ActionExpertSizes
from instructvla_ros.model.decoder import AdapterSizes, DecoderSizes
from instructvla_ros.model.language import LanguageSizes
from instructvla_ros.model.prompt import QWEN2_CONTEXT
from instructvla_ros.model.sizes import ModelSizes
from instructvla_ros.model.tokenizer import QWEN2_WORDS
from instructvla_ros.model.vision import VisionSizes
from instructvla_ros.model.vision_sizes import FILM_BLOCKS

SPECIAL_TOKENS = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>"),
    *("<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"),
    *("<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>"),
    *("<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<img>", "</img>", "<IMG_CONTEXT>", "<quad>"),
    *("</quad>", "<ref>", "</ref>", "<box>", "</box>"),
)
ADAPTED = frozenset({"q", "k", "v", "o", "up", "down"})
ACTION_SIZE = 7
STATE_SIZE = 8


@dataclass(frozen=True)
class Tower:
    """A vision tower of a new model.

    Attributes:
        width: channels of a token.
        depth: blocks.
        patch: side of a patch [px].
        image_size: side of the square input [px].
        stem: channels of the convolutions before the patches, see ``VisionSizes``; 0 without.
    """

    width: int
    depth: int
    patch: int
    image_size: int
    stem: int = 0


@dataclass(frozen=True)
class NewModel:
    """What tells one new model from another; the rest is as in published models.

    Attributes:
        width: channels of the language model.
        depth: its blocks.
        expert_width: channels of the action expert.
        expert_depth: its blocks.
        head_width: channels of an attention head, everywhere.
        tower: the language model's vision tower.
        film_tower: the action vision; its depth is given.
        shuffle_block: side of the squares of vision tokens that are gathered into one.
        adapters: low-rank adapters of the language model: none, one, or two with a gate.
        rank: of the adapters.
        alpha: adapters are scaled by ``alpha / rank``.
        gate_width: hidden channels of the gate.
        num_queries: meta queries.
        num_views: camera views.
        uses_state: whether the action expert reads the robot state.
        chunk_length: actions of a chunk.
        action_head: hidden widths of the action head.
        mask: the action expert's mask.
        image_positions: whether image tokens get a learned position after the projector.
    """

    width: int
    depth: int
    expert_width: int
    expert_depth: int
    head_width: int
    tower: Tower
    film_tower: Tower
    shuffle_block: int = 2
    adapters: int = 2
    rank: int = 8
    alpha: float = 16.0
    gate_width: int = 32
    num_queries: int = 64
    num_views: int = 1
    uses_state: bool = True
    chunk_length: int = 16
    action_head: tuple[int, int, int] = (128, 64, 64)
    mask: str = OFFICIAL_MASK
    image_positions: bool = False

    def sizes(self, vocabulary: int) -> ModelSizes:
        """All sizes of the model with so many tokens, meta queries included."""
        names = (f"{index}" for index in range(self.adapters)) if self.adapters > 1 else ("default",) * self.adapters
        adapters = AdapterSizes((self.rank,) * self.adapters, self.alpha, ADAPTED) if self.adapters else None
        gate = (self.width, *(self.gate_width,) * 3, self.adapters) if self.adapters > 1 else None
        tower, film, width = self.tower, self.film_tower, self.expert_width
        return ModelSizes(
            image_tower=VisionSizes(
                tower.width,
                tower.depth,
                tower.width // self.head_width,
                2 * tower.width,
                patch=tower.patch,
                image_size=tower.image_size,
                tanh_gelu=True,
                stem=tower.stem,
            ),
            shuffle_block=self.shuffle_block,
            projector_widths=(self.shuffle_block**2 * tower.width, self.width, self.width),
            language=LanguageSizes(
                self._decoder(self.width, self.depth, 2, 1e6, qkv_bias=True, adapters=adapters), vocabulary, gate
            ),
            action_expert=ActionExpertSizes(
                decoder=self._decoder(width, self.expert_depth, 1, 1000.0),
                vision=VisionSizes(
                    film.width,
                    FILM_BLOCKS,
                    film.width // self.head_width,
                    2 * film.width,
                    patch=film.patch,
                    image_size=film.image_size,
                    registers=4,
                    class_token=True,
                    layer_scale=True,
                    film_width=self.width,
                    final_norm=False,
                    stem=film.stem,
                ),
                chunk_length=self.chunk_length,
                action_size=ACTION_SIZE,
                state_widths=(STATE_SIZE, width, width) if self.uses_state else None,
                visual_widths=(film.width, width, width),
                latent_widths=(self.width, width, width),
                head_widths=(self.chunk_length * width, *self.action_head, self.chunk_length * ACTION_SIZE),
                mask=self.mask,
            ),
            num_queries=self.num_queries,
            num_views=self.num_views,
            adapter_names=tuple(names),
            image_positions=self.image_positions,
        )

    def _decoder(
        self,
        width: int,
        depth: int,
        heads_per_key: int,
        rope_theta: float,
        qkv_bias: bool = False,
        adapters: AdapterSizes | None = None,
    ) -> DecoderSizes:
        heads = width // self.head_width
        return DecoderSizes(
            width=width,
            depth=depth,
            heads=heads,
            key_heads=heads // heads_per_key,
            head_width=self.head_width,
            mlp_width=2 * width,
            rope_theta=rope_theta,
            norm_eps=1e-6,
            qkv_bias=qkv_bias,
            adapters=adapters,
        )


def train_tokenizer(sentences: Iterable[str], vocabulary: int) -> Tokenizer:
    """Learn byte pairs from sentences, cut into words as Qwen2 does, with the special tokens of published models.

    Args:
        sentences: what the model will read and write.
        vocabulary: tokens at most, special tokens aside.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(sentences, trainer)
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIAL_TOKENS])
    return tokenizer


def base_config(sizes: ModelSizes, tokenizer: Tokenizer) -> dict[str, Any]:
    """`config.json` of the base folder."""
    tower, decoder = sizes.image_tower, sizes.language.decoder
    return {
        "model_type": "eagle_chat",
        "downsample_ratio": 1 / sizes.shuffle_block,
        "force_image_size": tower.image_size,
        "llm_config": {
            "model_type": "qwen2",
            "hidden_size": decoder.width,
            "intermediate_size": decoder.mlp_width,
            "max_position_embeddings": QWEN2_CONTEXT,
            "num_attention_heads": decoder.heads,
            "num_key_value_heads": decoder.key_heads,
            "num_hidden_layers": decoder.depth,
            "rms_norm_eps": decoder.norm_eps,
            "rope_theta": decoder.rope_theta,
            "eos_token_id": tokenizer.token_to_id("<|im_end|>"),
            "vocab_size": tokenizer.get_vocab_size(),
        },
        "vision_config": {
            "model_type": "siglip_vision_model",
            "hidden_act": "gelu_pytorch_tanh",
            "hidden_size": tower.width,
            "image_size": tower.image_size,
            "intermediate_size": tower.mlp_width,
            "layer_norm_eps": tower.norm_eps,
            "num_attention_heads": tower.heads,
            "num_hidden_layers": tower.depth,
            "patch_size": tower.patch,
        },
    }


def constants(sizes: ModelSizes) -> dict[str, Any]:
    """`tiny_sizes.json` of a run: what published models have in common and this one may have otherwise."""
    expert, adapters = sizes.action_expert, sizes.language.decoder.adapters
    content: dict[str, Any] = {
        "expert_config": {
            "num_attention_heads": expert.decoder.heads,
            "rms_norm_eps": expert.decoder.norm_eps,
            "rope_theta": expert.decoder.rope_theta,
        },
        "dino_config": {"num_heads": expert.vision.heads},
        "dino_image_size": expert.vision.image_size,
        "num_views": sizes.num_views,
    }
    if adapters is not None:
        content["lora_alpha"] = adapters.alpha
    return content


def write_json(file: Path, content: dict[str, Any]) -> None:
    """Write a configuration as people can read it."""
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
