# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a run folder holds: kind of model, sizes, datasets, parameters, and what is missing or unexpected.

python -m instructvla_ros.model.inspect RUN_DIR
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from instructvla_ros.model.checkpoint import open_checkpoint
from instructvla_ros.model.instructvla import InstructVLA
from instructvla_ros.model.layout import PARTS, is_unused, official_names, unexpected
from instructvla_ros.model.prompt import Prompts
from instructvla_ros.model.run_folder import RunFolder
from instructvla_ros.model.settings import CheckpointError, Settings
from instructvla_ros.model.sizes import GATE_PREFIX, ModelSizes, embedding_rows, read_sizes
from instructvla_ros.model.statistics import Statistics
from instructvla_ros.model.tokenizer import choose_base_folder

_SHOWN = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Describe a run folder; the exit status is 1 if the model cannot be loaded."""
    parser = argparse.ArgumentParser(description="Show what an InstructVLA run folder holds.")
    parser.add_argument("run_dir", type=Path, help="the run folder, or one checkpoint in it")
    parser.add_argument("--base-vlm", type=Path, default=None, help="folder with the base model's config and tokenizer")
    arguments = parser.parse_args(argv)
    try:
        lines, complete = describe(arguments.run_dir, arguments.base_vlm)
    except CheckpointError as error:
        print(f"cannot be loaded: {error}", file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0 if complete else 1


def describe(run_dir: Path, base_vlm: Path | None = None) -> tuple[list[str], bool]:
    """Describe a run folder.

    Args:
        run_dir: the run folder, or one checkpoint in it.
        base_vlm: the base folder, if it is not where it is looked for.

    Returns:
        The lines to show, and whether the model has all it needs.

    Raises:
        CheckpointError: if too little can be read to describe anything.
    """
    run = RunFolder.open(run_dir)
    base_folders = run.base_folders(base_vlm)
    tensors = open_checkpoint(run.checkpoint)
    base, tokenizers = choose_base_folder(base_folders, run.num_queries, embedding_rows(tensors))
    sizes = read_sizes(tensors, run, Settings.read(base / "config.json"), run.num_views)
    prompts = Prompts(base, sizes.num_queries, sizes.num_image_tokens, tokenizers)
    lines = [f"run         {run.path}", f"checkpoint  {run.checkpoint.name}", f"base        {base}", ""]
    lines += _kind(run, sizes)
    lines += ["", *_parameters(tensors)]
    lines += ["", *_datasets(run, sizes)]
    problems = list(_problems(run, prompts, sizes, tensors))
    lines += ["", *(problems or ["nothing is missing, nothing is unexpected"])]
    return lines, not problems


def _kind(run: RunFolder, sizes: ModelSizes) -> Iterator[str]:
    language, expert, tower = sizes.language.decoder, sizes.action_expert, sizes.image_tower
    adapters = language.adapters
    kind = "Generalist (adapters mixed by a gate)" if sizes.language.gate_widths else "Expert (one adapter)"
    yield f"kind        {kind if adapters else 'language model without adapters'}"
    yield f"stage       {run.config.get('stage', 'not said')}"
    yield f"views       {sizes.num_views}; frames {'cropped' if run.image_augmentation else 'not cropped'}"
    yield f"state       {f'{expert.state_widths[0]} numbers' if expert.state_widths else 'none'}"
    yield f"chunk       {expert.chunk_length} actions of {expert.action_size} numbers"
    yield f"mask        {expert.mask}"
    yield (
        f"vision      {tower.depth} x {tower.width}, {tower.heads} heads, mlp {tower.mlp_width}, "
        f"{tower.image_size} px in patches of {tower.patch}"
    )
    yield (
        f"language    {language.depth} x {language.width}, {language.heads} heads, {language.key_heads} key heads, "
        f"mlp {language.mlp_width}, {sizes.language.vocabulary} tokens with {sizes.num_queries} meta queries"
    )
    if adapters:
        yield f"adapters    ranks {', '.join(map(str, adapters.ranks))}, alpha {adapters.alpha:g}"
    yield (
        f"expert      {expert.decoder.depth} x {expert.decoder.width}, {expert.decoder.heads} heads, "
        f"mlp {expert.decoder.mlp_width}"
    )
    yield (
        f"eyes        {expert.vision.depth} x {expert.vision.width} with FiLM, {expert.vision.heads} heads, "
        f"{expert.vision.image_size} px in patches of {expert.vision.patch}"
    )


def _parameters(tensors: Mapping[str, Tensor]) -> Iterator[str]:
    used: Counter[str] = Counter()
    unused: Counter[str] = Counter()
    for name, tensor in tensors.items():
        part = name.partition(".")[0]
        group = "adapters and gate" if re.search(r"\.lora_[AB]\.", name) or name.startswith(GATE_PREFIX) else part
        (unused if is_unused(name) else used)[group] += tensor.numel()
    for group in (*PARTS, "adapters and gate"):
        aside = f" (and {unused[group]:,} that never reach the output)" if unused[group] else ""
        yield f"parameters  {group:18} {used[group]:>15,}{aside}"
    types = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values()})
    yield f"parameters  {'used in all':18} {sum(used.values()):>15,} stored as {', '.join(types)}"


def _datasets(run: RunFolder, sizes: ModelSizes) -> Iterator[str]:
    statistics = Statistics(run.statistics)
    for dataset in statistics.datasets:
        missing = statistics.missing(dataset, need_proprio=sizes.action_expert.state_widths is not None)
        yield f"dataset     {dataset}: " + (f"lacks {', '.join(missing)}" if missing else "q01 and q99 are there")


def _problems(run: RunFolder, prompts: Prompts, sizes: ModelSizes, tensors: Mapping[str, Tensor]) -> Iterator[str]:
    if not run.statistics:
        yield "missing     any dataset in dataset_statistics.json"
    with torch.device("meta"):
        model = InstructVLA(sizes, prompts, Statistics(run.statistics))
    shapes = {
        official: parameter.shape
        for ours, parameter in model.named_parameters()
        for official in official_names(ours, sizes)
    }
    yield from _listed("missing", [name for name in shapes if name not in tensors])
    yield from _listed("unexpected", unexpected(tensors, shapes))


def _listed(word: str, names: list[str]) -> Iterator[str]:
    for name in names[:_SHOWN]:
        yield f"{word:11} {name}"
    if len(names) > _SHOWN:
        yield f"{word:11} and {len(names) - _SHOWN} more"


if __name__ == "__main__":
    sys.exit(main())
