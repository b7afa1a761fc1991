# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Chunks kept in a file, to see later whether the same policy still makes the same of the same recordings.

The file is numpy's .npz: ``about`` (JSON), and of each bag ``<n>_stamps`` ``(N,)`` [s] and ``<n>_steps`` ``(N, H, 7)``
translation [m], rotation vector [rad], gripper opening.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from instructvla_ros.bags.scoring.references import as_steps
from instructvla_ros.robot.action_chunk import ActionChunk

_ABOUT = "about"
_BAGS = "bags"


class ChunksFileError(ValueError):
    """A file holds no chunks of ours; the message names it and why."""


@dataclass(frozen=True, eq=False)
class KeptChunks:
    """Chunks of several bags.

    Attributes:
        bags: by name of the bag: stamps ``(N,)`` [s], steps ``(N, H, 7)``.
        about: what made them: versions, seed, checkpoint.
    """

    bags: Mapping[str, tuple[np.ndarray, np.ndarray]]
    about: Mapping[str, str]

    @classmethod
    def of(cls, bags: Mapping[str, Sequence[ActionChunk]], about: Mapping[str, str]) -> KeptChunks:
        """Of the chunks of each bag, in the order in which they were made."""
        arrays = {}
        for name, chunks in bags.items():
            stamps = np.array([chunk.stamp for chunk in chunks])
            steps = np.array([as_steps(chunk) for chunk in chunks])
            arrays[name] = (stamps, steps if len(chunks) else np.zeros((0, 0, 7)))
        return cls(arrays, dict(about))

    def save(self, path: Path) -> None:
        """Write the file; one that is there is replaced.

        Raises:
            OSError: it cannot be written.
        """
        arrays: dict[str, np.ndarray] = {}
        for index, (stamps, steps) in enumerate(self.bags.values()):
            arrays[f"{index}_stamps"], arrays[f"{index}_steps"] = stamps, steps
        about = json.dumps({_BAGS: list(self.bags), **self.about})
        with path.open("wb") as stream:
            np.savez_compressed(stream, **{_ABOUT: np.array(about)}, **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> KeptChunks:
        """Read the file.

        Raises:
            ChunksFileError: it is none.
            OSError: it cannot be read.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                about = json.loads(str(file[_ABOUT]))
                names = about.pop(_BAGS)
                bags = {name: (file[f"{index}_stamps"], file[f"{index}_steps"]) for index, name in enumerate(names)}
        except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ChunksFileError(f"{path} holds no chunks that --save has written: {error}") from error
        return cls(bags, about)


def differences(expected: KeptChunks, made: KeptChunks, tolerance: float) -> list[str]:
    """How chunks differ from those expected; empty if they do not.

    Args:
        expected: from a file.
        made: now; bags that are not expected do not matter.
        tolerance: largest difference of a number that counts as none [m, rad, opening]; 0: every bit must be the same.

    Returns:
        Sentences, one a bag at most, and one about what made them where anything differs.
    """
    found = [
        text
        for name in expected.bags
        if (text := _difference(name, expected.bags[name], made.bags.get(name), tolerance))
    ]
    if found:
        changed = [
            f"{key} {expected.about[key]} (expected), {made.about.get(key, 'unknown')} (now)"
            for key in expected.about
            if expected.about[key] != made.about.get(key)
        ]
        if changed:
            found.append(f"what made them differs: {'; '.join(changed)}")
    return found


def _difference(
    name: str,
    expected: tuple[np.ndarray, np.ndarray],
    made: tuple[np.ndarray, np.ndarray] | None,
    tolerance: float,
) -> str:
    if made is None:
        return f"{name}: expected chunks of this bag, but it was not scored"
    if len(expected[0]) != len(made[0]) or not np.array_equal(expected[0], made[0]):
        common = min(len(expected[0]), len(made[0]))
        apart = np.flatnonzero(expected[0][:common] != made[0][:common])
        first = int(apart[0]) if len(apart) else common
        return (
            f"{name}: {len(made[0])} chunks, expected {len(expected[0])}; up to number {first} they are of the same "
            "observations"
        )
    if expected[1].shape != made[1].shape:
        return f"{name}: chunks of shape {made[1].shape[1:]}, expected {expected[1].shape[1:]}"
    gap = np.abs(expected[1] - made[1])
    bad = ~(gap <= tolerance)  # NaN is bad
    if not bad.any():
        return ""
    row, step, _ = np.argwhere(bad)[0]
    shift, turn, opening = (float(np.max(gap[..., part])) for part in (slice(0, 3), slice(3, 6), slice(6, 7)))
    return (
        f"{name}: {int(bad.any(axis=(1, 2)).sum())} of {len(gap)} chunks differ from those expected, by up to "
        f"{1e3 * shift:.3g} mm, {1e3 * turn:.3g} mrad and {opening:.3g} of the gripper's opening (tolerance "
        f"{tolerance:g}); the first is that of {made[0][row]:.3f} s, at step {step + 1}"
    )
