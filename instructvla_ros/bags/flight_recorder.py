# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The flight recorder: keeps the last minute in memory, and writes it to a bag when something has happened."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from instructvla_ros.bags.incidents import delete_old, incident_path, write_incident
from instructvla_ros.bags.intake import Intake
from instructvla_ros.bags.ring import Message, Ring
from instructvla_ros.bags.writing import Quality


@dataclass(frozen=True)
class FlightSettings:
    """How much is kept, and what becomes of it.

    Attributes:
        seconds: how far back the memory reaches [s].
        megabytes: what it holds at most [MB].
        queue_megabytes: what waits at most to be taken into it [MB].
        after: how much longer is listened after an incident, before it is written [s].
        folder: of the incidents.
        total_megabytes: of all incidents, beyond which the oldest are deleted [MB]; 0: none is.
        reserve: what must stay free on the disk [MB].
    """

    seconds: float
    megabytes: float
    queue_megabytes: float
    after: float
    folder: Path
    total_megabytes: float
    reserve: float


class FlightRecorder:
    """A memory that is filled on a thread of its own; each incident is written by another.

    Attributes:
        trouble: why the newest incident could not be written; empty if it could.
        written: how many incidents were.
        last: the bag of the last one.

    Args:
        settings: how much is kept.
        latched: topics whose newest message is kept for good.
        topics: type and quality of each topic, by name; looked up when an incident is written.
        about: what an incident's bag says about itself; looked up then.
        as_kept: what is kept of a message; called on the thread that fills the memory.
        on_error: called there with what that raised.
        say: told what was written or deleted.
        complain: told what went wrong.
    """

    def __init__(
        self,
        settings: FlightSettings,
        latched: frozenset[str],
        topics: Mapping[str, tuple[str, Quality]],
        about: Mapping[str, str],
        as_kept: Callable[[Message], Message],
        on_error: Callable[[Exception], None],
        say: Callable[[str], object],
        complain: Callable[[str], object],
    ) -> None:
        self.trouble = ""
        self.written = 0
        self.last: Path | None = None
        self._settings, self._topics, self._about = settings, topics, about
        self._say, self._complain = say, complain
        self._ring = Ring(settings.seconds, settings.megabytes, latched)
        self._intake = Intake(
            "flight",
            settings.queue_megabytes,
            lambda message: self._ring.add(as_kept(message)),
            lambda: None,
            on_error,
        )
        self._saving: threading.Thread | None = None
        self._ending = threading.Event()

    @property
    def megabytes(self) -> float:
        """What the memory holds now [MB]."""
        return self._ring.megabytes

    @property
    def seconds(self) -> float:
        """How far back it reaches now [s]."""
        return self._ring.seconds

    def put(self, message: Message) -> None:
        """Take a message in; never waits."""
        self._intake.put(message)

    def save(self, why: str) -> str:
        """Write the memory in a while; an incident during that while is in it anyway.

        Args:
            why: for people.

        Returns:
            What will be where, for people.
        """
        if self._saving is not None and self._saving.is_alive():
            return f"{why}; an incident is being written already"
        path = incident_path(self._settings.folder)
        self._saving = threading.Thread(target=self._write, args=(path, why), name="incident")
        self._saving.start()
        return f"{why}; the last {self._settings.seconds:g} s will be in {path}"

    def hurry(self) -> None:
        """Write an incident that waits for what comes after it at once."""
        self._ending.set()

    def close(self, timeout: float) -> bool:
        """End the threads; an incident that is being written is written to its end.

        Args:
            timeout: longest wait for each of the threads [s].

        Returns:
            Whether all that was queued was taken in.
        """
        self.hurry()
        is_complete = self._intake.close(timeout)
        if self._saving is not None:
            self._saving.join(timeout)
        return is_complete

    def _write(self, path: Path, why: str) -> None:
        self._ending.wait(self._settings.after)
        messages = self._ring.snapshot()
        try:
            write_incident(path, messages, self._topics, {**self._about, "incident": why}, self._settings.reserve)
        except (OSError, LookupError) as error:
            self.trouble = f"the incident ({why}) could not be written to {path}: {error}"
            self._complain(self.trouble)
            return
        self.written += 1
        self.last, self.trouble = path, ""
        self._say(f"{path}: {len(messages)} messages, {why}")
        try:
            for old in delete_old(path.parent, self._settings.total_megabytes):
                self._say(f"{old} is deleted: the incidents took more than {self._settings.total_megabytes:g} MB")
        except OSError as error:
            self._complain(f"an old incident cannot be deleted: {error}")
