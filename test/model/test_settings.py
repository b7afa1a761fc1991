# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Configurations that are broken or contradict the tensors are refused by file and key; unusual ones that fit load."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.model import CheckpointError, InstructVLA
from instructvla_ros.model.settings import Settings
from instructvla_ros.model.tensor_shapes import linear_layers
from instructvla_ros.model.untrained import BASE_FOLDER, CHECKPOINT, write_untrained

BASE = f"{BASE_FOLDER}/config.json"
ABSENT = object()
GATE = "base_model.internal_xlora_classifier.layers"


@pytest.fixture
def run(generalist_run, tmp_path) -> Path:
    """A run folder to change."""
    return Path(shutil.copytree(generalist_run, tmp_path / "run"))


@pytest.fixture
def acts(frame):
    """Loads a run and lets it act."""

    def act(run: Path) -> InstructVLA:
        model = InstructVLA.from_pretrained(run)
        output = model.act([frame], "lift the cube", np.zeros(8), noise=np.zeros((16, 7)))
        assert np.isfinite(output.raw).all()
        return model

    return act


def change(file: Path, key: str, value: Any) -> None:
    """Set a setting by its dotted key, or take it away."""
    content = json.loads(file.read_text())
    *parts, last = key.split(".")
    part = content
    for name in parts:
        part = part.setdefault(name, {})
    if value is ABSENT:
        part.pop(last, None)
    else:
        part[last] = value
    file.write_text(json.dumps(content))


def change_weights(run: Path, alter) -> None:
    """Rewrite a run's checkpoint after a change to its parts."""
    file = run / "checkpoints" / CHECKPOINT
    content = torch.load(file, weights_only=True)
    alter(content["model"])
    torch.save(content, file)


NO_NUMBERS = ("abc", 0, -4, 2.5, True, [4], {}, float("nan"), float("inf"))


@pytest.mark.parametrize("value", NO_NUMBERS, ids=str)
@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("config.json", "num_of_meta_query"),
        ("tiny_sizes.json", "num_views"),
        (BASE, "llm_config.num_attention_heads"),
        (BASE, "vision_config.num_attention_heads"),
        (BASE, "llm_config.num_key_value_heads"),
        (BASE, "llm_config.head_dim"),
        (BASE, "llm_config.hidden_size"),
        (BASE, "llm_config.max_position_embeddings"),
        (BASE, "vision_config.image_size"),
        (BASE, "force_image_size"),
        ("tiny_sizes.json", "dino_image_size"),
        ("tiny_sizes.json", "expert_config.num_attention_heads"),
        ("tiny_sizes.json", "dino_config.num_heads"),
    ],
)
def test_what_is_no_whole_number_is_refused_by_file_and_key(run, name, key, value):
    change(run / name, key, value)
    with pytest.raises(CheckpointError, match=rf"{name}: {re.escape(key)} must be a whole number of at least 1"):
        InstructVLA.from_pretrained(run)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("config.json", "num_of_meta_query"),
        ("tiny_sizes.json", "num_views"),
        (BASE, "vision_config.num_attention_heads"),
    ],
)
def test_null_is_no_number_where_one_is_needed(run, name, key):
    change(run / name, key, None)
    with pytest.raises(CheckpointError, match=f"{name}: {key} must be a whole number of at least 1, not None"):
        InstructVLA.from_pretrained(run)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (BASE, "llm_config.head_dim"),
        (BASE, "llm_config.num_key_value_heads"),
        (BASE, "llm_config.rope_scaling"),
        (BASE, "force_image_size"),
        ("tiny_sizes.json", "dino_image_size"),
    ],
)
def test_null_leaves_open_what_may_be_missing(run, acts, generalist, name, key):
    change(run / name, key, None)
    assert acts(run).sizes == generalist.sizes


@pytest.mark.parametrize(
    ("name", "key", "value", "message"),
    [
        ("config.json", "image_aug", "false", "must be true or false, not 'false'"),
        ("config.json", "vla", "bridge", "must be a JSON object"),
        ("tiny_sizes.json", "num_views", 3, "must be 1 or 2, not 3"),
        ("tiny_sizes.json", "lora_alpha", "much", "must be a positive number"),
        ("tiny_sizes.json", "lora_alpha", 0, "must be a positive number"),
        ("tiny_sizes.json", "expert_config", [], "must be a JSON object"),
        (BASE, "llm_config", 7, "must be a JSON object"),
        (BASE, "llm_config.rope_theta", "1e6", "must be a positive number"),
        (BASE, "llm_config.rms_norm_eps", float("nan"), "must be a positive number"),
        (BASE, "llm_config.eos_token_id", "end", "must be ids of the tokenizer's tokens, not 'end'"),
        (BASE, "llm_config.eos_token_id", [10**9], "must be ids of the tokenizer's tokens"),
        (BASE, "llm_config.max_position_embeddings", 300, "= 300 is too little"),
        (BASE, "downsample_ratio", 0, "must be a positive number, not 0"),
        (BASE, "downsample_ratio", 0.3, "must be one over a whole number, not 0.3"),
        (BASE, "downsample_ratio", 3, "must be one over a whole number, not 3"),
        (BASE, "downsample_ratio", 0.2, "= 0.2, but 32 patches a side do not divide into squares of 5"),
    ],
    ids=str,
)
def test_broken_settings_are_refused_by_file_and_key(run, name, key, value, message):
    change(run / name, key, value)
    with pytest.raises(CheckpointError, match=rf"{name}: {re.escape(key)} {re.escape(message)}"):
        InstructVLA.from_pretrained(run)


@pytest.mark.parametrize(
    ("name", "key", "value", "message"),
    [
        (BASE, "vision_config.num_attention_heads", 3, "= 3 heads do not share 32 channels evenly"),
        ("tiny_sizes.json", "dino_config.num_heads", 3, "= 3 heads do not share 64 channels evenly"),
        ("tiny_sizes.json", "expert_config.num_attention_heads", 3, "= 3 heads do not share 64 channels evenly"),
        ("tiny_sizes.json", "expert_config.num_attention_heads", 64, "= 64 makes heads 1 wide"),
        (BASE, "llm_config.num_attention_heads", 3, "= 3 heads do not share 64 channels evenly"),
        (BASE, "llm_config.num_key_value_heads", 1, "= 1, the checkpoint has 2"),
        (BASE, "llm_config.intermediate_size", 64, "= 64, the checkpoint has 128"),
        (BASE, "vision_config.hidden_size", 64, "= 64, the checkpoint has 32"),
        (BASE, "vision_config.intermediate_size", 32, "= 32, the checkpoint has 64"),
        (BASE, "vision_config.patch_size", 16, "= 16, the checkpoint has 14"),
        (BASE, "vision_config.image_size", 224, "= 224 holds 16 patches of 14 px a side"),
        ("tiny_sizes.json", "dino_image_size", 448, "= 448 holds 32 patches of 14 px a side"),
        ("tiny_sizes.json", "dino_config.embed_dim", 1024, "= 1024, the checkpoint has 64"),
        ("tiny_sizes.json", "expert_config.hidden_size", 768, "= 768, the checkpoint has 64"),
        ("tiny_sizes.json", "expert_config.num_hidden_layers", 12, "= 12, the checkpoint has 2"),
        ("tiny_sizes.json", "expert_config.head_dim", 64, None),
        (BASE, "force_image_size", 384, "= 384, but the vision tower sees pictures of 448 px"),
        (BASE, "llm_config.hidden_act", "gelu", "is 'gelu'; known are silu"),
        (BASE, "llm_config.rope_scaling", {"type": "yarn", "factor": 4.0}, None),
    ],
    ids=str,
)
def test_settings_that_contradict_the_tensors_are_refused(run, name, key, value, message):
    change(run / name, key, value)
    expected = f"{key} {message}" if message else key.rpartition(".")[0]
    with pytest.raises(CheckpointError, match=rf"{name}: {re.escape(expected)}"):
        InstructVLA.from_pretrained(run)


def test_other_head_counts_of_the_language_model_are_refused_by_its_keys(run):
    change(run / BASE, "llm_config.num_attention_heads", 8)
    with pytest.raises(CheckpointError, match=r"llm_config.num_key_value_heads = 2, the checkpoint has 4"):
        InstructVLA.from_pretrained(run)
    change(run / BASE, "llm_config.num_key_value_heads", 3)
    with pytest.raises(CheckpointError, match="num_key_value_heads = 3, the checkpoint has 4"):
        InstructVLA.from_pretrained(run)


def test_heads_of_another_width_than_their_share_need_a_fitting_width(run, acts):
    change(run / BASE, "llm_config.head_dim", 32)
    with pytest.raises(CheckpointError, match="4 heads, 32 wide, make 128 queries, but .*q_proj makes 64"):
        InstructVLA.from_pretrained(run)
    change(run / BASE, "llm_config.head_dim", 16)
    assert acts(run).sizes.language.decoder.heads == 4


def test_a_ratio_that_gathers_other_widths_than_the_projector_takes_is_refused(run):
    change(run / BASE, "downsample_ratio", 0.25)
    with pytest.raises(CheckpointError, match=rf"mlp1.0 is made for 128 numbers.*{BASE}: downsample_ratio.* 512"):
        InstructVLA.from_pretrained(run)


def test_a_picture_of_another_size_with_as_many_patches_must_be_said_everywhere(run):
    change(run / BASE, "vision_config.image_size", 450)
    with pytest.raises(CheckpointError, match="force_image_size = 448, but the vision tower sees pictures of 450 px"):
        InstructVLA.from_pretrained(run)


@pytest.mark.parametrize(
    ("side", "key", "other"),
    [
        (450, "vision_config.image_size", "force_image_size"),
        (461, "vision_config.image_size", "force_image_size"),
        (461, "force_image_size", "vision_config.image_size"),
    ],
)
def test_a_picture_may_leave_a_rest_beside_the_last_patch(run, acts, frame, side, key, other):
    change(run / BASE, key, side)
    change(run / BASE, other, ABSENT)
    change(run / "tiny_sizes.json", "dino_image_size", 230)
    model = acts(run)
    assert model.sizes.image_tower.image_size == side and model.sizes.image_tower.grid == 32
    assert model.dino_pixels([frame]).shape == (1, 1, 3, 230, 230)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (BASE, "downsample_ratio"),
        (BASE, "force_image_size"),
        (BASE, "vision_config.image_size"),
        (BASE, "vision_config.hidden_size"),
        (BASE, "llm_config.num_key_value_heads"),
        (BASE, "llm_config.intermediate_size"),
        (BASE, "llm_config.max_position_embeddings"),
        (BASE, "llm_config.eos_token_id"),
        ("tiny_sizes.json", "dino_image_size"),
        ("config.json", "num_of_meta_query"),
    ],
)
def test_settings_that_tensors_or_published_checkpoints_tell_may_be_missing(run, acts, generalist, name, key):
    change(run / name, key, ABSENT)
    assert acts(run).sizes == generalist.sizes


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (BASE, "llm_config.num_attention_heads"),
        (BASE, "llm_config.rope_theta"),
        (BASE, "vision_config.num_attention_heads"),
    ],
)
def test_settings_that_nothing_else_tells_are_missed(run, name, key):
    change(run / name, key, ABSENT)
    with pytest.raises(CheckpointError, match=f"{name} lacks {key}"):
        InstructVLA.from_pretrained(run)


def test_newer_places_of_the_rotation_are_read(run, acts, generalist):
    change(run / BASE, "llm_config.rope_theta", ABSENT)
    change(run / BASE, "llm_config.rope_parameters", {"rope_type": "default", "rope_theta": 1e6})
    assert acts(run).sizes == generalist.sizes


@pytest.mark.parametrize(("width", "depth"), [(96, 1), (160, 3)])
def test_other_widths_and_depths_load(tmp_path, acts, width, depth):
    model = acts(write_untrained(tmp_path, width=width, depth=depth))
    assert model.sizes.language.decoder.width == width and model.sizes.language.decoder.depth == depth


def test_heads_of_a_width_that_nobody_tells_are_missed(tmp_path):
    run = write_untrained(tmp_path, width=96)
    (run / "tiny_sizes.json").unlink()
    with pytest.raises(CheckpointError, match=r"tiny_sizes.json lacks expert_config.num_attention_heads"):
        InstructVLA.from_pretrained(run)
    (run / "tiny_sizes.json").write_text('{"expert_config": {"num_attention_heads": 6}}')
    with pytest.raises(CheckpointError, match=r"tiny_sizes.json lacks dino_config.num_heads"):
        InstructVLA.from_pretrained(run)


@pytest.mark.parametrize("name", ["cog_projector.0.weight", "visual_projector.0.weight"])
def test_layers_that_do_not_take_what_comes_before_them_are_refused(run, name):
    change_weights(run, lambda model: model["action_model"].update({name: torch.zeros(64, 48)}))
    with pytest.raises(CheckpointError, match=f"{name.split('.')[0]} is made for 48 numbers, but what it reads has 64"):
        InstructVLA.from_pretrained(run)


def test_names_with_letters_where_numbers_stand_are_unknown_tensors(run):
    stray = {"action_head.last.weight": torch.zeros(2, 2)}
    change_weights(run, lambda model: model["action_model"].update(stray))
    with pytest.raises(CheckpointError, match="unknown tensors: action_model.action_head.last.weight"):
        InstructVLA.from_pretrained(run)


def renumber_gate(model: dict, step: int) -> None:
    """Give the gate's linear layers, at every third place, places of another distance."""
    language = model["language_model"]
    for name in sorted(name for name in language if name.startswith(GATE)):
        place, kind = name.removeprefix(f"{GATE}.").split(".")
        language[f"{GATE}.{int(place) // 3 * step}.{kind}"] = language.pop(name)


def test_a_gate_without_dropout_computes_the_same(run, acts, generalist, tmp_path, frame):
    change_weights(run, lambda model: renumber_gate(model, 2))
    model = acts(run)
    arguments = ([frame], "lift the cube", np.zeros(8), None, np.zeros((16, 7)))
    np.testing.assert_array_equal(model.act(*arguments).raw, generalist.act(*arguments).raw)
    assert not any(isinstance(part, torch.nn.Dropout) for part in model.language.gate.layers)
    assert any(isinstance(part, torch.nn.Dropout) for part in generalist.language.gate.layers)


def test_a_gate_of_another_kind_is_refused(run):
    change_weights(run, lambda model: renumber_gate(model, 5))
    with pytest.raises(CheckpointError, match="linear layers at 0, 5, 10, 15; known are every third"):
        InstructVLA.from_pretrained(run)


def test_a_gate_for_other_adapters_is_refused(run):
    def widen(model):
        model["language_model"][f"{GATE}.9.weight"] = torch.zeros(4, 32)
        model["language_model"][f"{GATE}.9.bias"] = torch.zeros(4)

    change_weights(run, widen)
    with pytest.raises(CheckpointError, match=r"layers.9 is made for 4 numbers, but adapters .* number 2"):
        InstructVLA.from_pretrained(run)


def pad_embeddings(model: dict, extra: int) -> None:
    """Add rows to embedding and head, so large that some of them would win every time."""
    language = model["language_model"]
    for name in [name for name in language if name.endswith(("embed_tokens.weight", "lm_head.weight"))]:
        rows = 100 * torch.randn(extra, language[name].shape[1], generator=torch.Generator().manual_seed(0))
        language[name] = torch.cat((language[name], rows))


def test_padded_embeddings_change_nothing(run, acts, generalist, frame):
    change_weights(run, lambda model: pad_embeddings(model, 23))
    model = acts(run)
    assert model.sizes.language.vocabulary == generalist.sizes.language.vocabulary + 23
    assert model.prompts.query_ids == generalist.prompts.query_ids
    arguments = ([frame], "lift the cube", np.zeros(8), None, np.zeros((16, 7)))
    np.testing.assert_array_equal(model.act(*arguments).raw, generalist.act(*arguments).raw)
    assert model.reason([frame], "lift it").token_ids == generalist.reason([frame], "lift it").token_ids


def test_more_queries_than_embeddings_are_refused_at_once(run):
    change(run / "config.json", "num_of_meta_query", 10**12)
    with pytest.raises(CheckpointError, match="num_of_meta_query is 1000000000000, the checkpoint has 553 token"):
        InstructVLA.from_pretrained(run)


def base_with_more_tokens(base: Path, more: int, place: Path) -> Path:
    """A copy of a base folder whose tokenizer has more tokens."""
    shutil.copytree(base, place)
    file = place / "tokenizer.json"
    content = json.loads(file.read_text())
    first = 1 + max(token["id"] for token in content["added_tokens"])
    template = content["added_tokens"][-1]
    content["added_tokens"] += [{**template, "id": first + i, "content": f"<more_{i}>"} for i in range(more)]
    file.write_text(json.dumps(content))
    return place


def test_of_several_base_folders_the_one_that_fits_is_taken(run, acts, generalist):
    fitting = run.parent / "Eagle2-2B-d"
    shutil.move(run / BASE_FOLDER, fitting)
    base_with_more_tokens(fitting, 5, run.parent / "Eagle2-2B-a")
    shutil.copytree(fitting, run.parent / "Eagle2-2B-b")
    (run.parent / "Eagle2-2B-b" / "tokenizer.json").write_text("{}")
    few = base_with_more_tokens(fitting, 0, run.parent / "Eagle2-2B-c")
    content = json.loads((few / "tokenizer.json").read_text())
    del content["added_tokens"][-1]
    (few / "tokenizer.json").write_text(json.dumps(content))
    assert acts(run).prompts.query_ids == generalist.prompts.query_ids
    shutil.rmtree(fitting)
    assert acts(run).prompts.query_ids[0] == generalist.prompts.query_ids[0] - 1
    shutil.rmtree(few)
    with pytest.raises(
        CheckpointError, match=r"(?s)553 token embeddings, .*-2B-a .* needs 558; .*-2B-b cannot be read"
    ):
        InstructVLA.from_pretrained(run)


def test_a_fitting_base_folder_goes_before_one_that_the_run_names(run, acts, generalist):
    base_with_more_tokens(run / BASE_FOLDER, 5, run / "Eagle2-2B-named")
    change(run / "config.json", "vla.base_vlm", "Eagle2-2B-named")
    assert acts(run).prompts.query_ids == generalist.prompts.query_ids
    with pytest.raises(CheckpointError, match="Eagle2-2B-named with 64 meta queries needs 558"):
        InstructVLA.from_pretrained(run, base_vlm=run / "Eagle2-2B-named")


@given(value=st.none() | st.booleans() | st.floats() | st.text() | st.lists(st.integers()) | st.integers())
def test_whatever_is_read_is_a_whole_number_or_an_error_with_file_and_key(value):
    settings = Settings(Path("some/config.json"), {"part": {"key": value}}).part("part")
    try:
        number = settings.integer("key")
    except CheckpointError as error:
        assert str(error).startswith("some/config.json: part.key must be")
    else:
        assert type(number) is int and number >= 1 and number == value


def test_linear_layers_are_found_at_any_distance():
    tensors = {"a.4.weight": torch.zeros(2, 3), "a.0.weight": torch.zeros(3, 5), "a.x.weight": torch.zeros(1)}
    assert linear_layers(tensors, "a") == ((0, 4), (5, 3, 2))
    with pytest.raises(CheckpointError, match=r"a.0.weight has the shape \(3,\)"):
        linear_layers({"a.0.weight": torch.zeros(3)}, "a")
