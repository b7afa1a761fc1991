# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a bag that is read all the same: one sentence for each topic and each kind of trouble."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum

from instructvla_ros.timing import NANOSECONDS

WALL_CLOCK = 946_684_800 * NANOSECONDS
"""Stamps from here on (the year 2000) [ns] are those of a wall clock, earlier ones those of a simulation."""


class Trouble(Enum):
    """Kinds of findings."""

    CUT = "the file ends in the middle"
    DAMAGED = "a part of the file is damaged and left out"
    UNREADABLE = "nothing of the file can be read"
    EMPTY = "there are no messages"
    NO_INDEX = "the file has no index"
    NO_METADATA = "metadata.yaml is missing or wrong"
    MISSING_FILE = "metadata.yaml names a file that is not there"
    MISSING_TOPIC = "a topic that is asked for is not there"
    UNKNOWN_TYPE = "messages of a topic cannot be decoded"
    MIXED_CLOCKS = "there are stamps of a wall clock and of a simulation"
    FAR_STAMPS = "stamps in messages are far from when they were recorded"
    NO_STAMPS = "stamps in messages are zero"
    GOING_BACK = "stamps go back"
    UNORDERED = "messages are not given in the order of their times"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a bag.

    Attributes:
        trouble: its kind.
        topic: full name; empty where it concerns the whole bag.
        stamp: record time of the message where it was noticed first [ns since the epoch]; None where there is none.
        text: a sentence that names topic and time.
    """

    trouble: Trouble
    topic: str
    stamp: int | None
    text: str

    def __str__(self) -> str:
        return self.text


class Findings:
    """Collects findings: the first of each kind and topic (and file), so that their number is bounded."""

    def __init__(self) -> None:
        self._found: dict[tuple[Trouble, str, str], Finding] = {}

    def add(self, trouble: Trouble, text: str, topic: str = "", stamp: int | None = None, detail: str = "") -> None:
        """Add a finding, unless there is one of this kind for this topic and detail (such as a file)."""
        self._found.setdefault((trouble, topic, detail), Finding(trouble, topic, stamp, text))

    def add_cut(self, where: str, why: object, last: tuple[int, str] | None) -> None:
        """Add that a file ends too early.

        Args:
            where: file, and the place in it.
            why: what was met there.
            last: record time [ns] and topic of the last message before it; None: there is none.
        """
        until = "no message can be read"
        if last is not None:
            until = f"the last message that can be read is of {last[1]} at {said(last[0])}"
        stamp, topic = last or (None, "")
        self.add(Trouble.CUT, f"{where}: {why}; {until}", topic, stamp, where)

    def has(self, trouble: Trouble, topic: str = "") -> bool:
        """Whether there is one of a kind."""
        return any(key[:2] == (trouble, topic) for key in self._found)

    def all(self) -> tuple[Finding, ...]:
        """Those so far, in the order in which they were noticed."""
        return tuple(self._found.values())


def said(stamp: int) -> str:
    """A stamp [ns] for people: date and time (UTC) of a wall clock, seconds of a simulation."""
    if stamp < WALL_CLOCK:
        return f"{stamp / NANOSECONDS:.3f} s"
    try:
        moment = time.gmtime(stamp // NANOSECONDS)
    except (OverflowError, ValueError, OSError):
        return f"{stamp / NANOSECONDS:.0f} s"
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', moment)}.{stamp % NANOSECONDS // 1_000_000:03d}"
