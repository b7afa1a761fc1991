# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recording in parts, each a bag by itself: it can be copied, played or deleted while the next one grows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from instructvla_ros.bags.writing import BagWriter, Quality
from instructvla_ros.timing import NANOSECONDS


class SplitWriter:
    """Writes bags one after the other: ``name_000``, ``name_001`` and so on; without limits one, ``name``.

    Each part begins with the newest message of each latched topic, so that it can be played by itself, and says in
    ``part`` which one it is.

    Args:
        path: of the recording.
        about: what was recorded; see :class:`BagWriter`.
        megabytes: size of messages after which a part ends [MB]; 0: never.
        seconds: duration after which a part ends [s], by the stamps; 0: never.

    Raises:
        BagWritingError: the first part's folder exists or cannot be made.
    """

    def __init__(
        self, path: str | Path, about: Mapping[str, str] | None = None, megabytes: float = 0.0, seconds: float = 0.0
    ) -> None:
        self._path = Path(path)
        self._about = dict(about or {})
        self._most_bytes = int(megabytes * 1e6)
        self._longest = int(seconds * NANOSECONDS)
        self._topics: dict[str, tuple[str, Quality]] = {}
        self._latched: dict[str, bytes] = {}
        self._part = 0
        self._bytes = self._written = 0
        self._began: int | None = None
        self._writer = self._open()

    @property
    def path(self) -> Path:
        """Folder of the part that is being written."""
        return self._writer.path

    @property
    def messages(self) -> int:
        """How many were written so far, in all parts."""
        return self._written + self._writer.messages

    def describe(self, about: Mapping[str, str]) -> None:
        """As of :class:`BagWriter`; later parts say it too."""
        self._about |= about
        self._writer.describe(about)

    def add_topic(self, topic: str, message_type: str, quality: Quality) -> None:
        """As of :class:`BagWriter`."""
        self._writer.add_topic(topic, message_type, quality)
        self._topics.setdefault(topic, (message_type, quality))

    def write(self, topic: str, stamp: int, data: bytes) -> None:
        """Append a message, to a new part where the one at hand is full; see :class:`BagWriter`.

        Raises:
            OSError: the disk is full, read-only or gone.
        """
        if self._is_full(stamp, len(data)):
            self._next(stamp)
        if self._began is None:
            self._began = stamp
        self._writer.write(topic, stamp, data)
        self._bytes += len(data)
        if self._topics[topic][1].latched:
            self._latched[topic] = data

    def flush(self) -> None:
        """As of :class:`BagWriter`."""
        self._writer.flush()

    def close(self) -> None:
        """As of :class:`BagWriter`, for the part at hand."""
        self._writer.close()

    def abandon(self) -> None:
        """As of :class:`BagWriter`, for the part at hand."""
        self._writer.abandon()

    def _is_full(self, stamp: int, size: int) -> bool:
        if self._began is None:
            return False
        too_big = self._most_bytes and self._bytes + size > self._most_bytes
        too_long = self._longest and stamp - self._began >= self._longest
        return bool(too_big or too_long)

    def _open(self) -> BagWriter:
        splits = self._most_bytes or self._longest
        path = self._path.with_name(f"{self._path.name}_{self._part:03d}") if splits else self._path
        return BagWriter(path, {**self._about, "part": str(self._part)} if splits else self._about)

    def _next(self, stamp: int) -> None:
        done = self._writer
        done.close()
        self._part += 1
        self._writer = self._open()
        self._written += done.messages  # only now: where the next part cannot be opened, this one is still at hand
        self._began, self._bytes = stamp, 0
        for topic, (message_type, quality) in self._topics.items():
            self._writer.add_topic(topic, message_type, quality)
        for topic, data in self._latched.items():
            self._writer.write(topic, stamp, data)
            self._bytes += len(data)
