# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Our network computes what the reference computed, from pixels to actions, losses and gradients."""

import re

import pytest
import torch

from instructvla_ros.model.action_expert import time_embedding
from instructvla_ros.model.images import dino_pixels, language_pixels
from instructvla_ros.model.layout import official_names
from instructvla_ros.model.losses import keep_query_gradients
from instructvla_ros.model.prompt import IGNORED_LABEL, Prompt, Turn

HIDDEN = 1e-3
ACTIONS = 3e-4
LOSS = 1e-3


@pytest.fixture
def flow(flow_name, load_parity):
    """One flow of one case of one recorded model: the model, the case, the case's name, the flow's name."""
    *which, case, name = flow_name
    parity = load_parity(*which)
    return parity, parity.expected["cases"][case], case, name


@pytest.fixture
def reasoning(reasoning_name, load_parity):
    """A flow that generates text; parts as in `flow`."""
    *which, case, name = reasoning_name
    parity = load_parity(*which)
    return parity, parity.expected["cases"][case], case, name


def test_pixels_are_bit_exact(parity_set):
    assert parity_set.pixels
    for key, theirs in parity_set.pixels.items():
        name, _, kind = key.rpartition("/")
        frames = [parity_set.images[part] for part in name.split("+")]
        ours = language_pixels(frames, 448) if kind == "vlm" else dino_pixels(frames, 224)
        stride = ours.shape[-1] // theirs.shape[-1]
        assert torch.equal(ours[..., ::stride, ::stride], theirs), key


def test_token_ids_are_equal(flow):
    parity, case, _, name = flow
    expected = case[name]
    prompt = parity.model.prompts.for_action(case["instruction"], expected["last_response"])
    assert list(prompt.ids) == expected["input_ids"]


def test_reasoning_is_equal(reasoning):
    parity, case, case_name, name = reasoning
    expected = case[name]
    shown = []
    thought = parity.model.reason(parity.frames(case), case["instruction"], on_text=shown.append)
    assert thought.token_ids == expected["generated_ids"]
    assert thought.text == expected["last_response"]
    assert shown[-1] == thought.words
    with torch.inference_mode():
        frames = parity.model.prepare_frames(parity.frames(case))
        prompt = parity.model.prompts.for_reasoning(case["instruction"])
        embeddings = parity.model.embed(prompt, parity.model.encode_images(frames))
        steps = [hidden for _, hidden in parity.model.generate(embeddings, len(thought.token_ids))]
    parity.compare("generation", torch.stack(steps), f"{case_name}/{name}/last_hidden_per_step", HIDDEN)


@torch.inference_mode()
def test_hidden_states_are_close(flow):
    parity, case, case_name, name = flow
    model, key = parity.model, f"{case_name}/{name}"
    frames = model.prepare_frames(parity.frames(case))
    pixels = language_pixels(frames, model.sizes.image_tower.image_size).float()
    parity.compare("SigLIP", model.images.tower(pixels)[0, :8], f"{case_name}/siglip_last_hidden_first8", HIDDEN)
    tokens = model.encode_images(frames)
    parity.compare("image tokens", tokens[0], f"{case_name}/vit_embeds", HIDDEN)

    prompt = model.prompts.for_action(case["instruction"], case[name]["last_response"])
    hidden, shares = model.language(model.embed(prompt, tokens))
    parity.compare("language model", hidden[0], f"{key}/last_hidden_all", HIDDEN)
    if shares is not None:
        parity.compare("gate", shares[0], f"{key}/xlora_scalings_action_pass", HIDDEN)
    latents = model.latent_actions(hidden, prompt)
    parity.compare("latent actions", latents[0], f"{key}/meta_hidden", HIDDEN)

    features = model.expert.look(model.dino_pixels(frames), latents)
    parity.compare("FiLM vision", features[0], f"{key}/film_dino", HIDDEN)
    states = model.normalize_state(case.get("proprio"), case["unnorm_key"])
    if states is not None:
        parity.compare("robot state", states, f"{case_name}/proprio_normalized_bf16_as_f32", 0.0)
    context = model.expert.context(features, latents, states)
    parity.compare("visual tokens", context.tokens[:, :8], f"{key}/visual_tokens_first8", HIDDEN)
    latent_tokens = context.tokens[:, context.num_vision :][:, : latents.shape[1]]
    parity.compare("latent tokens", latent_tokens, f"{key}/cog_tokens", HIDDEN)

    noise = parity.tensors[f"{case_name}/noise"]
    encoded = model.expert.action_encoder(noise, torch.zeros(1))
    expert_hidden = model.expert.hidden(context, encoded)[0]
    parity.compare("action expert", expert_hidden[:4], f"{key}/expert_hidden_step0_first4", HIDDEN)
    parity.compare("action expert", expert_hidden[-32:], f"{key}/expert_hidden_step0_last32", HIDDEN)
    velocities = []
    model.expert.sample(context, noise, on_step=lambda velocity: velocities.append(velocity[0]))
    parity.compare("velocities", torch.stack(velocities), f"{key}/velocities", HIDDEN)


def test_actions_are_close(flow):
    parity, case, case_name, name = flow
    key = f"{case_name}/{name}"
    output = parity.model.act(
        parity.frames(case),
        case["instruction"],
        proprio=case.get("proprio"),
        reasoning=case[name]["last_response"],
        noise=parity.tensors[f"{case_name}/noise"][0],
        dataset=case["unnorm_key"],
    )
    parity.compare("latent actions, act", output.latent_actions, f"{key}/meta_hidden", HIDDEN)
    parity.compare("actions, raw", output.raw[None], f"{key}/normalized_actions_raw", ACTIONS)
    parity.compare("actions, normalised", output.normalized, f"{key}/normalized_actions", ACTIONS)
    parity.compare("actions", output.actions, f"{key}/actions", ACTIONS)
    assert output.actions.dtype == "float64"


def test_time_embedding_is_close(parity):
    expected = parity.tensors["time_embedding/emb"]
    ours = time_embedding(parity.tensors["time_embedding/t"], expected.shape[1])
    parity.compare("time embedding", ours, "time_embedding/emb", 1e-6)


def training_prompts(parity) -> list[Prompt]:
    """Rebuild the prompts of the recorded training step out of their words."""
    prompts = parity.model.prompts
    rebuilt = []
    for ids in parity.tensors["train/input_ids"].tolist():
        text = prompts._full.decode(ids, skip_special_tokens=False)
        user = re.search(r"</img>\n(.*?)<\|im_end\|>", text, re.DOTALL).group(1)
        reply = re.search(r"<\|im_start\|>assistant\n(.*?) ?<new_token_0>", text, re.DOTALL).group(1)
        rebuilt.append(prompts.conversation([Turn(user, reply or None, queries=True)]))
    return rebuilt


def test_training_prompts_and_labels_are_equal(training):
    parity, train = training, training.expected["train"]
    for prompt, ids, labels in zip(
        training_prompts(parity),
        parity.tensors["train/input_ids"].tolist(),
        parity.tensors["train/labels"].tolist(),
        strict=True,
    ):
        padding = len(ids) - len(prompt.ids)
        assert list(prompt.ids) + [train["pad_token_id"]] * padding == ids
        assert list(prompt.labels) + [IGNORED_LABEL] * padding == labels


def test_losses_and_gradients_are_close(training):
    parity, train = training, training.expected["train"]
    model, tensors = parity.model, parity.tensors
    images = [
        [parity.set.images[name] for name in (names if isinstance(names, list) else [names])]
        for names in train["images"]
    ]
    states = tensors["train/proprios"][:, 0] if "train/proprios" in tensors else None
    hooks = keep_query_gradients(model)
    try:
        losses = model.losses(
            images, training_prompts(parity), tensors["train/actions"], states, tensors["train/x0"], tensors["train/t"]
        )
        losses.total.backward()
        for what, ours in (("flow_loss", losses.flow), ("lm_loss", losses.language), ("total_loss", losses.total)):
            parity.remember("losses", abs(ours.item() - train[what]), LOSS, what)
        gradients = gradients_by_official_name(model)
    finally:
        model.zero_grad()
        for hook in hooks:
            hook.remove()
    assert train["grads"]
    for name, expected in train["grads"].items():
        gradient = gradients[name.removeprefix("vlm.")].double()
        for what, ours in (("l2", gradient.norm()), ("sum", gradient.sum()), ("abssum", gradient.abs().sum())):
            scale = expected["abssum"] if what == "sum" else expected[what]
            parity.remember("gradients, relative", abs(float(ours) - expected[what]) / scale, 1e-3, f"{name} {what}")


def gradients_by_official_name(model) -> dict[str, torch.Tensor]:
    """Gradients called as in checkpoints."""
    gradients = {}
    for ours, parameter in model.named_parameters():
        names = official_names(ours, model.sizes)
        if parameter.grad is not None and len(names) == 1:
            gradients[names[0]] = parameter.grad
    return gradients


def test_two_turn_conversation_is_equal(training):
    parity, train = training, training.expected["train"]
    expected, model = train["two_turn"], parity.model
    request = model.prompts._full.decode(expected["input_ids"], skip_special_tokens=False)
    user = re.findall(r"<\|im_start\|>user\n(.*?)<\|im_end\|>", request, re.DOTALL)[1]
    turns = [Turn(expected["question"], expected["answer"]), Turn(user, queries=True)]
    prompt = model.prompts.conversation(turns)
    assert list(prompt.ids) == expected["input_ids"]
    assert list(prompt.labels) == expected["labels"]
    names = train["images"][0]
    images = [parity.set.images[name] for name in (names if isinstance(names, list) else [names])]
    with torch.no_grad():
        loss = model.losses([images], [prompt]).language
    parity.remember("losses", abs(float(loss) - expected["lm_loss"]), LOSS, "two-turn lm_loss")
