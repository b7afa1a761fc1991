# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What training minimises: the language model's cross-entropy and the action expert's flow matching error."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from instructvla_ros.model.prompt import IGNORED_LABEL, Prompt

if TYPE_CHECKING:
    from instructvla_ros.model.instructvla import InstructVLA

NOISE_LEFT = 0.999  # the flow ends a thousandth short of the action
_TIME_ALPHA = 1.5


@dataclass(frozen=True, eq=False)
class Losses:
    """Losses of a batch, each a scalar with gradients.

    Attributes:
        language: mean cross-entropy over all labelled tokens.
        flow: mean squared error of the flow's velocity; None for a batch without actions.
    """

    language: Tensor
    flow: Tensor | None

    @property
    def total(self) -> Tensor:
        """Their sum."""
        return self.language if self.flow is None else self.language + self.flow


def training_losses(
    model: "InstructVLA",
    images: Sequence[Sequence[np.ndarray]],
    prompts: Sequence[Prompt],
    actions: Tensor | None = None,
    states: Tensor | None = None,
    noise: Tensor | None = None,
    time: Tensor | None = None,
) -> Losses:
    """Compute the losses of a batch.

    Args:
        model: the model.
        images: for each sample its frames, as `act` takes them.
        prompts: for each sample its prompt with labels; with meta queries where there are actions.
        actions: normalised actions `(B, H, 7)`; None for samples without.
        states: normalised robot states `(B, state size)`, for models that use them.
        noise: `(B, H, 7)` start of the flow; random if None.
        time: `(B,)` flow times; drawn as in the paper, 0.999 (1 - Beta(1.5, 1)), if None.

    Raises:
        ValueError: if the lengths of the batch do not agree, no prompt holds anything to learn, or one for actions has
            no meta queries.
    """
    if not prompts or len(prompts) != len(images):
        raise ValueError(f"a batch needs one prompt for each sample, got {len(prompts)} for {len(images)}")
    if all(label == IGNORED_LABEL for prompt in prompts for label in prompt.labels):
        raise ValueError("a batch needs prompts with something to learn: a reply or meta queries")
    if actions is not None and any(len(prompt.query_starts) != 1 for prompt in prompts):
        raise ValueError("a sample with actions needs a prompt with one group of meta queries")
    frames = [model.prepare_frames(sample) for sample in images]
    embedded = [model.embed(prompt, model.encode_images(views)) for prompt, views in zip(prompts, frames, strict=True)]
    length = max(len(prompt.ids) for prompt in prompts)
    # padding stands on the right, where causal attention never lets it reach a real token
    padded = torch.cat([functional.pad(one, (0, 0, 0, length - one.shape[1])) for one in embedded])  # (B, T, width)
    hidden, _ = model.language(padded)
    language = _language_loss(model, hidden, prompts)
    if actions is None:
        return Losses(language, None)
    pairs = zip(hidden.split(1), prompts, strict=True)
    latents = torch.cat([model.latent_actions(one, prompt) for one, prompt in pairs])  # (B, L, width)
    pixels = torch.cat([model.dino_pixels(views) for views in frames])  # (B, V, 3, S, S)
    return Losses(language, _flow_loss(model, pixels, latents, actions, states, noise, time))


def keep_query_gradients(model: "InstructVLA") -> list[RemovableHandle]:
    """Let only the meta queries' rows of embedding and output head learn, from now on.

    Args:
        model: whose two matrices are restricted.

    Returns:
        Handles that lift the restriction again.
    """
    rows = torch.tensor(model.prompts.query_ids, device=model.device)

    def restrict(gradient: Tensor) -> Tensor:
        kept = torch.zeros_like(gradient)
        kept[rows] = gradient[rows]
        return kept

    weights = (model.language.embedding.weight, model.language.head.weight)
    return [weight.register_hook(restrict) for weight in weights]


def _language_loss(model: "InstructVLA", hidden: Tensor, prompts: Sequence[Prompt]) -> Tensor:
    states: list[Tensor] = []
    targets: list[int] = []
    for one, prompt in zip(hidden, prompts, strict=True):
        learned = [index for index, label in enumerate(prompt.labels) if label != IGNORED_LABEL and index > 0]
        states.append(one[[index - 1 for index in learned]])
        targets += [prompt.labels[index] for index in learned]
    scores = model.language.head(torch.cat(states)).to(torch.float32)  # (labels, vocabulary)
    return functional.cross_entropy(scores, torch.tensor(targets, device=scores.device))


def _flow_loss(
    model: "InstructVLA",
    pixels: Tensor,
    latents: Tensor,
    actions: Tensor,
    states: Tensor | None,
    noise: Tensor | None,
    time: Tensor | None,
) -> Tensor:
    actions = actions.to(model.device, torch.float32)
    start = torch.randn_like(actions) if noise is None else noise.to(actions)
    if time is None:
        # Beta(a, 1) is a uniform number to the power 1 / a
        moment = NOISE_LEFT * (1.0 - torch.rand(len(actions), device=actions.device) ** (1.0 / _TIME_ALPHA))
    else:
        moment = time.to(actions)
    share = moment[:, None, None]  # (B, 1, 1)
    noisy = (1.0 - NOISE_LEFT * share) * start + share * actions
    target = actions - NOISE_LEFT * start
    states = states.to(model.device).flatten(1) if states is not None else None
    context = model.expert.context(model.expert.look(pixels, latents), latents, states)
    return functional.mse_loss(model.expert.velocity(context, noisy, moment), target)
