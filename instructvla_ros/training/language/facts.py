# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is true of a table, and how it is put into plain words: names, places, motions, captions.

Left and right are those of the front camera's picture, which the person who speaks looks at: the camera faces the arm,
so left is -y of the base frame.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from instructvla_ros.training.language.words import COLORS, SHAPES

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")
PLACES = ("on the left", "in the middle", "on the right")
ASIDE = 0.06  # [m] from the middle of the table to where left and right begin
MOTION_STEPS = 4  # of a chunk are put into words
LEAST_MOTION = 0.015  # [m] over these steps that is worth a word
STAY = "stay"
_MOTIONS = (("forward", "back"), ("right", "left"), ("up", "down"))  # along x, y, z: positive, negative
_GRIPPER = 6  # index in an action


@dataclass(frozen=True)
class Thing:
    """One thing on the table.

    Attributes:
        color: plain word.
        shape: plain word.
        position: x, y, z of its middle in the base frame [m].
    """

    color: str
    shape: str
    position: tuple[float, float, float]

    @property
    def name(self) -> str:
        """As in ``red cube``."""
        return f"{self.color} {self.shape}"

    @property
    def place(self) -> str:
        """Where it lies: one of ``PLACES``."""
        y = self.position[1]
        return PLACES[0] if y < -ASIDE else PLACES[2] if y > ASIDE else PLACES[1]


@dataclass(frozen=True)
class Facts:
    """What is on the table.

    Attributes:
        things: all of them; no two share colour and shape.
        held: index of the thing in the gripper; None if it is empty.
    """

    things: tuple[Thing, ...]
    held: int | None = None

    def matching(self, color: str | None = None, shape: str | None = None) -> list[int]:
        """Indices of the things of a colour, of a shape, or of both."""
        return [
            index
            for index, thing in enumerate(self.things)
            if color in (None, thing.color) and shape in (None, thing.shape)
        ]

    def leftmost_first(self) -> list[Thing]:
        """The things from left to right."""
        return sorted(self.things, key=lambda thing: thing.position[1])


def with_article(name: str) -> str:
    """``a red cube``, ``an orange ball``."""
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def caption(facts: Facts) -> str:
    """All things with their places, from left to right."""
    if not facts.things:
        return "the table is empty."
    parts = [f"{with_article(thing.name)} {thing.place}" for thing in facts.leftmost_first()]
    return f"there is {joined(parts)}."


def joined(parts: Sequence[str]) -> str:
    """``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def named_things(text: str) -> set[str]:
    """Which ``colour shape`` pairs a text names, for scoring captions."""
    words = text.replace(",", " ").replace(".", " ").split()
    pairs = zip(words, words[1:], strict=False)
    return {f"{color} {shape}" for color, shape in pairs if color in COLORS and shape in SHAPES}


def motion(chunk: np.ndarray, opening: float | None = None) -> str:
    """The beginning of a chunk in words.

    Args:
        chunk: ``(H, 7)`` actions, translations in [m], gripper 1 open to 0 closed.
        opening: of the gripper before the chunk, 0 closed to 1 open; None leaves the gripper unsaid.

    Returns:
        As in ``move left and down``, ``move up``, ``close the gripper``, ``stay``.
    """
    total = _way(chunk)
    words = [_MOTIONS[axis][int(total[axis] < 0)] for axis in (1, 0, 2) if abs(total[axis]) >= LEAST_MOTION]
    parts = [f"move {joined(words)}"] if words else []
    if opening is not None:
        wanted = float(chunk[:MOTION_STEPS][-1, _GRIPPER]) > 0.5
        if wanted != (opening > 0.5):
            parts.append("open the gripper" if wanted else "close the gripper")
    return joined(parts) if parts else STAY


def tells_way(words: str, chunk: np.ndarray) -> bool:
    """Whether words of motion tell where the beginning of a chunk leads.

    Unlike a comparison with ``motion`` it does not ask on which side of ``LEAST_MOTION`` a way lies: every direction
    that is told must be gone into, and every one into which twice as much is gone must be told.

    Args:
        words: as ``motion`` makes them; of the gripper they may say anything.
        chunk: ``(H, 7)`` actions, translations in [m].
    """
    told = set(re.findall(r"\w+", words))
    ways = zip(_MOTIONS, _way(chunk), strict=True)
    gone = [(word, way) for pair, along in ways for word, way in zip(pair, (along, -along), strict=True)]
    return all(way > 0.0 if word in told else way < 2.0 * LEAST_MOTION for word, way in gone)


def _way(chunk: np.ndarray) -> np.ndarray:
    return chunk[:MOTION_STEPS, :3].sum(axis=0)  # (3,)
