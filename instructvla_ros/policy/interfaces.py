# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a policy needs of a model and of an arm's kinematics, so that it need import neither."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

OnText = Callable[[str], None]
ShouldStop = Callable[[], bool]


class Model(Protocol):
    """What a policy needs of a model; ``instructvla_ros.model.InstructVLA`` is one.

    Images are uint8 RGB arrays ``(H, W, 3)``, primary first. ``act`` returns an object whose ``actions`` are ``(H, 7)``
    in the dataset's units and whose ``latent_actions`` it takes again; ``reason`` and ``ask`` return objects with a
    ``text`` for ``act`` and the same in ``words`` for people.
    """

    @property
    def chunk_length(self) -> int:
        """Actions of a chunk."""

    @property
    def num_views(self) -> int:
        """Images that it wants."""

    @property
    def uses_state(self) -> bool:
        """Whether ``act`` needs ``proprio``."""

    @property
    def datasets(self) -> Sequence[str]:
        """Names that ``act`` takes as ``dataset``."""

    @property
    def has_reasoning(self) -> bool:
        """Whether it was trained to reason in words."""

    def act(
        self,
        images: Sequence[np.ndarray],
        instruction: str,
        proprio: np.ndarray | None = None,
        reasoning: str | None = None,
        noise: np.ndarray | None = None,
        dataset: str | None = None,
        latent_actions: np.ndarray | None = None,
    ) -> Any:
        """Predicts one chunk; with ``latent_actions`` of an earlier one, of its intent."""

    def reason(
        self,
        images: Sequence[np.ndarray],
        instruction: str,
        on_text: OnText | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Any:
        """Says what it is about to do."""

    def ask(
        self,
        images: Sequence[np.ndarray],
        question: str,
        on_text: OnText | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Any:
        """Answers a question about the images."""


class Chain(Protocol):
    """What a policy needs of the arm's kinematics; ``robot.kinematics.KinematicChain`` is one."""

    joint_names: tuple[str, ...]

    def forward(self, q: np.ndarray) -> np.ndarray:
        """Pose ``(4, 4)`` of the tip in the base frame for joint positions ``(n,)``."""
