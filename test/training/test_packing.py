# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Prompts packed by picture give what they give alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from instructvla_ros.model import InstructVLA
from instructvla_ros.model.losses import training_losses
from instructvla_ros.model.prompt import Turn
from instructvla_ros.model.untrained import write_untrained
from instructvla_ros.training.compose import Composer
from instructvla_ros.training.objectives import latents_of, loss_parts
from instructvla_ros.training.packing import pack
from instructvla_ros.training.settings import ACTION


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return InstructVLA.from_pretrained(
        write_untrained(tmp_path_factory.mktemp("untrained"), action_expert_mask="block_causal")
    )


def prompts_of(model):
    return [
        [
            model.prompts.for_action("lift the red cube"),
            model.prompts.for_action("go left", "the cube is there. move left."),
            model.prompts.conversation([Turn("what is this", "a cube")]),
        ],
        [model.prompts.for_action("push the ball over to the other side of the table")],
    ]


@torch.no_grad()
def test_each_packed_prompt_has_the_hidden_states_that_it_has_alone(model):
    pictures = prompts_of(model)
    frames = [np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8) for seed in (1, 2)]
    tokens = [model.encode_images([frame]) for frame in frames]
    packed = pack(pictures, model.sizes.num_image_tokens)
    embedded = model.language.embedding(packed.ids)
    start = packed.image_start
    embedded[:, start : start + tokens[0].shape[1]] = torch.cat(tokens)
    together, _ = model.language(embedded, mask=packed.mask(), positions=packed.positions)
    for row, (prompts, image) in enumerate(zip(pictures, tokens, strict=True)):
        for number, prompt in enumerate(prompts, start=1):
            alone, _ = model.language(model.embed(prompt, image))
            rest = together[row][packed.part[row] == number]
            torch.testing.assert_close(rest, alone[0, -len(rest) :], atol=1e-4, rtol=1e-4)
            assert len(rest) == len(prompt.ids) - start - image.shape[1]


@torch.no_grad()
def test_packed_losses_are_those_of_the_model(model):
    """The language loss of a packed batch, and latent actions where the queries stand."""
    pictures = [prompts[:1] for prompts in prompts_of(model)]
    frames = [np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8) for seed in (1, 2)]
    flat = [prompt for prompts in pictures for prompt in prompts]
    actions, states = torch.zeros(2, 16, 7), torch.zeros(2, 8)
    expected = training_losses(model, [[frame] for frame in frames], flat, actions, states).language
    packed = pack(pictures, model.sizes.num_image_tokens)
    embedded = model.language.embedding(packed.ids)
    image = torch.cat([model.encode_images([frame]) for frame in frames])
    embedded[:, packed.image_start : packed.image_start + image.shape[1]] = image
    hidden, _ = model.language(embedded, mask=packed.mask(), positions=packed.positions)
    states_of_labels = hidden.flatten(0, 1)[packed.label_index]
    loss = torch.nn.functional.cross_entropy(model.language.head(states_of_labels), packed.labels)
    torch.testing.assert_close(loss, expected, atol=1e-4, rtol=1e-4)
    latents = latents_of(model, hidden.flatten(0, 1), packed)
    for index, (prompt, frame) in enumerate(zip(flat, frames, strict=True)):
        alone, _ = model.language(model.embed(prompt, model.encode_images([frame])))
        torch.testing.assert_close(latents[index], model.latent_actions(alone, prompt)[0], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_flow_times_share_a_context_and_give_the_velocities_of_each_alone(model):
    expert = model.expert
    generator = torch.Generator().manual_seed(0)

    def noise(*shape):
        return torch.randn(*shape, generator=generator)

    width = model.sizes.language.decoder.width
    latents = noise(2, 64, width)
    context = expert.context(expert.look(noise(2, 1, 3, 224, 224), latents), latents, noise(2, 8))
    actions, times = noise(2, 3, 16, 7), torch.rand(2, 3, generator=generator)
    together = expert.velocities(context, actions, times)
    for index in range(3):
        alone = expert.velocity(context, actions[:, index], times[:, index])
        torch.testing.assert_close(together[:, index], alone, atol=1e-4, rtol=1e-4)


def test_the_additive_mask_refuses_to_share_a_context(generalist_like):
    with pytest.raises(ValueError, match="only under the mask block_causal, not additive"):
        generalist_like.expert.velocities(None, torch.zeros(1, 2, 16, 7), torch.zeros(1, 2))


@pytest.fixture(scope="module")
def generalist_like(tmp_path_factory):
    return InstructVLA.from_pretrained(write_untrained(tmp_path_factory.mktemp("additive")))


def test_prompts_that_begin_differently_are_refused(model):
    one = model.prompts.for_action("lift")
    other = replace(one, ids=(one.ids[1], *one.ids[1:]))
    with pytest.raises(ValueError, match="must begin alike"):
        pack([[one, other]], model.sizes.num_image_tokens)
    with pytest.raises(ValueError, match="at least one prompt"):
        pack([[one], []], model.sizes.num_image_tokens)


def test_a_published_kind_of_model_trains_on_the_same_batches(generalist_like, toy_frames, settings):
    """Additive mask, no image positions, no heads: the losses of language and flow alone."""
    frames = [
        replace(frame, labels=tuple(replace(label, chunk=np.tile(label.chunk, (4, 1))) for label in frame.labels))
        for frame in toy_frames
    ]
    stage = replace(settings.stages[ACTION], pictures=2)
    composer = Composer(generalist_like, frames, stage, "sim", 0)
    parts = loss_parts(generalist_like, None, composer.batch(0), 2)
    assert set(parts.losses) == {"language", "flow"}
    assert all(torch.isfinite(loss) for loss in parts.losses.values())


def test_silent_prompts_have_no_labels(model):
    pictures = prompts_of(model)
    packed = pack(pictures, model.sizes.num_image_tokens, silent=[False, True, False, False])
    assert set(packed.label_prompt.tolist()) == {0, 2, 3}
