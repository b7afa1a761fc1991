# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One thing that a check found, with what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """How bad it is."""

    GOOD = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        level: how bad it is.
        subject: topic, joint, key or machine.
        text: what was found, with the value.
        remedy: what to do; empty where all is well.
    """

    level: Level
    subject: str
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        mark = {Level.GOOD: "ok     ", Level.WARNING: "warning", Level.ERROR: "ERROR  "}[self.level]
        lines = f"{mark}  {self.subject}: {self.text}"
        return f"{lines}\n           -> {self.remedy}" if self.remedy else lines


def good(subject: str, text: str) -> Finding:
    """All is well."""
    return Finding(Level.GOOD, subject, text)


def warning(subject: str, text: str, remedy: str) -> Finding:
    """It works, but perhaps not as wanted."""
    return Finding(Level.WARNING, subject, text, remedy)


def error(subject: str, text: str, remedy: str) -> Finding:
    """It cannot work so."""
    return Finding(Level.ERROR, subject, text, remedy)


def alike(name: str, names: Iterable[str]) -> str:
    """`` (do you mean ...?)`` with the most alike name; empty where none is alike."""
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f" (do you mean {close[0]!r}?)" if close else ""
