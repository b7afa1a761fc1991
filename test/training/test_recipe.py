# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The recipe's promises on a toy world: what falls, what moves, what stays, what loads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch

from instructvla_ros.model import InstructVLA
from instructvla_ros.model.settings import CheckpointError
from instructvla_ros.training import recipe
from instructvla_ros.training.language.commands import Intent
from instructvla_ros.training.language.words import TASKS
from instructvla_ros.training.objectives import NOWHERE, loss_parts
from instructvla_ros.training.recipe import adapters_of, choose_trained, is_trained, new_heads, with_adapters
from instructvla_ros.training.settings import ACTION, LANGUAGE, STAGES, TUNING, VISION
from instructvla_ros.training.ship import LARGEST_FILE, ship
from instructvla_ros.training.sights import Sights
from instructvla_ros.training.trainer import TrainingModule


def rows(run: Path, stage: str) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "training" / f"{stage}.jsonl").read_text().splitlines()]


def grown(finished: Path, stage: str) -> InstructVLA:
    model = InstructVLA.from_pretrained(finished / "stages" / LANGUAGE)
    for count in range(1, adapters_of(stage) + 1):
        model = with_adapters(model, count, 4, 8.0, 16, seed=count)
    return model


@pytest.mark.parametrize(
    ("stage", "loss", "share"),
    [
        (VISION, "seeing", 0.7),
        (VISION, "place", 0.8),
        (LANGUAGE, "language", 0.6),
        (LANGUAGE, "language_pointing", 0.8),
        (ACTION, "flow", 0.85),
    ],
)
def test_losses_fall(finished, stage, loss, share):
    values = [row[loss] for row in rows(finished, stage) if loss in row]
    assert np.mean(values[-2:]) < share * values[0], values


def test_a_finished_run_loads_with_the_normal_loader_and_acts(finished):
    model = InstructVLA.from_pretrained(finished)
    assert model.has_reasoning and model.sizes.action_expert.mask == "block_causal" and model.sizes.image_positions
    frame = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    thought = model.reason([frame], "pick up the red cube")
    output = model.act([frame], "pick up the red cube", np.zeros(8), thought.text)
    assert output.actions.shape == (4, 7) and np.isfinite(output.actions).all()
    expert = InstructVLA.from_pretrained(finished / "stages" / ACTION)
    assert not expert.has_reasoning
    assert not InstructVLA.from_pretrained(finished / "stages" / LANGUAGE).sizes.adapter_names


def test_the_trained_model_says_what_it_was_taught(finished):
    """Eighty steps do not teach much, but a reply begins as replies do, and ends."""
    model = InstructVLA.from_pretrained(finished)
    frame = np.full((48, 64, 3), 128, dtype=np.uint8)
    frame[3:13, 3:13] = (230, 40, 40)
    words = model.reason([frame], "pick up the red cube").words
    assert words and "<" not in words


def test_the_action_stage_leaves_the_vision_language_model_untouched(finished):
    before = InstructVLA.from_pretrained(finished / "stages" / LANGUAGE).state_dict()
    after = InstructVLA.from_pretrained(finished / "stages" / ACTION)
    queries = torch.tensor(after.prompts.query_ids)
    moved = []
    for name, weight in after.state_dict().items():
        if name in ("language.embedding.weight", "language.head.weight"):
            others = torch.ones(len(weight), dtype=torch.bool)
            others[queries] = False
            assert torch.equal(weight[others], before[name][others]), name
            assert not torch.equal(weight[queries], before[name][queries]), name
        elif name in before and not name.startswith("expert."):
            assert torch.equal(weight, before[name]), name
        else:
            moved.append(name)
    assert any(".lora_b." in name for name in moved)


def test_tuning_leaves_the_expert_and_the_first_adapter_untouched(finished):
    before = InstructVLA.from_pretrained(finished / "stages" / ACTION).state_dict()
    after = InstructVLA.from_pretrained(finished).state_dict()
    for name, weight in before.items():
        assert torch.equal(weight, after[name]), name
    second = [name for name in after if name.endswith("lora_b.1")]
    assert second and all(float(after[name].abs().max()) > 0.0 for name in second)


def test_the_gate_uses_both_adapters(finished):
    model = InstructVLA.from_pretrained(finished)
    frame = np.full((48, 64, 3), 128, dtype=np.uint8)
    prompt = model.prompts.for_action("pick up the red cube")
    with torch.no_grad():
        _, shares = model.language(model.embed(prompt, model.encode_images([frame])))
    assert shares is not None and shares.shape[-1] == 2
    means = shares.mean(dim=(0, 1))
    assert float(means.min()) > 0.02, means
    # each of the two has a say: without it the latent actions are others
    latents = []
    for silenced in (None, 0, 1):
        with torch.no_grad():
            for layer in model.language.decoder.layers:
                for linear in (layer.q, layer.up):
                    if silenced is not None:
                        linear.lora_b[silenced].zero_()
            hidden, _ = model.language(model.embed(prompt, model.encode_images([frame])))
        latents.append(hidden)
        model = InstructVLA.from_pretrained(finished)
    assert not torch.allclose(latents[0], latents[1]) and not torch.allclose(latents[0], latents[2])


@pytest.mark.parametrize("stage", STAGES)
def test_gradients_reach_what_a_stage_trains_and_nothing_else(finished, settings, train, stage):
    training = train(settings, finished.parent / "unused")
    model = grown(finished, stage).train()
    heads = new_heads(model, 0)
    choose_trained(model, stage)
    # new adapters end in zeros, behind which no gradient reaches their first matrix
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".lora_b." in name:
                parameter.normal_(std=0.02)
    module = TrainingModule(model, heads, settings.weights)
    batch = training._composer(stage, model, training.frames, points=True).batch(0)
    module(batch, settings.stages[stage].flow_times)[0].backward()
    queries = set(model.prompts.query_ids)
    for name, parameter in model.named_parameters():
        reached = parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
        assert reached == is_trained(name, stage), name
        if reached and stage == ACTION and name in ("language.embedding.weight", "language.head.weight"):
            assert set(parameter.grad.abs().sum(dim=1).nonzero().flatten().tolist()) <= queries, name


def test_an_interrupted_training_ends_as_if_it_had_not_been(settings, train, tmp_path):
    stages = {name: replace(stage, steps=6, pictures=4) for name, stage in settings.stages.items()}
    settings = replace(settings, stages=stages)
    train(settings, tmp_path / "whole").run()
    out = tmp_path / "interrupted"
    train(settings, out).run({VISION: 3})
    train(settings, out).run({LANGUAGE: 4})
    assert not (out / "config.json").exists()
    train(settings, out).run({ACTION: 2})
    train(settings, out).run({TUNING: 5})
    train(settings, out).run()
    whole = InstructVLA.from_pretrained(tmp_path / "whole").state_dict()
    for name, weight in InstructVLA.from_pretrained(out).state_dict().items():
        assert torch.equal(weight, whole[name]), name


def test_a_new_adapter_and_gate_change_nothing_at_first_but_the_mixture(finished):
    """With both adapters' second matrices at zero the model is the one it grew from."""
    model = InstructVLA.from_pretrained(finished / "stages" / LANGUAGE)
    larger = with_adapters(with_adapters(model, 1, 4, 8.0, 16, seed=1), 2, 4, 8.0, 16, seed=2).eval()
    prompt = model.prompts.for_action("pick up the red cube")
    frame = np.full((48, 64, 3), 100, dtype=np.uint8)
    with torch.no_grad():
        one, _ = model.language(model.embed(prompt, model.encode_images([frame])))
        two, _ = larger.language(larger.embed(prompt, larger.encode_images([frame])))
    torch.testing.assert_close(one, two)


def test_every_number_of_a_stage_is_drawn(finished):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install -r requirements/training.txt")
    for stage in STAGES:
        assert (finished / "training" / f"{stage}.png").read_bytes().startswith(b"\x89PNG"), stage


def test_what_is_shipped_loads_and_has_a_card(finished, tmp_path):
    file = ship(finished, tmp_path / "models" / "toy", "| phrases | all |")
    assert file.stat().st_size < LARGEST_FILE
    shipped = InstructVLA.from_pretrained(tmp_path / "models" / "toy")
    trained = InstructVLA.from_pretrained(finished)
    for name, weight in shipped.state_dict().items():
        assert torch.equal(weight, trained.state_dict()[name]), name
    card = (tmp_path / "models" / "toy" / "README.md").read_text()
    assert "| phrases | all |" in card and "seed 0" in card and "language 80, action 70, tuning 30" in card
    with pytest.raises(CheckpointError, match="no finished training"):
        ship(finished / "stages" / ACTION, tmp_path / "other", "")


@pytest.mark.parametrize(("held", "aim"), [(None, 0), (0, 2), (1, 0)])
def test_with_the_thing_in_the_hand_that_is_pointed_at_beside_which_it_is_to_be_put(
    settings, train, finished, held, aim
):
    stage = replace(settings.stages[ACTION], commands=1, questions=0, absent=0.0, situated=0.0, explained=0.0)
    training = train(replace(settings, stages={**settings.stages, ACTION: stage}), finished.parent / "unused")
    frame = training.frames[0]
    assert frame.facts is not None
    label = replace(frame.labels[0], intent=Intent("put_next_to", 0, 2))
    frame = replace(frame, labels=(label,), facts=replace(frame.facts, held=held))
    model = InstructVLA.from_pretrained(finished / "stages" / ACTION)
    batch = training._composer(ACTION, model, [frame], points=True, augment=False).batch(0)
    wanted = torch.tensor(frame.facts.things[aim].position)
    torch.testing.assert_close(batch.place, wanted.expand(stage.pictures, 3))
    sights = Sights(model, augment=False)
    assert (batch.language_cell == sights.language_cell(frame, aim)).all()
    assert (batch.vision_cell == sights.vision_cell(frame, aim, frame.images()[0])).all()


def test_pictures_with_a_full_hand_come_as_often_as_is_asked_for(settings, train, finished):
    stage = replace(settings.stages[ACTION], carrying=0.5)
    training = train(replace(settings, stages={**settings.stages, ACTION: stage}), finished.parent / "unused")
    free = replace(training.frames[0], facts=replace(training.frames[0].facts, held=None))
    full = replace(free, facts=replace(free.facts, held=0))
    model = InstructVLA.from_pretrained(finished / "stages" / ACTION)
    composer = training._composer(ACTION, model, [free, free, free, full], points=True)
    random = Random(0)
    drawn = [composer._drawn(random).facts.held is not None for _ in range(400)]
    assert 0.55 < sum(drawn) / len(drawn) < 0.7  # half of them, and a quarter of the other half


def test_a_thing_that_is_not_there_is_a_task_of_its_own_and_nothing_is_pointed_at(settings, train, finished):
    stage = replace(settings.stages[ACTION], commands=1, questions=0, absent=1.0, explained=0.0)
    training = train(replace(settings, stages={**settings.stages, ACTION: stage}), finished.parent / "unused")
    model = InstructVLA.from_pretrained(finished / "stages" / ACTION)
    batch = training._composer(ACTION, model, training.frames[:4], points=True).batch(0)
    assert (batch.task == len(TASKS)).all()
    assert (batch.language_cell == NOWHERE).all() and (batch.vision_cell == NOWHERE).all()
    losses = loss_parts(model, new_heads(model, 0), batch, 1).losses
    assert "task" in losses and not {"vision_pointing", "language_pointing", "place"} & set(losses)


def test_a_run_that_goes_on_keeps_its_tokenizer_whatever_sentences_have_become(settings, train, tmp_path, monkeypatch):
    model, _ = train(settings, tmp_path).begin()
    file = tmp_path / recipe.BASE_FOLDER / "tokenizer.json"
    before = file.read_bytes()
    monkeypatch.setattr(recipe, "corpus", lambda *_: ["other words"])
    again, _ = train(settings, tmp_path).begin()
    assert file.read_bytes() == before
    again.load_state_dict(model.state_dict())


def test_before_it_speaks_it_is_to_know_which_thing_is_meant_or_that_it_is_not_there(settings, train, finished):
    stage = replace(
        settings.stages[ACTION], commands=1, questions=0, reasoning=1.0, absent=0.5, situated=0.0, explained=0.5
    )
    training = train(replace(settings, stages={**settings.stages, ACTION: stage}), finished.parent / "unused")
    model = InstructVLA.from_pretrained(finished / "stages" / ACTION)
    composer = training._composer(ACTION, model, training.frames, points=True)
    not_there, prompts = model.sizes.num_image_tokens, model.prompts
    counts = {"absent": 0, "there": 0, "hidden": 0}
    for step in range(6):
        batch = composer.batch(step)
        packed = batch.prompts
        for index, cell in enumerate(batch.meant_cell.tolist()):
            start = int(packed.reply_start[index]) + 1
            words = prompts.text(packed.ids.flatten()[start : start + 12].tolist())
            kind = "absent" if cell == not_there else "hidden" if cell == NOWHERE else "there"
            counts[kind] += 1
            if kind != "hidden":
                assert words.strip().startswith("there is no") == (kind == "absent"), words
    assert min(counts.values()) > 0
    heads = new_heads(model, 0)
    parts = loss_parts(model, heads, batch, 1, watch=True)
    assert 0.0 <= parts.figures["meaning_accuracy"] <= 1.0
    parts.losses["meaning"].backward()
    assert heads.nothing.weight.grad.abs().sum() > 0 and heads.meant.weight.grad.abs().sum() > 0
    assert any(parameter.grad is not None for parameter in model.language.parameters())


def test_what_is_meant_at_the_start_of_a_reply_is_learned(finished):
    values = [row["meaning"] for row in rows(finished, LANGUAGE) if "meaning" in row]
    assert np.mean(values[-2:]) < 0.8 * values[0], values
