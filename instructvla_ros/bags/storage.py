# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the files of a bag have in common, whatever their format, and how their messages are put in order."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat, QosDurability, QosReliability
from rosbags.rosbag2.errors import ReaderError
from rosbags.rosbag2.metadata import parse_qos

from instructvla_ros.bags.writing import Quality

NO_DEFINITION = MessageDefinition(MessageDefinitionFormat.NONE, "")
DEFINITION_FORMATS = {"ros2msg": MessageDefinitionFormat.MSG, "ros2idl": MessageDefinitionFormat.IDL}


@dataclass(eq=False)
class StoredTopic:
    """A topic as one file has it.

    Attributes:
        name: full name.
        message_type: such as ``std_msgs/msg/String``; empty where the file does not say.
        encoding: of the messages; ``cdr`` is what can be read.
        definition: of the type.
        quality: it was offered with.
        count: messages.
    """

    name: str
    message_type: str
    encoding: str
    definition: MessageDefinition = NO_DEFINITION
    quality: Quality = field(default_factory=Quality)
    count: int = 0


class Row(NamedTuple):
    """A message as a file has it; ``place`` grows from the beginning of the file to its end."""

    stamp: int
    place: int
    topic: StoredTopic
    data: bytes


class StoredFile(Protocol):
    """One file of a bag."""

    topics: list[StoredTopic]
    span: tuple[int, int] | None
    """Record times of the first and the last message [ns]; None without messages."""

    def rows(self, wanted: Collection[str] | None, start: int | None, stop: int | None) -> Iterator[Row]:
        """Messages of topics (None: of all) from ``start`` to before ``stop`` [ns], in the order of their times."""
        ...

    def close(self) -> None:
        """Let the file go."""
        ...


@dataclass(frozen=True)
class Part:
    """Messages in order, none before ``start`` [ns]; they are read when :func:`in_order` comes to them."""

    start: int
    load: Callable[[], Iterator[Row]]


def in_order(parts: Iterable[Part]) -> Iterator[Row]:
    """The messages of all parts in order of their times; only parts that overlap are in memory at once."""
    waiting = sorted(parts, key=lambda part: part.start)
    waiting.reverse()
    heap: list[tuple[int, int, Row, Iterator[Row]]] = []
    while waiting or heap:
        while waiting and (not heap or waiting[-1].start <= heap[0][0]):
            number = -len(waiting)
            rows = waiting.pop().load()
            for row in rows:
                heapq.heappush(heap, (row.stamp, number, row, rows))
                break
        if heap:
            _, number, row, rows = heap[0]
            yield row
            for row in rows:
                heapq.heapreplace(heap, (row.stamp, number, row, rows))
                break
            else:
                heapq.heappop(heap)


def widened(span: tuple[int, int] | None, start: int, end: int) -> tuple[int, int]:
    """A span of time that holds another one too."""
    return (start, end) if span is None else (min(span[0], start), max(span[1], end))


def quality_of(profiles: str | list | None) -> Quality:
    """The quality of service of ``offered_qos_profiles``; the usual one where they are not as rosbag2 writes them."""
    try:
        parsed = parse_qos(profiles or [])
    except (ReaderError, KeyError, TypeError, AttributeError, ValueError):
        return Quality()
    return Quality(
        reliable=all(profile.reliability is not QosReliability.BEST_EFFORT for profile in parsed),
        latched=any(profile.durability is QosDurability.TRANSIENT_LOCAL for profile in parsed),
    )
