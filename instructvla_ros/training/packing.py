# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Several prompts about one picture in one sequence, so that the picture is read once.

Attention is causal, so what stands before the user's words is the same for all prompts about a picture. They are laid
out as ``[prefix | rest of prompt 1 | rest of prompt 2 | ...]``; the mask lets each rest see the prefix and itself, and
rotary positions continue from the prefix for each. The outcome equals that of separate sequences.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from instructvla_ros.model.prompt import IGNORED_LABEL, Prompt

_PREFIX, _PADDING = 0, -1


@dataclass(frozen=True, eq=False)
class Packed:
    """Prompts of G pictures, T tokens each; indices count through all ``G * T`` tokens.

    Attributes:
        ids: ``(G, T)`` tokens.
        positions: ``(G, T)`` rotary positions.
        part: ``(G, T)`` which prompt of its picture a token belongs to, from 1; 0 for the prefix, -1 for padding.
        image_start: index of the first image token in each sequence.
        label_index: ``(N,)`` the tokens that a label is predicted from.
        labels: ``(N,)`` the labels.
        label_prompt: ``(N,)`` which prompt, of all, each label belongs to.
        reply_start: ``(P,)`` for each prompt the token that the beginning of its reply is predicted from, -1 without.
        query_start: ``(P,)`` for each prompt the index of its first meta query, -1 without.
        picture: ``(P,)`` for each prompt its picture.
    """

    ids: Tensor  # (G, T)
    positions: Tensor  # (G, T)
    part: Tensor  # (G, T)
    image_start: int
    label_index: Tensor  # (N,)
    labels: Tensor  # (N,)
    label_prompt: Tensor  # (N,)
    reply_start: Tensor  # (P,)
    query_start: Tensor  # (P,)
    picture: Tensor  # (P,)

    def mask(self) -> Tensor:
        """``(G, 1, T, T)`` bool: which token (row) sees which."""
        part = self.part
        earlier = torch.ones(part.shape[1], part.shape[1], dtype=torch.bool, device=part.device).tril()
        together = (part[:, None, :] == _PREFIX) | (part[:, None, :] == part[:, :, None])  # (G, T, T)
        return (together & earlier).unsqueeze(1)

    def to(self, device: torch.device) -> "Packed":
        """The same on another device."""
        moved = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **moved)  # type: ignore[arg-type]


def pack(pictures: Sequence[Sequence[Prompt]], num_image_tokens: int, silent: Sequence[bool] | None = None) -> Packed:
    """Pack prompts.

    Args:
        pictures: for each picture its prompts, at least one.
        num_image_tokens: tokens that a picture becomes.
        silent: for each prompt, of all, whether its labels are left out; none is if None.

    Raises:
        ValueError: if a picture has no prompt, or prompts do not begin alike.
    """
    if not pictures or not all(pictures):
        raise ValueError("every picture needs at least one prompt")
    first = pictures[0][0]
    start = first.image_start + num_image_tokens
    prefix = first.ids[:start]
    length = start + max(sum(len(prompt.ids) - start for prompt in prompts) for prompts in pictures)
    ids = torch.zeros(len(pictures), length, dtype=torch.long)
    positions = torch.zeros(len(pictures), length, dtype=torch.long)
    part = torch.full((len(pictures), length), _PADDING)
    ids[:, :start] = torch.tensor(prefix)
    positions[:, :start] = torch.arange(start)
    part[:, :start] = _PREFIX
    label_index: list[int] = []
    labels: list[int] = []
    label_prompt: list[int] = []
    reply_start: list[int] = []
    query_start: list[int] = []
    picture: list[int] = []
    for row, prompts in enumerate(pictures):
        place = start
        for number, prompt in enumerate(prompts, start=1):
            if prompt.ids[:start] != prefix:
                raise ValueError("prompts about one picture must begin alike, up to the end of the picture")
            rest = len(prompt.ids) - start
            ids[row, place : place + rest] = torch.tensor(prompt.ids[start:])
            positions[row, place : place + rest] = torch.arange(start, start + rest)
            part[row, place : place + rest] = number
            offset = row * length + place - start
            learned = [index for index, label in enumerate(prompt.labels) if label != IGNORED_LABEL]
            reply_start.append(offset + learned[0] - 1 if learned else -1)
            if silent is None or not silent[len(picture)]:
                label_index += [offset + index - 1 for index in learned]
                labels += [prompt.labels[index] for index in learned]
                label_prompt += [len(picture)] * len(learned)
            query_start.append(offset + prompt.query_starts[-1] if prompt.query_starts else -1)
            picture.append(row)
            place += rest
    return Packed(
        ids=ids,
        positions=positions,
        part=part,
        image_start=first.image_start,
        label_index=torch.tensor(label_index, dtype=torch.long),
        labels=torch.tensor(labels, dtype=torch.long),
        label_prompt=torch.tensor(label_prompt, dtype=torch.long),
        reply_start=torch.tensor(reply_start),
        query_start=torch.tensor(query_start),
        picture=torch.tensor(picture),
    )
