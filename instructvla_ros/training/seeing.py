# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Learning to see, before there are words: what lies on each image token, and where a thing of some kind is.

Official towers bring that from their pretraining. A step costs a quarter of one with words.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import torch
from torch import Tensor

from instructvla_ros.model.instructvla import InstructVLA
from instructvla_ros.training.frames import Frame
from instructvla_ros.training.objectives import GroundingHeads, Parts, pointing_parts, seeing_loss
from instructvla_ros.training.sights import Sights, kind_of, place_of


@dataclass(frozen=True, eq=False)
class SightBatch:
    """G pictures with A things to point at.

    Attributes:
        pixels: ``(G, 3, S, S)`` for the language model's tower.
        views: ``(G, V, 3, s, s)`` for the action vision.
        seen: ``(G, N, 2)`` colour and shape, counted from 1, of what each image token lies on; 0 for nothing.
        picture: ``(A,)`` which picture a thing is in.
        kind: ``(A, 2)`` its colour and shape, counted from 0.
        cell: ``(A,)`` token of the action vision on it, ``NOWHERE`` without.
        place: ``(A, 3)`` x, y, z in the arm's base frame [m].
    """

    pixels: Tensor
    views: Tensor
    seen: Tensor
    picture: Tensor
    kind: Tensor
    cell: Tensor
    place: Tensor

    def to(self, device: torch.device) -> "SightBatch":
        """The same on another device."""
        return replace(self, **{name: value.to(device) for name, value in vars(self).items()})


class SightComposer:
    """Makes batches of pictures; a pure function of seed and step, as ``Composer`` is.

    Args:
        model: whose sizes count.
        frames: to draw from; each needs facts and spots.
        pictures: of a batch.
        things: of a picture that are pointed at, at most.
        seed: of everything that is drawn.
        augment: whether colours of pictures vary.
    """

    def __init__(
        self, model: InstructVLA, frames: Sequence[Frame], pictures: int, things: int, seed: int, augment: bool = True
    ) -> None:
        self._frames = [frame for frame in frames if frame.facts is not None and frame.spots is not None]
        if not self._frames:
            raise ValueError("no frame tells what is on the table: there is nothing to learn to see")
        self._sights = Sights(model, augment)
        self._pictures, self._things, self._seed = pictures, things, seed

    def batch(self, step: int, rank: int = 0) -> SightBatch:
        """The batch of a step, for one of several processes."""
        random = Random(hash((self._seed, step, rank)))
        frames = [self._frames[random.randrange(len(self._frames))] for _ in range(self._pictures)]
        images = [self._sights.images(frame, random) for frame in frames]
        asked: list[tuple[int, int]] = []
        for row, frame in enumerate(frames):
            assert frame.facts is not None
            count = len(frame.facts.things)
            asked += [(row, index) for index in random.sample(range(count), min(count, self._things))]
        seen = self._sights.seen(frames)
        assert seen is not None
        return SightBatch(
            pixels=self._sights.pixels(images),
            views=self._sights.views(images),
            seen=seen,
            picture=torch.tensor([row for row, _ in asked], dtype=torch.long),
            kind=torch.tensor([kind_of(frames[row], index) for row, index in asked], dtype=torch.long).reshape(-1, 2),
            cell=torch.tensor(
                [self._sights.vision_cell(frames[row], index, images[row][0]) for row, index in asked],
                dtype=torch.long,
            ),
            place=torch.tensor([place_of(frames[row], index) for row, index in asked]).reshape(-1, 3),
        )


def sight_parts(model: InstructVLA, heads: GroundingHeads, batch: SightBatch, watch: bool = False) -> Parts:
    """The parts of the loss of a batch of pictures.

    The action vision is told the kind of thing by a vector of its own, in the place of latent actions.
    """
    losses: dict[str, Tensor] = {}
    figures: dict[str, float] = {}
    losses["seeing"] = seeing_loss(heads, batch.seen, model.images(batch.pixels), figures, watch)
    if len(batch.picture):
        named = heads.name(batch.kind)[:, None]  # (A, 1, width)
        features = model.expert.look(batch.views, named, batch.picture).flatten(1, 2)  # (A, V * N, vision width)
        pointing_parts(heads, features, batch.cell, batch.place, losses, figures, watch)
    return Parts(losses, figures)
