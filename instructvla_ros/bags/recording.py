# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One recording: a bag that grows on a thread of its own, until it is closed or the disk fails."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from instructvla_ros.bags.intake import Intake
from instructvla_ros.bags.ring import Message
from instructvla_ros.bags.splitting import SplitWriter
from instructvla_ros.bags.writing import Quality


class Recording:
    """Writes messages to a bag. The first error ends it: what is on the disk can be read, what would follow had gaps.

    Args:
        path: folder to make.
        about: what was recorded; see :class:`BagWriter`.
        types: type and quality by topic; asked when a message is written.
        as_kept: what is kept of a message, such as a JPEG of its picture.
        on_error: called, on the thread of the recording, with what ended it, for people.
        queue_megabytes: bound of what waits for the disk [MB].
        split_megabytes, split_seconds: see :class:`SplitWriter`.

    Raises:
        BagWritingError: the folder exists or cannot be made.
    """

    def __init__(
        self,
        path: Path,
        about: Mapping[str, str],
        types: Mapping[str, tuple[str, Quality]],
        as_kept: Callable[[Message], Message],
        on_error: Callable[[str], None],
        queue_megabytes: float,
        split_megabytes: float = 0.0,
        split_seconds: float = 0.0,
    ) -> None:
        self._types, self._as_kept, self._on_error = types, as_kept, on_error
        self._news: dict[str, str] = {}
        self._ended = False
        self._writer = SplitWriter(path, about, split_megabytes, split_seconds)
        self._intake = Intake("bag", queue_megabytes, self._write, self._flush, self._on_disk_error)

    @property
    def path(self) -> Path:
        """Folder that is being written."""
        return self._writer.path

    @property
    def messages(self) -> int:
        """How many were written so far."""
        return self._writer.messages

    @property
    def lost(self) -> Counter[str]:
        """Messages that did not get through the queue, by topic."""
        return self._intake.lost

    @property
    def has_ended(self) -> bool:
        """Whether it was closed, or an error has ended it."""
        return self._ended

    def put(self, message: Message) -> None:
        """Queue a message; one that is lost is counted."""
        if not self._ended:
            self._intake.put(message)

    def tell(self, about: Mapping[str, str]) -> None:
        """Something more that the bag is to say about itself; written by the bag's own thread."""
        self._news |= about

    def close(self, timeout: float) -> str:
        """Write what is queued and end.

        Args:
            timeout: how long the disk may take [s].

        Returns:
            What went wrong, for people; empty where nothing did.
        """
        in_time = self._intake.close(timeout)
        if self._ended:
            return ""
        self._ended = True
        try:
            self._writer.close()
        except OSError as error:
            return f"{self.path} has no index, it can be read without: {error}"
        return "" if in_time else "the disk is too slow: what was queued is lost"

    def _write(self, message: Message) -> None:
        if self._ended:
            raise OSError("the recording has ended")
        kept = self._as_kept(message)
        self._writer.add_topic(kept.topic, *self._types[kept.topic])
        self._writer.write(kept.topic, kept.stamp, kept.data)

    def _flush(self) -> None:
        if not self._ended:
            news, self._news = self._news, {}
            self._writer.describe(news)
            self._writer.flush()

    def _on_disk_error(self, error: Exception) -> None:
        if self._ended:
            return
        self._ended = True
        self._on_error(f"recording to {self.path} has ended after {self.messages} messages: {error}")
        self._writer.abandon()


def recording_name() -> str:
    """How a recording that begins now is named: by the local time."""
    return time.strftime("recording_%Y-%m-%d_%H-%M-%S")
