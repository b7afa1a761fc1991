# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""On a disk that is really full or read-only, a recording ends with a clear error and what it has can be read."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from instructvla_ros.bags.incidents import write_incident
from instructvla_ros.bags.intake import Intake
from instructvla_ros.bags.reading import Bag
from instructvla_ros.bags.ring import Message
from instructvla_ros.bags.writing import BagWriter, BagWritingError, Quality

STRING = "std_msgs/msg/String"


def record(writer: BagWriter, count: int) -> tuple[list[str], int]:
    """Hand messages over as the recorder does; what went wrong, and how many were written."""
    writer.add_topic("/words", STRING, Quality())
    errors: list[str] = []

    def write(message: Message) -> None:
        if not errors:
            writer.write(message.topic, message.stamp, message.data)
            writer.flush()

    def fail(error: Exception) -> None:
        errors.append(str(error))
        writer.abandon()

    intake = Intake("disk", 64.0, write, lambda: None, fail)
    for index in range(count):
        intake.put(Message("/words", index + 1, bytes([index % 256]) * 50_000))
    assert intake.close(30.0)
    return errors, writer.messages


def check(folder: Path, least: int) -> None:
    with Bag(folder / "bag") as bag:
        got = [message.data for message in bag.messages()]
    assert len(got) >= least and got == [bytes([index % 256]) * 50_000 for index in range(len(got))]


def test_when_the_disk_is_full_the_recording_ends_and_what_it_has_can_be_read(small_disk: Path) -> None:
    errors, written = record(BagWriter(small_disk / "bag"), 1000)
    assert "No space left" in errors[0] and written >= 60
    check(small_disk, 60)
    with pytest.raises(OSError, match="MB are free"):
        write_incident(small_disk / "incident", [Message("/words", 1, b"x" * 100_000)], {}, {}, 0.0)


def test_a_disk_that_becomes_full_while_the_index_is_written_leaves_a_bag_that_can_be_read(small_disk: Path) -> None:
    writer = BagWriter(small_disk / "bag")
    writer.add_topic("/words", STRING, Quality())
    for index in range(20):
        writer.write("/words", index + 1, bytes([index]) * 50_000)
    writer.flush()
    filler = (small_disk / "filler").open("wb", buffering=0)
    with pytest.raises(OSError, match="No space left"):
        while True:
            filler.write(b"\0" * 4096)
    with pytest.raises(OSError, match="No space left"):
        for index in range(20, 40):
            writer.write("/words", index + 1, bytes([index]) * 50_000)
        writer.close()
    writer.abandon()
    check(small_disk, 20)


def test_on_a_read_only_disk_no_recording_begins_and_an_old_one_can_be_read(small_disk: Path) -> None:
    made = BagWriter(small_disk / "before")
    made.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(BagWritingError, match="Read-only file system"):
        BagWriter(small_disk / "bag")
    with Bag(small_disk / "before") as bag:
        assert bag.count == 0


def test_in_a_folder_that_may_not_be_written_no_recording_begins(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    with pytest.raises(BagWritingError, match="Permission denied"):
        BagWriter(folder / "bag")
