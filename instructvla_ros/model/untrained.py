# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A small untrained model in the layout of published runs, to try the whole chain without a trained one.

    python -m instructvla_ros.model.untrained OUT_DIR

What it says and does means nothing. The same seed gives the same weights.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from instructvla_ros.model.action_expert import ActionExpertSizes
from instructvla_ros.model.checkpoint import save_checkpoint
from instructvla_ros.model.decoder import AdapterSizes, DecoderSizes
from instructvla_ros.model.instructvla import InstructVLA
from instructvla_ros.model.language import LanguageSizes
from instructvla_ros.model.prompt import QWEN2_CONTEXT, Prompts
from instructvla_ros.model.sizes import ModelSizes
from instructvla_ros.model.statistics import Statistics
from instructvla_ros.model.tokenizer import QWEN2_WORDS
from instructvla_ros.model.vision import VisionSizes
from instructvla_ros.model.vision_sizes import FILM_BLOCKS

DATASET = "sim"
BASE_FOLDER = "Eagle2-2B-untrained"
CHECKPOINT = "step-000000-untrained.pt"
_NUM_QUERIES = 64
_NUM_BYTES = 256  # tokens of a single byte, first in the vocabulary
_HEAD_WIDTH = 16
_RANK = 8
_ALPHA = 16.0
_TRANSLATION = 0.02  # [m] for each step
_ROTATION = 0.05  # [rad] for each step
_SPECIAL_TOKENS = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>"),
    *("<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"),
    *("<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>"),
    *("<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<img>", "</img>", "<IMG_CONTEXT>", "<quad>"),
    *("</quad>", "<ref>", "</ref>", "<box>", "</box>"),
)
_SENTENCES = (
    "You are a helpful assistant.",
    "system user assistant",
    "What action should the robot take to pick up the red block and put it in the bowl? First answer my question.",
    "What action should the robot take to open the drawer, move the green sponge to the left of the blue cube?",
    "The robot should grasp the yellow cylinder, lift it, and place it on the plate near the right edge of the table.",
    "The gripper is above the object. Move down, close the gripper, then move up and forward.",
    "Which object is behind the orange ball? Where is the cup? How many blocks are on the table?",
)


def write_untrained(
    out_dir: str | Path,
    *,
    seed: int = 0,
    width: int = 64,
    depth: int = 2,
    generalist: bool = True,
    uses_state: bool = True,
    num_views: int = 1,
    chunk_length: int = 16,
    action_expert_mask: str | None = None,
) -> Path:
    """Write an untrained run folder with its base folder inside.

    Args:
        out_dir: the run folder; made if need be.
        seed: of the random weights.
        width: channels of all towers, a multiple of 16.
        depth: blocks of all towers.
        generalist: whether there are two adapters with a gate, or one adapter.
        uses_state: whether the action expert reads the robot state.
        num_views: camera views.
        chunk_length: actions of a chunk.
        action_expert_mask: the action expert's mask, if it is to differ from that of published checkpoints.

    Returns:
        The run folder.
    """
    run = Path(out_dir)
    base = run / BASE_FOLDER
    base.mkdir(parents=True, exist_ok=True)
    tokenizer = _train_tokenizer()
    tokenizer.save(str(base / "tokenizer.json"))
    sizes = _sizes(
        tokenizer.get_vocab_size() + _NUM_QUERIES, width, depth, generalist, uses_state, num_views, chunk_length
    )
    _write_json(base / "config.json", _base_config(sizes, tokenizer))
    config: dict[str, Any] = {
        "stage": "stage2" if generalist else "stage1",
        "num_of_meta_query": _NUM_QUERIES,
        "run_id": "untrained",
        "seed": seed,
        "image_aug": False,
        "vla": {"base_vlm": BASE_FOLDER, "data_mix": DATASET},
    }
    if action_expert_mask is not None:
        config["action_expert_mask"] = action_expert_mask
    statistics = _statistics()
    _write_json(run / "config.json", config)
    _write_json(run / "dataset_statistics.json", statistics)
    _write_json(run / "tiny_sizes.json", _constants(sizes))
    prompts = Prompts(base, _NUM_QUERIES, sizes.num_image_tokens)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = InstructVLA(sizes, prompts, Statistics(statistics))
        _randomize(model, tokenizer.get_vocab_size(with_added_tokens=False))
    save_checkpoint(model, sizes, run / "checkpoints" / CHECKPOINT)
    return run


def main(argv: Sequence[str] | None = None) -> int:
    """Write an untrained run folder from the command line."""
    parser = argparse.ArgumentParser(description="Write a small untrained InstructVLA run folder.")
    parser.add_argument("out_dir", type=Path, help="the run folder to write")
    parser.add_argument("--seed", type=int, default=0, help="of the random weights (default: 0)")
    arguments = parser.parse_args(argv)
    print(f"untrained model written to {write_untrained(arguments.out_dir, seed=arguments.seed)}")
    return 0


def _sizes(
    vocabulary: int, width: int, depth: int, generalist: bool, uses_state: bool, num_views: int, chunk_length: int
) -> ModelSizes:
    heads = width // _HEAD_WIDTH
    adapters = AdapterSizes((_RANK,) * (2 if generalist else 1), _ALPHA, frozenset({"q", "k", "v", "o", "up", "down"}))
    language = DecoderSizes(
        width=width,
        depth=depth,
        heads=heads,
        key_heads=heads // 2,
        head_width=_HEAD_WIDTH,
        mlp_width=2 * width,
        rope_theta=1e6,
        norm_eps=1e-6,
        qkv_bias=True,
        adapters=adapters,
    )
    expert = DecoderSizes(
        width=width,
        depth=depth,
        heads=heads,
        key_heads=heads,
        head_width=_HEAD_WIDTH,
        mlp_width=2 * width,
        rope_theta=1000.0,
        norm_eps=1e-6,
        qkv_bias=False,
    )
    tower = VisionSizes(width // 2, depth, heads // 2, width, patch=14, image_size=448, tanh_gelu=True)
    film_tower = VisionSizes(
        width,
        FILM_BLOCKS,
        heads,
        2 * width,
        patch=14,
        image_size=224,
        registers=4,
        class_token=True,
        layer_scale=True,
        film_width=width,
        final_norm=False,
    )
    return ModelSizes(
        image_tower=tower,
        shuffle_block=2,
        projector_widths=(4 * tower.width, width, width),
        language=LanguageSizes(language, vocabulary, (width, 32, 32, 32, 2) if generalist else None),
        action_expert=ActionExpertSizes(
            decoder=expert,
            vision=film_tower,
            chunk_length=chunk_length,
            action_size=7,
            state_widths=(8, width, width) if uses_state else None,
            visual_widths=(width, width, width),
            latent_widths=(width, width, width),
            head_widths=(chunk_length * width, 128, 64, 64, chunk_length * 7),
        ),
        num_queries=_NUM_QUERIES,
        num_views=num_views,
        adapter_names=("0", "1") if generalist else ("default",),
    )


def _randomize(model: InstructVLA, num_words: int) -> None:
    # torch leaves norms and biases useful, but embeddings too wide, and tokens and adapters at zero
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("embedding", "class_token", "registers", "embedding.weight")):
                parameter.normal_(std=0.2)
            elif "lora_" in name:
                parameter.normal_(std=0.1)
        # words rather than stray bytes and special tokens; a score of zero is rarely the highest
        model.language.head.weight[:_NUM_BYTES] = 0.0
        model.language.head.weight[num_words:] = 0.0


def _train_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=480, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    tokenizer.train_from_iterator(_SENTENCES, trainer)
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in _SPECIAL_TOKENS])
    return tokenizer


def _base_config(sizes: ModelSizes, tokenizer: Tokenizer) -> dict[str, Any]:
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


def _constants(sizes: ModelSizes) -> dict[str, Any]:
    expert = sizes.action_expert
    return {
        "expert_config": {
            "num_attention_heads": expert.decoder.heads,
            "rms_norm_eps": expert.decoder.norm_eps,
            "rope_theta": expert.decoder.rope_theta,
        },
        "dino_config": {"num_heads": expert.vision.heads},
        "dino_image_size": expert.vision.image_size,
        "num_views": sizes.num_views,
        "lora_alpha": _ALPHA,
    }


def _statistics() -> dict[str, Any]:
    step = [_TRANSLATION] * 3 + [_ROTATION] * 3
    reach = [0.5, 0.3, 0.5, math.pi, math.pi, math.pi, 0.0, 1.0]
    action = {"q01": [*(-bound for bound in step), 0.0], "q99": [*step, 1.0], "mask": [True] * 6 + [False]}
    proprio = {"q01": [0.0, -reach[1], 0.0, *(-bound for bound in reach[3:6]), 0.0, 0.0], "q99": reach}
    return {DATASET: {"action": action, "proprio": proprio, "num_transitions": 0, "num_trajectories": 0}}


def _write_json(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
