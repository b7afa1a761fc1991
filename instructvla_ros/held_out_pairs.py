# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Colour-shape pairs that no training sees; apart from the scenes, since words are made without a simulator."""

from collections.abc import Iterable

Pair = tuple[str, str]  # (color, shape)

# One for each colour, and every shape once at least: each word is trained, the combination never.
HELD_OUT_PAIRS: tuple[Pair, ...] = (
    ("red", "cylinder"),
    ("green", "cube"),
    ("blue", "disc"),
    ("yellow", "ball"),
    ("orange", "cone"),
    ("purple", "cube"),
)


def without_held_out(pairs: Iterable[Pair]) -> tuple[Pair, ...]:
    """Those of the pairs that training may see, in their order."""
    return tuple(pair for pair in pairs if pair not in HELD_OUT_PAIRS)
