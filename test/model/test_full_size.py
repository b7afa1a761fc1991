# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""At the published sizes the network has the published parameters, and sizes are read back from the tensors alone."""

from pathlib import Path

import pytest
import torch

from instructvla_ros.model.instructvla import InstructVLA
from instructvla_ros.model.layout import official_names
from instructvla_ros.model.prompt import Prompts
from instructvla_ros.model.published import published_sizes
from instructvla_ros.model.run_folder import RunFolder
from instructvla_ros.model.settings import Settings
from instructvla_ros.model.sizes import ModelSizes, read_sizes
from instructvla_ros.model.statistics import Statistics
from instructvla_ros.model.untrained import BASE_FOLDER, write_untrained

BASE_CONFIG = {
    "downsample_ratio": 0.5,
    "llm_config": {
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
        "rope_theta": 1000000.0,
        "rms_norm_eps": 1e-06,
        "hidden_size": 1536,
        "intermediate_size": 8960,
        "num_hidden_layers": 28,
    },
    "vision_config": {
        "num_attention_heads": 16,
        "layer_norm_eps": 1e-06,
        "hidden_size": 1152,
        "intermediate_size": 4304,
        "num_hidden_layers": 27,
        "image_size": 448,
        "patch_size": 14,
    },
}


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Prompts:
    run = write_untrained(tmp_path_factory.mktemp("vocabulary"))
    return Prompts(run / BASE_FOLDER, 64, 256)


@pytest.fixture
def build(prompts: Prompts):
    def made(sizes: ModelSizes) -> InstructVLA:
        with torch.device("meta"):
            return InstructVLA(sizes, prompts, Statistics({}))

    return made


def millions(module: torch.nn.Module, name: str = "") -> float:
    return sum(weight.numel() for key, weight in module.named_parameters() if name in key) / 1e6


def test_the_parts_have_the_published_parameter_counts(build) -> None:
    expert, generalist = build(published_sizes(1, False)), build(published_sizes(2, False))
    tower, projector = (millions(part) for part in (expert.images.tower, expert.images.projector))
    assert tower == pytest.approx(428.6 - 15.2, abs=0.1)  # without the pooling head that nothing uses
    assert projector == pytest.approx(9.4, abs=0.1)
    assert millions(expert.language) - millions(expert.language, "lora_") == pytest.approx(1776.5, abs=0.1)
    assert millions(expert.language, "lora_") == pytest.approx(110.1, abs=0.1)
    assert millions(generalist.language, "lora_") == pytest.approx(2 * 110.1, abs=0.1)
    assert millions(expert.expert.decoder) == pytest.approx(113.3, abs=0.1)


@pytest.mark.parametrize(("adapters", "state"), [(1, False), (1, True), (2, False), (2, True)])
def test_published_sizes_are_read_from_tensors_without_any_hint(
    build, tmp_path: Path, adapters: int, state: bool
) -> None:
    sizes = published_sizes(adapters, state)
    model = build(sizes)
    tensors = {}
    for ours, weight in model.named_parameters():
        names = official_names(ours, sizes)
        for name, piece in zip(names, weight.chunk(len(names)), strict=True):
            batched = name.endswith((".cls_token", ".reg_token", ".pos_embed"))
            tensors[name] = piece.unsqueeze(0) if batched else piece
    for name in [name for name in tensors if ".vision_model.blocks.2." in name]:
        for block in range(3, 24):  # in every checkpoint, and never computed
            tensors[name.replace(".blocks.2.", f".blocks.{block}.")] = tensors[name]
    config = {"num_of_meta_query": 64, "vla": {"data_mix": "bridge_rt_1"}}
    run = RunFolder(tmp_path, config, {}, {}, tmp_path / "x.pt")
    assert read_sizes(tensors, run, Settings(tmp_path / "base.json", BASE_CONFIG), 1) == sizes
