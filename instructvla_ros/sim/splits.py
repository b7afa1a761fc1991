# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which scenes are for training and which are kept from it: by seed, and by colour-shape pair."""

from dataclasses import dataclass

from instructvla_ros.held_out_pairs import HELD_OUT_PAIRS, Pair, without_held_out
from instructvla_ros.sim.scene import COLORS, SHAPES

PAIRS: tuple[Pair, ...] = tuple((color, shape) for color in COLORS for shape in SHAPES)
TRAINED_PAIRS: tuple[Pair, ...] = without_held_out(PAIRS)


@dataclass(frozen=True)
class Split:
    """A part of all scenes.

    Attributes:
        name: name of the split.
        seeds: seeds of its scenes; those of two splits never meet.
        pairs: colour-shape pairs that may lie on the table.
        target_pairs: those of them that a task may be about.
    """

    name: str
    seeds: range
    pairs: tuple[Pair, ...]
    target_pairs: tuple[Pair, ...]

    def __post_init__(self) -> None:
        stray = [pair for pair in self.target_pairs if pair not in self.pairs]
        if stray or not self.target_pairs:
            raise ValueError(f"split {self.name!r}: targets {stray or 'none'} do not lie on its tables")

    def seed(self, index: int) -> int:
        """Seed of the split's scene of that number.

        Raises:
            ValueError: the split has no such scene.
        """
        if not 0 <= index < len(self.seeds):
            raise ValueError(f"split {self.name!r} has scenes 0 to {len(self.seeds) - 1}, not {index}")
        return self.seeds[index]


TRAIN = Split("train", range(0, 1_000_000), TRAINED_PAIRS, TRAINED_PAIRS)
VALIDATION = Split("validation", range(1_000_000, 1_100_000), TRAINED_PAIRS, TRAINED_PAIRS)
HELD_OUT_LAYOUTS = Split("held_out_layouts", range(2_000_000, 2_100_000), TRAINED_PAIRS, TRAINED_PAIRS)
HELD_OUT_OBJECTS = Split("held_out_objects", range(3_000_000, 3_100_000), PAIRS, HELD_OUT_PAIRS)

SPLITS: dict[str, Split] = {
    split.name: split for split in (TRAIN, VALIDATION, HELD_OUT_LAYOUTS, HELD_OUT_OBJECTS)
}
