# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the console may ask of the robot: all that a browser can bring about goes through here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Outcome:
    """What came of a request.

    Attributes:
        success: whether it was done.
        message: for people: what was done, or why it was not.
    """

    success: bool
    message: str


class RobotSide(Protocol):
    """The robot as the console sees it. Called from the server's thread; nothing here may block it."""

    def instruct(self, text: str) -> None:
        """Publish an instruction; an empty one means idle."""

    async def stop(self) -> Outcome:
        """Stop the arm; it stays so until a reset."""

    async def reset(self) -> Outcome:
        """Allow motion again after a stop; nothing moves by it."""

    async def ask(self, question: str) -> Outcome:
        """Ask the model about what the camera shows; the message of a success is its answer."""

    async def set_speed_scale(self, share: float) -> Outcome:
        """Set the share of the speed limits that is allowed, 0 to 1."""

    async def act(self, action: str) -> Outcome:
        """Do one of the actions that the board offers, such as saving the last minute."""

    def watch(self, watched: bool, cameras: frozenset[str]) -> None:
        """Somebody looks, or nobody does, and at which cameras; what nobody looks at need not be drawn or encoded."""
