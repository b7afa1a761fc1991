# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the model remembers of its last reply, so that acting upon it on the same frames goes on where it ended."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from instructvla_ros.model.language import LanguageCaches


@dataclass(frozen=True, eq=False)
class Memory:
    """A prompt with its reply, and what was computed on the way.

    Attributes:
        frames: that it was about; told apart by identity.
        image_tokens: ``(1, N, width)`` of the frames.
        ids: tokens of the prompt and the reply, as far as the caches hold them.
        caches: keys and values of these tokens.
        room: tokens that the caches can hold.
    """

    frames: tuple[np.ndarray, ...]
    image_tokens: Tensor
    ids: tuple[int, ...]
    caches: LanguageCaches
    room: int


class Recall:
    """Holds one memory. Who takes it has it alone: caches grow when they are used."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._memory: Memory | None = None

    def __reduce__(self) -> tuple[type["Recall"], tuple[()]]:
        return Recall, ()  # a copy of a model remembers nothing

    def keep(self, memory: Memory) -> None:
        """Remember this, and nothing else."""
        with self._lock:
            self._memory = memory

    def take(self, frames: Sequence[np.ndarray]) -> Memory | None:
        """What is remembered about these frames, if anything; afterwards nothing is."""
        with self._lock:
            memory, self._memory = self._memory, None
        if memory is None or len(memory.frames) != len(frames):
            return None
        same = all(mine is theirs for mine, theirs in zip(memory.frames, frames, strict=True))
        return memory if same else None


def shared_length(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two texts have in common at their beginning."""
    for index, (mine, theirs) in enumerate(zip(one, other, strict=False)):
        if mine != theirs:
            return index
    return min(len(one), len(other))
