# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a model does on demonstrations that it was not trained on, about things that the hand is not moving to."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from instructvla_ros.training.compose import Composer
from instructvla_ros.training.frames import Frame
from instructvla_ros.training.objectives import Batch, latents_of, look, read
from instructvla_ros.training.seeing import SightComposer
from instructvla_ros.training.trainer import TrainingModule

_BATCHES = 3
_FIRST = 1_000_000_000  # number of the first batch, beyond all steps of training


def others_first(frames: Sequence[Frame]) -> list[Frame]:
    """Frames without the label that was demonstrated: where the hand goes does not give the thing away."""
    return [replace(frame, labels=frame.labels[1:]) if len(frame.labels) > 1 else frame for frame in frames]


@torch.no_grad()
def validate(
    module: TrainingModule, composer: Composer | SightComposer, flow_times: int, batches: int = _BATCHES
) -> dict[str, float]:
    """Losses and figures, averaged over a few fixed batches.

    Args:
        module: model and heads.
        composer: of the held-out frames, without augmentation.
        flow_times: of an observation.
        batches: how many.

    Returns:
        By name; ``step_error`` is the mean distance between the first action's translation and the label's [m].
    """
    sums: dict[str, list[float]] = {}
    for index in range(batches):
        batch = composer.batch(_FIRST + index).to(module.model.device)
        torch.manual_seed(index)
        parts = module.parts(batch, flow_times, watch=True)
        figures = {**{name: float(loss) for name, loss in parts.losses.items()}, **parts.figures}
        if flow_times and isinstance(batch, Batch) and isinstance(composer, Composer) and len(batch.acted):
            figures["step_error"] = step_error(module, batch, composer)
        for name, value in figures.items():
            sums.setdefault(name, []).append(value)
    return {name: sum(values) / len(values) for name, values in sums.items()}


@torch.no_grad()
def step_error(module: TrainingModule, batch: Batch, composer: Composer) -> float:
    """Mean distance [m] between the first translation that the model samples and the label's."""
    model = module.model
    hidden, _ = read(model, batch)
    flat = hidden.flatten(0, 1)
    latents = latents_of(model, flat, batch.prompts)
    asking = (batch.prompts.query_start >= 0).nonzero().flatten()
    rows = torch.searchsorted(asking, batch.acted)
    acting = latents[rows]
    context = model.expert.context(look(model, batch, acting), acting, batch.states)
    actions = model.expert.sample(context, torch.randn_like(batch.actions))
    difference = composer.metres(actions.clamp(-1.0, 1.0)) - composer.metres(batch.actions)
    return float(difference[:, 0].norm(dim=-1).mean())
