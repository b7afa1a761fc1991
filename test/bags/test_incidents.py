# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Incidents are written while there is room, and the oldest go so that they never fill the disk."""

import os
from pathlib import Path

import pytest

from instructvla_ros.bags.incidents import delete_old, incident_path, write_incident
from instructvla_ros.bags.reading import Bag
from instructvla_ros.bags.ring import Message
from instructvla_ros.bags.writing import Quality

TOPICS = {"/words": ("std_msgs/msg/String", Quality())}


def incident(folder: Path, age: int, size: int = 10_000) -> Path:
    path = folder / f"incident_{age}"
    write_incident(path, [Message("/words", 1, b"x" * size)], TOPICS, {"incident": "stop"}, 0.0)
    os.utime(path, (1_000_000 - age, 1_000_000 - age))
    return path


def test_an_incident_is_a_bag_that_says_why_it_was_written(tmp_path: Path) -> None:
    path = incident_path(tmp_path / "new")
    write_incident(path, [Message("/words", 5, b"what")], TOPICS, {"incident": "fault: lag"}, 0.0)
    with Bag(path) as bag:
        assert [message.data for message in bag.messages()] == [b"what"] and bag.about == {"incident": "fault: lag"}


def test_the_reserve_of_the_disk_is_kept_free(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="MB are free on the disk, .* with the reserve are needed"):
        write_incident(tmp_path / "incident", [], {}, {}, 1e12)
    assert not (tmp_path / "incident").exists()


def test_the_oldest_are_deleted_until_the_others_are_within_the_size(tmp_path: Path) -> None:
    paths = [incident(tmp_path, age) for age in (4, 3, 2, 1)]
    size = sum(file.stat().st_size for file in paths[0].iterdir()) / 1e6
    assert delete_old(tmp_path, 0.0) == [] and delete_old(tmp_path, 4.5 * size) == []
    assert delete_old(tmp_path, 2.5 * size) == paths[:2]
    assert sorted(tmp_path.iterdir()) == sorted(paths[2:])
    assert delete_old(tmp_path, 1e-6) == paths[2:3], "the newest stays, however large it is"
    assert paths[3].is_dir()


def test_nothing_else_is_ever_deleted(tmp_path: Path) -> None:
    (tmp_path / "incident_notes.txt").write_text("by hand")
    mine = incident(tmp_path, 9)
    (mine / "report.pdf").write_bytes(b"about it")
    elsewhere = tmp_path / "elsewhere"
    linked = incident(elsewhere, 8)
    (tmp_path / "incident_link").symlink_to(linked)
    (tmp_path / "recording").mkdir()
    (tmp_path / "incident_empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    old, new = incident(tmp_path, 2), incident(tmp_path, 1)
    assert delete_old(tmp_path, 1e-6) == [old]
    assert sorted(path for path in tmp_path.rglob("*") if new not in (path, *path.parents)) == before
