# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A small untrained model in the layout of published runs, to try the whole chain without a trained one.

    python -m instructvla_ros.model.untrained OUT_DIR

What it says and does means nothing. The same seed gives the same weights.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from instructvla_ros.model.checkpoint import save_checkpoint
from instructvla_ros.model.instructvla import InstructVLA
from instructvla_ros.model.prompt import Prompts
from instructvla_ros.model.run_writer import NewModel, Tower, base_config, constants, train_tokenizer, write_json
from instructvla_ros.model.statistics import Statistics

DATASET = "sim"
BASE_FOLDER = "Eagle2-2B-untrained"
CHECKPOINT = "step-000000-untrained.pt"
_NUM_QUERIES = 64
_VOCABULARY = 480
_NUM_BYTES = 256  # tokens of a single byte, first in the vocabulary
_HEAD_WIDTH = 16
_TRANSLATION = 0.02  # [m] for each step
_ROTATION = 0.05  # [rad] for each step
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
    tokenizer = train_tokenizer(_SENTENCES, _VOCABULARY)
    tokenizer.save(str(base / "tokenizer.json"))
    new = NewModel(
        width=width,
        depth=depth,
        expert_width=width,
        expert_depth=depth,
        head_width=_HEAD_WIDTH,
        tower=Tower(width // 2, depth, patch=14, image_size=448),
        film_tower=Tower(width, depth, patch=14, image_size=224),
        adapters=2 if generalist else 1,
        num_queries=_NUM_QUERIES,
        num_views=num_views,
        uses_state=uses_state,
        chunk_length=chunk_length,
    )
    sizes = new.sizes(tokenizer.get_vocab_size() + _NUM_QUERIES)
    write_json(base / "config.json", base_config(sizes, tokenizer))
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
    content = statistics()
    write_json(run / "config.json", config)
    write_json(run / "dataset_statistics.json", content)
    write_json(run / "tiny_sizes.json", constants(sizes))
    prompts = Prompts(base, _NUM_QUERIES, sizes.num_image_tokens)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = InstructVLA(sizes, prompts, Statistics(content))
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


def statistics() -> dict[str, Any]:
    """`dataset_statistics.json` of an untrained run."""
    step = [_TRANSLATION] * 3 + [_ROTATION] * 3
    reach = [0.5, 0.3, 0.5, math.pi, math.pi, math.pi, 0.0, 1.0]
    action = {"q01": [*(-bound for bound in step), 0.0], "q99": [*step, 1.0], "mask": [True] * 6 + [False]}
    proprio = {"q01": [0.0, -reach[1], 0.0, *(-bound for bound in reach[3:6]), 0.0, 0.0], "q99": reach}
    return {DATASET: {"action": action, "proprio": proprio, "num_transitions": 0, "num_trajectories": 0}}


if __name__ == "__main__":
    sys.exit(main())
