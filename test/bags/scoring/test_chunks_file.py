# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Kept chunks are found again, and whatever differs is told."""

from pathlib import Path

import numpy as np
import pytest

from instructvla_ros.bags.scoring.chunks_file import ChunksFileError, KeptChunks, differences

from .conftest import LENGTH, chunk_at

ABOUT = {"seed": "0", "torch": "2.13"}


def kept(shift: float = 0.0, stamps: tuple[float, ...] = (1.0, 1.2, 1.4), about: dict[str, str] = ABOUT) -> KeptChunks:
    random = np.random.default_rng(0)
    chunks = [chunk_at(stamp, random.normal(0.0, 0.01, (LENGTH, 7)) + shift) for stamp in stamps]
    return KeptChunks.of({"one": chunks, "none": []}, about)


def test_chunks_come_back_to_the_bit_and_the_file_is_the_same_each_time(tmp_path: Path) -> None:
    kept().save(tmp_path / "a.npz")
    kept().save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    loaded = KeptChunks.load(tmp_path / "a.npz")
    assert loaded.about == ABOUT and set(loaded.bags) == {"one", "none"}
    assert loaded.bags["one"][1].tobytes() == kept().bags["one"][1].tobytes()
    assert differences(loaded, kept(), 0.0) == []


def test_a_single_bit_counts_without_a_tolerance_and_not_with_one() -> None:
    made = kept()
    numbers = made.bags["one"][1]
    numbers[1, 2, 0] = np.nextafter(numbers[1, 2, 0], 1.0)
    (told,) = differences(kept(), made, 0.0)
    assert "one: 1 of 3 chunks differ" in told and "1.200 s, at step 3" in told
    assert differences(kept(), made, 1e-9) == []


def test_what_is_too_far_is_told_in_units_with_what_made_it() -> None:
    told = differences(kept(), kept(shift=0.002, about={"seed": "0", "torch": "2.14"}), 0.001)
    assert "2 mm, 2 mrad and 0.002 of the gripper's opening (tolerance 0.001)" in told[0]
    assert told[1] == "what made them differs: torch 2.13 (expected), 2.14 (now)"


def test_other_observations_and_missing_bags_are_told() -> None:
    assert "2 chunks, expected 3; up to number 1" in differences(kept(), kept(stamps=(1.0, 1.4)), 1.0)[0]
    assert "was not scored" in differences(kept(), KeptChunks.of({"none": []}, ABOUT), 1.0)[0]
    broken = kept()
    broken.bags["one"][1][0, 0, 0] = np.nan
    assert "1 of 3 chunks differ" in differences(kept(), broken, 1.0)[0]


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 half a zip"])
def test_a_file_that_holds_no_chunks_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file.npz").write_bytes(content)
    with pytest.raises(ChunksFileError, match=r"file.npz holds no chunks that --save has written"):
        KeptChunks.load(tmp_path / "file.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(ChunksFileError, match=r"other.npz"):
        KeptChunks.load(tmp_path / "other.npz")
