# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reading bags as they are in the world: cut, without index, without metadata, on two clocks.

    with Bag("my_recording") as bag:
        for message in bag.messages(["/image", "/joint_states"]):
            image = bag.decode(message)
        for finding in bag.findings:
            print(finding)

What can be read is read. What is wrong is a finding: a sentence that names topic and time. Only where there is no bag
at all is it an error.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from rosbags.interfaces import MessageDefinition

from instructvla_ros.bags.clocks import ClockWatch
from instructvla_ros.bags.decoding import Decoder, DecodingError
from instructvla_ros.bags.findings import WALL_CLOCK, Finding, Findings, Trouble, said
from instructvla_ros.bags.folder import BagFolder
from instructvla_ros.bags.message_types import UnknownTypeError
from instructvla_ros.bags.storage import NO_DEFINITION, Part, Row, in_order
from instructvla_ros.bags.writing import Quality


class BagReadingError(OSError):
    """There is no bag at a path; the message names it and what was looked for."""


@dataclass(frozen=True)
class BagTopic:
    """A topic of a bag.

    Attributes:
        message_type: such as ``std_msgs/msg/String``; empty where the bag does not say.
        quality: of service, that it was offered with.
        count: messages; of a file that was cut: those that can be read.
    """

    message_type: str
    quality: Quality
    count: int


class BagMessage(NamedTuple):
    """A message of a bag, as it came over the wire.

    Attributes:
        topic: full name.
        message_type: such as ``std_msgs/msg/String``.
        stamp: record time [ns].
        data: in CDR, with its header.
    """

    topic: str
    message_type: str
    stamp: int
    data: bytes


class Bag:
    """A rosbag2 folder, or a lone ``.mcap`` or ``.db3`` file.

    A bag with an index is opened at once; one without is read through first. Messages are streamed: in memory are those
    chunks of a file that overlap in time, at most ``mcap_file.OVERLAP_BYTES`` of them before they are unpacked, and no
    record of more than ``mcap_records.RECORD_BYTES``, whatever the length of the bag.

    Args:
        path: of the folder or file.

    Raises:
        BagReadingError: there is no bag.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()
        self._findings = Findings()
        try:
            self._folder = BagFolder(self.path, self._findings)
        except OSError as error:
            raise BagReadingError(f"{path} cannot be read: {error}") from error
        definitions: dict[str, MessageDefinition] = {}
        self.topics: dict[str, BagTopic] = {}
        """By full name; those without messages too."""
        for stored in (topic for file in self._folder.files for topic in file.topics):
            before = self.topics.get(stored.name)
            count = stored.count + (before.count if before else 0)
            kind, quality = (before.message_type, before.quality) if before else (stored.message_type, stored.quality)
            self.topics[stored.name] = BagTopic(kind, quality, count)
            if stored.definition is not NO_DEFINITION:
                definitions.setdefault(stored.message_type, stored.definition)
        self._decoder = Decoder(definitions)
        for topic in self.topics.values():
            if topic.count:  # parsing a definition takes long: a player must not stall at the first message
                self._decoder.header_stamp(topic.message_type, b"")
        spans = [file.span for file in self._folder.files if file.span]
        self.start = min((span[0] for span in spans), default=0)
        """Record time of the first message [ns]; of a bag on two clocks: by that of most messages. 0: no messages."""
        self.end = max((span[1] for span in spans), default=0)
        """Record time of the last message [ns], likewise."""
        if not self.count:
            self._findings.add(Trouble.EMPTY, f"{self.path} has no messages that can be read")
        elif self.start < WALL_CLOCK <= self.end:
            self._choose_clock()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found to be wrong so far; while messages are read there may come more."""
        return self._findings.all()

    @property
    def count(self) -> int:
        """Messages that can be read."""
        return sum(topic.count for topic in self.topics.values())

    @property
    def about(self) -> dict[str, str]:
        """What the bag says about itself: custom data of metadata.yaml, or else the MCAP file's metadata record."""
        return self._folder.about()

    def expect(self, topics: Collection[str]) -> list[str]:
        """Those of the topics that have messages; for each of the others a finding."""
        there = []
        filled = ", ".join(sorted(name for name, topic in self.topics.items() if topic.count)) or "none"
        for name in topics:
            if name in self.topics and self.topics[name].count:
                there.append(name)
            else:
                lack = "messages on" if name in self.topics else "topic"
                self._findings.add(
                    Trouble.MISSING_TOPIC, f"{self.path} has no {lack} {name}; topics with messages: {filled}", name
                )
        return there

    def messages(
        self, topics: Collection[str] | None = None, start: int | None = None, stop: int | None = None
    ) -> Iterator[BagMessage]:
        """Messages in the order of their record times, as far as that is possible.

        Args:
            topics: full names; None: all.
            start: record time of the first [ns].
            stop: record time before which the last is [ns].
        """
        watch = ClockWatch(self._findings)
        for row in self._rows(topics, start, stop):
            kind = row.topic.message_type
            watch.see(row, self._decoder.header_stamp(kind, row.data))
            yield BagMessage(row.topic.name, kind, row.stamp, row.data)

    def decode(self, message: BagMessage) -> Any:
        """The content of a message: an object with its fields as attributes, arrays as numpy arrays.

        The type's definition is that of the bag; where it has none: that of Jazzy, ours, or of an installed package.

        Raises:
            UnknownTypeError: there is no definition.
            DecodingError: the bytes are not such a message.
        """
        try:
            return self._decoder.decode(message.message_type, message.data)
        except DecodingError as error:
            raise DecodingError(f"{message.topic} at {said(message.stamp)}: {error}") from error

    def decoded(
        self, topics: Collection[str] | None = None, start: int | None = None, stop: int | None = None
    ) -> Iterator[tuple[BagMessage, Any]]:
        """Messages with their content; those that cannot be decoded are findings and left out. Arguments: as above."""
        unknown = set()
        for message in self.messages(topics, start, stop):
            if message.message_type in unknown:
                continue
            try:
                content = self.decode(message)
            except UnknownTypeError as error:
                unknown.add(message.message_type)
                text = f"{message.topic} cannot be decoded, from {said(message.stamp)} on: {error}"
                self._findings.add(Trouble.UNKNOWN_TYPE, text, message.topic, message.stamp)
            except DecodingError as error:
                self._findings.add(Trouble.DAMAGED, f"{error}; it is left out", message.topic, message.stamp)
            else:
                yield message, content

    def header_stamp(self, message: BagMessage) -> int | None:
        """The stamp of a message's header [ns], without decoding it; None where it has none or it is zero."""
        return self._decoder.header_stamp(message.message_type, message.data) or None

    def close(self) -> None:
        """Let the files go."""
        self._folder.close()

    def __enter__(self) -> Bag:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _rows(self, topics: Collection[str] | None, start: int | None, stop: int | None) -> Iterator[Row]:
        wanted = None if topics is None else frozenset(topics)
        return in_order(
            Part(file.span[0], partial(file.rows, wanted, start, stop)) for file in self._folder.files if file.span
        )

    def _choose_clock(self) -> None:
        """Where record times are of two clocks, the one that most messages have gives the bag's start and end."""
        spans: dict[bool, list[int]] = {}
        firsts: dict[bool, Row] = {}
        for row in self._rows(None, None, None):
            wall = row.stamp >= WALL_CLOCK
            span = spans.setdefault(wall, [row.stamp, row.stamp, 0])
            span[:] = [min(span[0], row.stamp), max(span[1], row.stamp), span[2] + 1]
            firsts.setdefault(wall, row)
        if len(spans) < 2:
            return
        main = spans[True][2] >= spans[False][2]
        self.start, self.end, _ = spans[main]
        odd = firsts[not main]
        names = {True: "a wall clock", False: "a simulation"}
        self._findings.add(
            Trouble.MIXED_CLOCKS,
            f"{spans[main][2]} messages were recorded by {names[main]}, from {said(self.start)} to {said(self.end)}, "
            f"and {spans[not main][2]} by {names[not main]}, the first on {odd.topic.name} at {said(odd.stamp)}",
            odd.topic.name,
            odd.stamp,
        )
