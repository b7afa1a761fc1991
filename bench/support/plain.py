# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The network run as its description reads, for ratios: nothing is kept, nothing is left out, nothing is fused."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from instructvla_ros.model import InstructVLA
from instructvla_ros.model.action_expert import EULER_STEPS
from instructvla_ros.model.vision import VisionTransformer

PUBLISHED_FILM_DEPTH = 24
"""Blocks of the published action vision, of which three reach the output."""


class PlainModel:
    """An unfused model whose every pass begins anew and whose head reads every token.

    Args:
        model: as it is loaded, not fused.
        film_depth: blocks of the action vision that are computed, whether or not they reach the output.
    """

    def __init__(self, model: InstructVLA, film_depth: int) -> None:
        self._model = model
        vision = model.expert.vision
        with torch.device("meta"):
            spare = VisionTransformer(replace(vision.sizes, depth=max(film_depth - vision.sizes.depth, 0)))
        self._spare = spare.blocks.to_empty(device=model.device).to(model.dtype)
        for parameter in self._spare.parameters():
            torch.nn.init.normal_(parameter, std=0.02)

    @torch.inference_mode()
    def act(
        self, images: Sequence[np.ndarray], instruction: str, state: np.ndarray | None, noise: np.ndarray
    ) -> Tensor:
        """End of the flow ``(1, H, A)``."""
        model = self._model
        dataset = model.datasets[0]
        frames = model.prepare_frames(images)
        prompt = model.prompts.for_action(instruction, None)
        hidden = self._read(model.embed(prompt, model.encode_images(frames)))
        latents = model.latent_actions(hidden, prompt)
        pixels = model.dino_pixels(frames)
        features = model.expert.look(pixels, latents)
        rest = features.flatten(0, 1)
        for block in self._spare:
            rest = block(rest, latents.mean(dim=1).repeat_interleave(pixels.shape[1], dim=0))
        context = model.expert.context(features, latents, model.normalize_state(state, dataset))
        actions = torch.as_tensor(noise, dtype=torch.float32, device=model.device)[None]
        for step in range(EULER_STEPS):
            time = torch.full((1,), step / EULER_STEPS, device=model.device)
            actions = actions + model.expert.velocity(context, actions, time) / EULER_STEPS
        return actions

    @torch.inference_mode()
    def speak(self, images: Sequence[np.ndarray], instruction: str, tokens: int) -> list[int]:
        """So many tokens of reasoning, whatever they are."""
        model = self._model
        prompt = model.prompts.for_reasoning(instruction)
        embeddings = model.embed(prompt, model.encode_images(model.prepare_frames(images)))
        ids: list[int] = []
        for _ in range(tokens):
            scores = model.language.head(self._read(embeddings))[0, -1]
            ids.append(int(scores[: model.prompts.vocabulary].argmax()))
            added = model.language.embedding(torch.tensor([[ids[-1]]], device=model.device))
            embeddings = torch.cat((embeddings, added), dim=1)
        return ids

    def _read(self, embeddings: Tensor) -> Tensor:
        hidden, _ = self._model.language(embeddings)
        self._model.language.head(hidden)
        return hidden
