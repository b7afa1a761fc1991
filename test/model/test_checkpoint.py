# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Loading: what is found by itself, what is refused and how it is named, and how much memory it takes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from instructvla_ros.model import CheckpointError, InstructVLA
from instructvla_ros.model.checkpoint import open_checkpoint, save_checkpoint
from instructvla_ros.model.run_folder import RunFolder
from instructvla_ros.model.untrained import BASE_FOLDER, CHECKPOINT, write_untrained

Q_BIAS = "base_model.lora_model.model.model.layers.0.self_attn.q_proj.base_layer.bias"


@pytest.fixture
def run(generalist_run, tmp_path) -> Path:
    """A run folder to spoil."""
    return Path(shutil.copytree(generalist_run, tmp_path / "run"))


def change_weights(run: Path, change) -> None:
    """Rewrite a run's checkpoint after a change to its parts."""
    file = run / "checkpoints" / CHECKPOINT
    content = torch.load(file, weights_only=True)
    change(content["model"])
    torch.save(content, file)


def change_json(file: Path, **changes) -> None:
    """Change entries of a JSON file; None removes one."""
    content = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def test_saving_and_loading_gives_the_same_weights(generalist, run):
    save_checkpoint(generalist, generalist.sizes, run / "checkpoints" / "step-000001.pt")
    again = InstructVLA.from_pretrained(run).state_dict()
    assert again.keys() == generalist.state_dict().keys()
    for name, weight in generalist.state_dict().items():
        assert torch.equal(again[name], weight), name


def test_a_truncated_checkpoint_is_refused(run):
    file = run / "checkpoints" / CHECKPOINT
    for share in (0.0, 0.3, 0.99):
        content = file.read_bytes()
        file.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(CheckpointError, match=f"{CHECKPOINT} is truncated or no checkpoint"):
            InstructVLA.from_pretrained(run)
        file.write_bytes(content)


def test_code_in_a_checkpoint_is_refused(run):
    class Payload:
        def __reduce__(self):
            return (print, ("code ran",))

    torch.save({"model": Payload()}, run / "checkpoints" / CHECKPOINT)
    with pytest.raises(CheckpointError, match="no checkpoint of weights alone"):
        InstructVLA.from_pretrained(run)


@pytest.mark.parametrize("content", [{"state_dict": {}}, [1, 2], {"model": {"vision_model": {}}}])
def test_another_kind_of_checkpoint_is_refused(run, content):
    torch.save(content, run / "checkpoints" / CHECKPOINT)
    with pytest.raises(CheckpointError, match='"model"'):
        InstructVLA.from_pretrained(run)


def test_a_missing_tensor_is_named(run):
    change_weights(run, lambda model: model["language_model"].pop(Q_BIAS))
    with pytest.raises(CheckpointError, match=f"lacks language_model.{Q_BIAS}"):
        InstructVLA.from_pretrained(run)


@pytest.mark.parametrize("part", ["vision_model", "language_model", "mlp1", "action_model"])
def test_every_missing_tensor_is_noticed(generalist_run, run, part):
    names = list(torch.load(run / "checkpoints" / CHECKPOINT, weights_only=True)["model"][part])
    for name in names[:: max(1, len(names) // 7)]:
        shutil.copyfile(generalist_run / "checkpoints" / CHECKPOINT, run / "checkpoints" / CHECKPOINT)
        change_weights(run, lambda model, name=name: model[part].pop(name))
        with pytest.raises(CheckpointError):
            InstructVLA.from_pretrained(run)


def test_an_unknown_tensor_is_named(run):
    change_weights(run, lambda model: model["action_model"].update({"surprise.weight": torch.zeros(2)}))
    with pytest.raises(CheckpointError, match="unknown tensors: action_model.surprise.weight"):
        InstructVLA.from_pretrained(run)


def test_a_tensor_of_another_shape_is_named(run):
    change_weights(run, lambda model: model["action_model"].update({"cog_projector.2.bias": torch.zeros(3)}))
    with pytest.raises(CheckpointError, match=r"action_model.cog_projector.2.bias has the shape \(3,\)"):
        InstructVLA.from_pretrained(run)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_named(run, value):
    def spoil(model):
        model["mlp1"]["1.weight"][2, 3] = value

    change_weights(run, spoil)
    with pytest.raises(CheckpointError, match="mlp1.1.weight holds values that are not finite"):
        InstructVLA.from_pretrained(run)


def test_what_is_no_tensor_of_numbers_is_named(run):
    change_weights(run, lambda model: model["mlp1"].update({"1.bias": torch.zeros(64, dtype=torch.int64)}))
    with pytest.raises(CheckpointError, match="mlp1.1.bias is no tensor of floating point numbers"):
        InstructVLA.from_pretrained(run)


def test_tensors_that_never_reach_the_output_may_be_there(run):
    def add_unused(model):
        model["vision_model"]["vision_model.head.probe"] = torch.zeros(1, 1, 32)
        model["action_model"]["film_vision_model.vision_model.blocks.3.scale.weight"] = torch.zeros(64, 64)
        model["action_model"]["film_vision_model.vision_model.norm.weight"] = torch.zeros(64)

    change_weights(run, add_unused)
    assert InstructVLA.from_pretrained(run).chunk_length == 16


def test_a_base_folder_of_another_model_is_refused(run):
    config = run / BASE_FOLDER / "config.json"
    language = json.loads(config.read_text())["llm_config"]
    change_json(config, llm_config={**language, "hidden_size": 1536})
    with pytest.raises(CheckpointError, match="llm_config.hidden_size = 1536, the checkpoint has 64"):
        InstructVLA.from_pretrained(run)
    change_json(config, llm_config={**language, "num_hidden_layers": 3})
    with pytest.raises(CheckpointError, match="llm_config.num_hidden_layers = 3, the checkpoint has 2"):
        InstructVLA.from_pretrained(run)


def test_a_tokenizer_with_more_tokens_than_embeddings_is_refused(run):
    change_json(run / "config.json", num_of_meta_query=65)
    with pytest.raises(CheckpointError, match="553 token embeddings, the tokenizer .* with 65 meta queries needs 554"):
        InstructVLA.from_pretrained(run)


@pytest.mark.parametrize("name", ["config.json", "dataset_statistics.json"])
def test_missing_and_malformed_files_are_named(run, name):
    (run / name).write_text("{not json")
    with pytest.raises(CheckpointError, match=f"{name} cannot be read"):
        InstructVLA.from_pretrained(run)
    (run / name).write_text("[1]")
    with pytest.raises(CheckpointError, match=f"{name} must hold a JSON object"):
        InstructVLA.from_pretrained(run)
    (run / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name} is missing"):
        InstructVLA.from_pretrained(run)


def test_missing_folders_are_named(run, tmp_path):
    with pytest.raises(CheckpointError, match="no run folder .*nowhere"):
        InstructVLA.from_pretrained(tmp_path / "nowhere")
    (run / "checkpoints" / CHECKPOINT).unlink()
    with pytest.raises(CheckpointError, match="no checkpoint .*checkpoints"):
        InstructVLA.from_pretrained(run)


def test_an_unknown_mask_is_refused(run):
    change_json(run / "config.json", action_expert_mask="none")
    with pytest.raises(CheckpointError, match="action_expert_mask is 'none'; known are additive, block_causal"):
        InstructVLA.from_pretrained(run)


def test_the_newest_step_is_loaded(run):
    original = run / "checkpoints" / CHECKPOINT
    for name in ("step-000900-epoch-00-loss=0.1.pt", "step-010000-epoch-01-loss=0.2.pt", "latest.pt"):
        shutil.copyfile(original, run / "checkpoints" / name)
    assert RunFolder.open(run).checkpoint.name == "step-010000-epoch-01-loss=0.2.pt"
    assert RunFolder.open(original).checkpoint == original
    assert RunFolder.open(original).path == run


@pytest.mark.parametrize("place", ["inside", "beside", "above", "named beside"])
def test_the_base_folder_is_found_by_itself(run, place):
    where = {"inside": run, "beside": run.parent, "above": run.parent.parent, "named beside": run.parent}[place]
    name = "my_base" if place == "named beside" else "Eagle2-2B-moved"
    vla = {"base_vlm": f"ckpt/{'my_base' if place == 'named beside' else 'Eagle2-2B'}"}
    change_json(run / "config.json", vla=vla)
    shutil.move(run / BASE_FOLDER, where / name)
    try:
        assert RunFolder.open(run).base_folders()[0] == (where / name).resolve()
    finally:
        shutil.rmtree(where / name)


def test_the_named_base_folder_goes_before_others(run):
    shutil.copytree(run / BASE_FOLDER, run.parent / "weights" / "base")
    change_json(run / "config.json", vla={"base_vlm": "weights/base"})
    assert RunFolder.open(run).base_folders()[0] == (run.parent / "weights" / "base").resolve()


def test_a_base_folder_that_is_not_found_lists_the_places(run):
    shutil.rmtree(run / BASE_FOLDER)
    with pytest.raises(CheckpointError, match=f"name it with base_vlm. Looked at: .*{run.name}/{BASE_FOLDER}"):
        InstructVLA.from_pretrained(run)
    with pytest.raises(CheckpointError, match="is no base folder"):
        InstructVLA.from_pretrained(run, base_vlm=run)


def test_views_and_crop_follow_the_run_and_can_be_overridden(run):
    change_json(run / "tiny_sizes.json", num_views=None)
    assert InstructVLA.from_pretrained(run).num_views == 1
    statistics = json.loads((run / "dataset_statistics.json").read_text())
    (run / "dataset_statistics.json").write_text(json.dumps({"libero_goal_no_noops": statistics["sim"]}))
    change_json(run / "config.json", image_aug=True)
    model = InstructVLA.from_pretrained(run)
    assert model.num_views == 2 and model.crop_frames
    model = InstructVLA.from_pretrained(run, num_views=1, centre_crop=False)
    assert model.num_views == 1 and not model.crop_frames
    with pytest.raises(ValueError, match="num_views must be 1 or 2, got 3"):
        InstructVLA.from_pretrained(run, num_views=3)


def test_without_constants_heads_are_as_wide_as_in_published_checkpoints(run):
    (run / "tiny_sizes.json").unlink()
    sizes = InstructVLA.from_pretrained(run).sizes.action_expert
    assert sizes.decoder.heads == 1 and sizes.decoder.head_width == 64
    assert sizes.vision.heads == 1
    assert sizes.decoder.rope_theta == 1000.0


def test_bfloat16_weights_give_nearly_the_same_actions(generalist_run, generalist, frame):
    model = InstructVLA.from_pretrained(generalist_run, dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    arguments = ([frame], "lift the cube", np.zeros(8), None, np.zeros((16, 7)))
    difference = np.abs(model.act(*arguments).raw - generalist.act(*arguments).raw).max()
    assert 0.0 < difference < 0.05
    assert len(model.reason([frame], "lift the cube", max_new_tokens=3).token_ids) >= 1


def test_the_file_is_read_as_a_map(generalist_run):
    file = (generalist_run / "checkpoints" / CHECKPOINT).resolve()
    tensors = open_checkpoint(file)
    spans = [
        line.split()[0].split("-") for line in Path("/proc/self/maps").read_text().splitlines() if str(file) in line
    ]
    for name, tensor in tensors.items():
        assert any(int(start, 16) <= tensor.data_ptr() < int(end, 16) for start, end in spans), name


MEASURE = """
import gc, re, sys, torch
from instructvla_ros.model import InstructVLA
def status(key):
    return int(re.search(key + r":\\s+(\\d+) kB", open("/proc/self/status").read()).group(1)) * 1024
InstructVLA.from_pretrained(sys.argv[1])
gc.collect()
open("/proc/self/clear_refs", "w").write("5")
before = status("VmRSS")
model = InstructVLA.from_pretrained(sys.argv[2], dtype=getattr(torch, sys.argv[3]))
weights = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
print(weights, status("VmHWM") - before, status("VmRSS") - before)
"""


@pytest.fixture(scope="module")
def large_run(tmp_path_factory):
    """A run of some 310 MB."""
    run = write_untrained(tmp_path_factory.mktemp("large"), width=768, depth=4)
    yield run
    shutil.rmtree(run)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_loading_takes_the_memory_of_one_copy(generalist_run, large_run, dtype, record_property):
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, str(generalist_run), str(large_run), dtype],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    weights, peak, after = map(int, measured.stdout.split())
    record_property("weights", weights)
    record_property("peak", peak)
    print(f"{dtype}: weights {weights / 1e6:.0f} MB, peak {peak / 1e6:.0f} MB, after {after / 1e6:.0f} MB")
    assert weights > 100e6
    assert after > 0.9 * weights
    assert peak < 1.1 * weights
