# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What training minimises, beyond the model's own losses: pointing, tasks, and places of named things.

A small model that learns from nothing does not look where the words tell it to unless it is asked to point: from the
latent actions to the picture's tokens of the language model, and from the action vision's tokens alone. The heads for
that belong to training; a run folder has none of them.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from instructvla_ros.model.action_expert import TRUE_MASK, Context
from instructvla_ros.model.instructvla import InstructVLA
from instructvla_ros.model.losses import NOISE_LEFT
from instructvla_ros.training.packing import Packed

NOWHERE = -1
"""Cell or task of a sample of which neither is known."""

_TIME_ALPHA = 1.5
_NOTHING_WEIGHT = 0.1
_PLACE_SCALE = 0.1  # [m] that the place head's numbers are multiples of
_PLACE_TOLERANCE = 0.02  # [m] from which on errors count in proportion; as wide as an image token they hardly would


@dataclass(frozen=True, eq=False)
class Batch:
    """Pictures with prompts, of which A are to be acted upon.

    Attributes:
        pixels: ``(G, 3, S, S)`` for the language model.
        views: ``(G, V, 3, s, s)`` for the action vision; None for a batch without actions.
        prompts: P prompts about the pictures.
        acted: ``(A,)`` which prompts have actions.
        states: ``(A, n)`` normalised robot states; None for models without.
        actions: ``(A, H, 7)`` normalised actions.
        meant_cell: ``(P,)`` image token on the thing that the words are about; one more than the last for a thing that
            is not there; ``NOWHERE`` without.
        language_cell: ``(P,)`` image token on the thing that the latent actions are to point at, ``NOWHERE`` without.
        vision_cell: ``(A,)`` token of the action vision on it, ``NOWHERE`` without.
        task: ``(A,)`` number of the task; one more than the last for a thing that is not there; ``NOWHERE`` without.
        place: ``(A, 3)`` x, y, z of it in the arm's base frame [m].
        seen: ``(G, N, 2)`` colour and shape, counted from 1, of what each image token lies on; 0 for nothing; None
            where nobody knows.
    """

    pixels: Tensor
    views: Tensor | None
    prompts: Packed
    acted: Tensor
    states: Tensor | None
    actions: Tensor
    meant_cell: Tensor
    language_cell: Tensor
    vision_cell: Tensor
    task: Tensor
    place: Tensor
    seen: Tensor | None = None

    def to(self, device: torch.device) -> "Batch":
        """The same on another device."""
        return replace(self, **{name: value.to(device) for name, value in vars(self).items() if value is not None})


class GroundingHeads(nn.Module):
    """Heads that make a small model look where the words say.

    Args:
        language_width: of the language model.
        vision_width: of the action vision's tokens.
        num_tasks: tasks to tell apart, and from those about a thing that is not there.
        num_colors: colours to tell apart.
        num_shapes: shapes to tell apart.
        width: of the space in which latent actions and image tokens meet.
    """

    def __init__(
        self,
        language_width: int,
        vision_width: int,
        num_tasks: int,
        num_colors: int,
        num_shapes: int,
        width: int = 64,
    ) -> None:
        super().__init__()
        self.meant = nn.Linear(language_width, width)
        self.nothing = nn.Linear(language_width, 1)
        self.ask = nn.Linear(language_width, width)
        self.answer = nn.Linear(language_width, width)
        self.point = nn.Linear(vision_width, 1)
        self.where = nn.Linear(vision_width, 3)
        self.what = nn.Linear(language_width, num_tasks + 1)
        self.color = nn.Linear(language_width, 1 + num_colors)
        self.shape = nn.Linear(language_width, 1 + num_shapes)
        self.colors = nn.Embedding(num_colors, language_width)
        self.shapes = nn.Embedding(num_shapes, language_width)

    def name(self, kind: Tensor) -> Tensor:
        """``(A, language_width)`` a vector for each ``(A, 2)`` colour and shape, of unit mean square."""
        named = self.colors(kind[:, 0]) + self.shapes(kind[:, 1])
        return functional.rms_norm(named, named.shape[-1:])

    def meaning_scores(self, hidden: Tensor, image_tokens: Tensor) -> Tensor:
        """``(P, N + 1)`` how much ``(P, width)`` hidden states mean each image token and, last, a thing not there."""
        scores = self._match(self.meant(hidden), image_tokens)
        return torch.cat((scores, self.nothing(hidden)), dim=-1)

    def language_scores(self, latent: Tensor, image_tokens: Tensor) -> Tensor:
        """``(P, N)`` how much each of ``(P, N, width)`` image tokens is meant by ``(P, width)`` latents."""
        return self._match(self.ask(latent), image_tokens)

    def _match(self, asked: Tensor, image_tokens: Tensor) -> Tensor:
        return (asked[:, None] * self.answer(image_tokens)).sum(-1) / asked.shape[-1] ** 0.5

    def vision_scores(self, features: Tensor) -> Tensor:
        """``(A, N)`` how much each of ``(A, N, width)`` tokens of the action vision is meant."""
        return self.point(features).squeeze(-1)

    def place(self, features: Tensor, scores: Tensor) -> Tensor:
        """``(A, 3)`` place [m] read from the tokens that are meant."""
        meant = torch.einsum("an,and->ad", scores.softmax(-1), features)  # (A, width)
        return _PLACE_SCALE * self.where(meant)


@dataclass(frozen=True)
class Weights:
    """How much each part of the loss counts."""

    language: float = 1.0
    flow: float = 1.0
    meaning: float = 0.3
    pointing: float = 0.3
    task: float = 0.1
    place: float = 0.1
    seeing: float = 0.5

    @property
    def need_heads(self) -> bool:
        """Whether any of them is for what grounding heads tell."""
        return any((self.meaning, self.pointing, self.task, self.place, self.seeing))


@dataclass(frozen=True, eq=False)
class Parts:
    """The parts of a loss and what they were made from.

    Attributes:
        losses: scalars with gradients by name.
        figures: numbers to watch by name, without gradients.
    """

    losses: dict[str, Tensor]
    figures: dict[str, float]

    def total(self, weights: Weights) -> Tensor:
        """The weighted sum."""
        return torch.stack([getattr(weights, _WEIGHT_OF[name]) * loss for name, loss in self.losses.items()]).sum()


_WEIGHT_OF = {
    "language": "language",
    "flow": "flow",
    "meaning": "meaning",
    "language_pointing": "pointing",
    "vision_pointing": "pointing",
    "task": "task",
    "place": "place",
    "seeing": "seeing",
}


def loss_parts(
    model: InstructVLA, heads: GroundingHeads | None, batch: Batch, flow_times: int, watch: bool = False
) -> Parts:
    """Compute all parts of the loss that a batch has.

    Args:
        model: the model.
        heads: the grounding heads; None for losses of language and flow alone.
        batch: the batch.
        flow_times: how many flow times each observation is trained at; with 0 the actions are left aside.
        watch: whether to compute the figures too.
    """
    hidden, image_tokens = read(model, batch)
    flat = hidden.flatten(0, 1)  # (G * T, width)
    losses: dict[str, Tensor] = {}
    figures: dict[str, float] = {}
    prompts = batch.prompts
    if len(prompts.labels):
        scores = model.language.head(flat[prompts.label_index]).to(torch.float32)  # (N, vocabulary)
        losses["language"] = functional.cross_entropy(scores, prompts.labels)
        if watch:
            figures["token_accuracy"] = _share(scores.argmax(-1) == prompts.labels)
    if heads is not None and batch.seen is not None and image_tokens.requires_grad:
        losses["seeing"] = seeing_loss(heads, batch.seen, image_tokens, figures, watch)
    if heads is not None:
        meant = (batch.meant_cell != NOWHERE) & (prompts.reply_start >= 0)
        if meant.any():
            hidden_before = flat[prompts.reply_start[meant]]  # (P', width)
            scores = heads.meaning_scores(hidden_before, image_tokens[prompts.picture[meant]])
            _choice("meaning", scores, batch.meant_cell[meant], losses, figures, watch)
    latents = latents_of(model, flat, prompts)  # (A', L, width) of the prompts with queries
    asking = (prompts.query_start >= 0).nonzero().flatten()
    row_of = torch.full((len(prompts.picture),), NOWHERE, device=flat.device)
    row_of[asking] = torch.arange(len(asking), device=flat.device)
    if heads is not None and len(asking):
        _language_pointing(heads, batch, latents.mean(1), image_tokens, asking, losses, figures, watch)
    if len(batch.acted):
        acting = latents[row_of[batch.acted]]  # (A, L, width)
        features = look(model, batch, acting)
        if heads is not None:
            pointing_parts(heads, features.flatten(1, 2), batch.vision_cell, batch.place, losses, figures, watch)
            tasks = batch.task != NOWHERE
            if tasks.any():
                _choice("task", heads.what(acting.mean(1)[tasks]), batch.task[tasks], losses, figures, watch)
        if flow_times:
            context = model.expert.context(features, acting, batch.states)
            # the residual stream keeps its precision
            context = replace(context, tokens=context.tokens.to(torch.float32))
            losses["flow"] = flow_loss(model, context, batch.actions, flow_times)
    return Parts(losses, figures)


def read(model: InstructVLA, batch: Batch) -> tuple[Tensor, Tensor]:
    """Hidden states ``(G, T, width)`` and image tokens ``(G, N, width)`` of a batch."""
    prompts = batch.prompts
    image_tokens = model.images(batch.pixels)
    embeddings = model.language.embedding(prompts.ids)  # (G, T, width)
    start, end = prompts.image_start, prompts.image_start + image_tokens.shape[1]
    image = image_tokens.to(embeddings.dtype)
    embeddings = torch.cat((embeddings[:, :start], image, embeddings[:, end:]), dim=1)
    hidden, _ = model.language(embeddings, mask=prompts.mask(), positions=prompts.positions)
    return hidden, image_tokens


def latents_of(model: InstructVLA, flat: Tensor, prompts: Packed) -> Tensor:
    """Latent actions ``(A', L, width)`` of the prompts with meta queries, from hidden states ``(G * T, width)``."""
    starts = prompts.query_start[prompts.query_start >= 0]
    steps = torch.arange(model.sizes.num_queries, device=flat.device)
    return flat[starts[:, None] + steps]


def flow_loss(model: InstructVLA, context: Context, actions: Tensor, flow_times: int) -> Tensor:
    """Mean squared error of the flow's velocity at random times, which share the context where the mask allows it."""
    batch = len(actions)
    wanted = actions.to(torch.float32)[:, None].expand(-1, flow_times, -1, -1)  # (A, R, H, 7)
    start = torch.randn_like(wanted)
    # Beta(a, 1) is a uniform number to the power 1 / a
    uniform = torch.rand(batch, flow_times, device=actions.device)
    moment = NOISE_LEFT * (1.0 - uniform ** (1.0 / _TIME_ALPHA))  # (A, R)
    share = moment[:, :, None, None]
    noisy = (1.0 - NOISE_LEFT * share) * start + share * wanted
    target = wanted - NOISE_LEFT * start
    if model.sizes.action_expert.mask == TRUE_MASK:
        velocity = model.expert.velocities(context, noisy, moment)
    else:
        steps = [model.expert.velocity(context, noisy[:, index], moment[:, index]) for index in range(flow_times)]
        velocity = torch.stack(steps, dim=1)
    return functional.mse_loss(velocity, target)


def look(model: InstructVLA, batch: Batch, latents: Tensor) -> Tensor:
    """What the action vision sees in the light of latent actions ``(A, L, width)``: ``(A, V, N, width)``."""
    if batch.views is None:
        raise ValueError("a batch with actions needs the pictures for the action vision")
    return model.expert.look(batch.views, latents, batch.prompts.picture[batch.acted])  # (A, V, N, width)


def seeing_loss(
    heads: GroundingHeads, seen: Tensor, image_tokens: Tensor, figures: dict[str, float], watch: bool
) -> Tensor:
    """Cross-entropy of colour and shape at each image token; most lie on nothing and count less."""
    losses = []
    for name, head, wanted in (("color", heads.color, seen[..., 0]), ("shape", heads.shape, seen[..., 1])):
        scores = head(image_tokens).to(torch.float32)  # (G, N, 1 + kinds)
        weight = torch.ones(scores.shape[-1], device=scores.device)
        weight[0] = _NOTHING_WEIGHT
        losses.append(functional.cross_entropy(scores.flatten(0, 1), wanted.flatten(), weight))
        if watch:
            there = wanted > 0
            figures[f"{name}_accuracy"] = _share(scores.argmax(-1)[there] == wanted[there])
    return torch.stack(losses).mean()


def _language_pointing(
    heads: GroundingHeads,
    batch: Batch,
    latents: Tensor,
    image_tokens: Tensor,
    asking: Tensor,
    losses: dict[str, Tensor],
    figures: dict[str, float],
    watch: bool,
) -> None:
    cells = batch.language_cell[asking]
    known = cells != NOWHERE
    if not known.any():
        return
    scores = heads.language_scores(latents[known], image_tokens[batch.prompts.picture[asking][known]])
    _choice("language_pointing", scores, cells[known], losses, figures, watch)


def pointing_parts(
    heads: GroundingHeads,
    features: Tensor,
    cell: Tensor,
    place: Tensor,
    losses: dict[str, Tensor],
    figures: dict[str, float],
    watch: bool,
) -> None:
    """Losses of the action vision's tokens ``(A, N, width)``: on which the thing lies, and where it is ``(A, 3)``."""
    known = cell != NOWHERE
    if not known.any():
        return
    scores = heads.vision_scores(features[known])
    _choice("vision_pointing", scores, cell[known], losses, figures, watch)
    error = heads.place(features[known], scores).to(torch.float32) - place[known]
    losses["place"] = functional.smooth_l1_loss(error / _PLACE_TOLERANCE, torch.zeros_like(error))
    if watch:
        figures["place_error"] = float(error[:, :2].detach().norm(dim=-1).mean())


def _choice(
    name: str,
    scores: Tensor,
    wanted: Tensor,
    losses: dict[str, Tensor],
    figures: dict[str, float],
    watch: bool,
) -> None:
    """Cross-entropy of scores ``(N, C)`` for the answers ``(N,)`` wanted and, where it is watched, the share right."""
    losses[name] = functional.cross_entropy(scores.to(torch.float32), wanted)
    if watch:
        figures[f"{name}_accuracy"] = _share(scores.argmax(-1) == wanted)


def _share(hits: Tensor) -> float:
    return float(hits.to(torch.float32).mean())
