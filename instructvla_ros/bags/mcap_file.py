# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An MCAP file, read by its index, or through once where it has none or was cut."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from mcap.exceptions import EndOfFile, InvalidMagic
from mcap.reader import SeekingReader
from mcap.records import Channel, Chunk, Footer, McapRecord, Message, Metadata, Schema
from mcap.summary import Summary
from rosbags.interfaces import MessageDefinition

from instructvla_ros.bags.findings import Findings, Trouble, said
from instructvla_ros.bags.mcap_records import (
    RECORD_BYTES,
    Block,
    beginning_of_chunk,
    block_records,
    index_is_whole,
    most_at_once,
    records_of,
    unpacked,
)
from instructvla_ros.bags.storage import (
    DEFINITION_FORMATS,
    NO_DEFINITION,
    Part,
    Row,
    StoredTopic,
    in_order,
    quality_of,
    widened,
)

OVERLAP_BYTES = 64 << 20
"""Chunks that overlap in time are put in order together up to this size; beyond, they come one after the other."""

_LOOSE_BYTES = 1 << 20  # messages outside of chunks are read so many at once
_PLACES = 1 << 32  # messages of a block, for `Row.place`


class McapFile:
    """An MCAP file of ROS 2.

    Args:
        path: of the file.
        findings: where to tell what is wrong.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path, findings: Findings) -> None:
        self.path = path
        self.topics: list[StoredTopic] = []
        self.span: tuple[int, int] | None = None
        self.about: dict[str, dict[str, str]] = {}
        """Metadata records by name, as far as they were come across."""
        self._findings = findings
        self._stream: BinaryIO = path.open("rb")
        self._length = path.stat().st_size
        self._schemas: dict[int, Schema] = {}
        self._channels: dict[int, StoredTopic] = {}
        self._by_name: dict[tuple[str, str], StoredTopic] = {}
        self._blocks: list[Block] = []
        try:
            summary = self._summary()
            if summary is None:
                self._scan()
            else:
                self._take(summary)
        except BaseException:
            self._stream.close()
            raise
        for topic in self.topics:
            if topic.encoding != "cdr":
                text = f"{topic.name} in {path} is encoded as {topic.encoding!r}, not as CDR: it is left out"
                findings.add(Trouble.UNKNOWN_TYPE, text, topic.name)
                topic.count = 0

    def rows(self, wanted: Collection[str] | None, start: int | None, stop: int | None) -> Iterator[Row]:
        """Messages in the order of their times; one chunk after the other where too many overlap."""
        channels = {
            number: topic
            for number, topic in self._channels.items()
            if topic.encoding == "cdr" and (wanted is None or topic.name in wanted)
        }
        blocks = [
            (number, block)
            for number, block in enumerate(self._blocks)
            if (block.channels is None or not block.channels.isdisjoint(channels))
            and (start is None or block.end >= start)
            and (stop is None or block.start < stop)
        ]
        most = most_at_once([block for _, block in blocks])
        if most <= OVERLAP_BYTES:
            yield from in_order(
                Part(block.start, partial(self._load, number, block, channels, start, stop)) for number, block in blocks
            )
            return
        text = (
            f"{most >> 20} MB of chunks in {self.path} overlap in time, from {said(blocks[0][1].start)} on: "
            "they are given as they stand in the file, not in the order of their times"
        )
        self._findings.add(Trouble.UNORDERED, text, stamp=blocks[0][1].start, detail=str(self.path))
        for number, block in blocks:
            yield from self._load(number, block, channels, start, stop)

    def read_about(self) -> None:
        """Read the file for metadata records that no index names."""
        with contextlib.suppress(Exception):
            self._stream.seek(0)
            for record in records_of(self._stream, min(RECORD_BYTES, self._length), magic=True):
                if isinstance(record, Metadata):
                    self.about.setdefault(record.name, {}).update(record.metadata)

    def close(self) -> None:
        """Let the file go."""
        self._stream.close()

    def _summary(self) -> Summary | None:
        """The summary, None where it does not tell all that there is."""
        try:
            if not index_is_whole(self._stream, self._length):
                return None
            self._stream.seek(0)
            summary = SeekingReader(self._stream, record_size_limit=RECORD_BYTES).get_summary()
        except Exception:  # the end of a file that was cut may be anything
            return None
        if summary is None or summary.statistics is None:
            return None
        statistics, indexes = summary.statistics, summary.chunk_indexes
        complete = (
            statistics.chunk_count == len(indexes)
            and (bool(indexes) or not statistics.message_count)
            and statistics.channel_count == len(summary.channels)
            and all(channel.schema_id in {0, *summary.schemas} for channel in summary.channels.values())
            and all(index.chunk_start_offset + index.chunk_length <= self._length for index in indexes)
        )
        return summary if complete else None

    def _take(self, summary: Summary) -> None:
        statistics = summary.statistics
        assert statistics is not None
        self._schemas = summary.schemas
        for channel in summary.channels.values():
            self._learn(channel)
        for number, count in statistics.channel_message_counts.items():
            if number in self._channels:
                self._channels[number].count += count
        self._blocks = [
            Block(
                index.chunk_start_offset,
                index.chunk_length,
                index.message_start_time,
                index.message_end_time,
                index.uncompressed_size,
                frozenset(index.message_index_offsets) or None,
            )
            for index in sorted(summary.chunk_indexes, key=lambda index: index.chunk_start_offset)
        ]
        if statistics.message_count:
            self.span = (statistics.message_start_time, statistics.message_end_time)

    def _learn(self, record: McapRecord) -> None:
        """Take what schemas, channels and metadata say."""
        if isinstance(record, Schema):
            self._schemas[record.id] = record
        elif isinstance(record, Metadata):
            self.about.setdefault(record.name, {}).update(record.metadata)
        elif isinstance(record, Channel) and record.id not in self._channels:
            schema = self._schemas.get(record.schema_id)
            name = schema.name if schema else ""
            topic = self._by_name.get((record.topic, name))
            if topic is None:
                definition = NO_DEFINITION
                if schema and schema.encoding in DEFINITION_FORMATS and schema.data:
                    text = schema.data.decode("utf-8", "replace")
                    definition = MessageDefinition(DEFINITION_FORMATS[schema.encoding], text)
                quality = quality_of(record.metadata.get("offered_qos_profiles"))
                topic = StoredTopic(record.topic, name, record.message_encoding, definition, quality)
                self._by_name[record.topic, name] = topic
                self.topics.append(topic)
            self._channels[record.id] = topic

    def _scan(self) -> None:
        """Go through the file to its end, or to where it breaks off, and note what is where."""
        stream = self._stream
        stream.seek(0)
        offset = 0
        last: tuple[int, str] | None = None
        why = ""
        try:
            for record in records_of(stream, min(RECORD_BYTES, self._length), magic=True):
                # what the stream reader yields first comes after eight bytes of magic
                offset = offset or 8
                end = stream.tell()
                if isinstance(record, Chunk):
                    last = self._note_chunk(record, offset, end - offset) or last
                elif isinstance(record, Message):
                    last = self._note(Block(offset, end - offset, 0, 0, end - offset, None, "loose"), [record]) or last
                elif isinstance(record, Footer):
                    break
                else:
                    self._learn(record)
                offset = end
        except InvalidMagic:
            if not offset:
                text = f"{self.path} is no MCAP file: it does not begin as one does"
                self._findings.add(Trouble.UNREADABLE, text, detail=str(self.path))
                return
            why = "its end is damaged"
        except EndOfFile:
            why = "it ends in the middle"
        except Exception as error:  # the bytes of a damaged file may lead the reader to any
            why = f"it is damaged ({error!r})"
        if why:
            last = self._note_cut_chunk(offset) or last
            self._findings.add_cut(f"{self.path}, at byte {offset} of {self._length}", why, last)
            return
        times = f"from {said(self.span[0])} to {said(self.span[1])}" if self.span else "and has no messages"
        text = f"{self.path} has no index: it was read through, {times}"
        self._findings.add(Trouble.NO_INDEX, text, detail=str(self.path))

    def _note_chunk(self, chunk: Chunk, offset: int, length: int) -> tuple[int, str] | None:
        try:
            records = unpacked(chunk)
        except Exception as error:
            self._tell_damage(chunk.message_start_time, chunk.message_end_time, error)
            return None
        return self._note(Block(offset, length, 0, 0, chunk.uncompressed_size, None), records)

    def _note_cut_chunk(self, offset: int) -> tuple[int, str] | None:
        """Note what came onto the disk of a chunk that was cut."""
        records = beginning_of_chunk(self._stream, offset)
        return self._note(Block(offset, 0, 0, 0, 0, None, "cut chunk"), records)

    def _note(self, block: Block, records: list[McapRecord]) -> tuple[int, str] | None:
        """Add a block with what is in it; stamp and topic of the last message in it."""
        last = None
        stamps: list[int] = []
        channels = set()
        for record in records:
            if isinstance(record, Message):
                topic = self._channels.get(record.channel_id)
                if topic is not None:
                    topic.count += 1
                    channels.add(record.channel_id)
                    stamps.append(record.log_time)
                    last = (record.log_time, topic.name)
            else:
                self._learn(record)
        if not stamps:
            return None
        start, end = min(stamps), max(stamps)
        self.span = widened(self.span, start, end)
        before = self._blocks[-1] if self._blocks else None
        size = block.size or sum(len(record.data) for record in records if isinstance(record, Message))
        found = Block(block.offset, block.length, start, end, size, frozenset(channels), block.kind)
        if (
            before is not None
            and before.kind == found.kind == "loose"
            and before.offset + before.length == found.offset
            and before.length < _LOOSE_BYTES
        ):
            self._blocks[-1] = Block(
                before.offset,
                before.length + found.length,
                min(before.start, start),
                max(before.end, end),
                before.size + found.size,
                (before.channels or frozenset()) | channels,
                "loose",
            )
        else:
            self._blocks.append(found)
        return last

    def _load(
        self, number: int, block: Block, channels: dict[int, StoredTopic], start: int | None, stop: int | None
    ) -> Iterator[Row]:
        try:
            records = block_records(self._stream, block)
        except Exception as error:
            self._tell_damage(block.start, block.end, error)
            return iter(())
        rows = [
            Row(record.log_time, number * _PLACES + index, channels[record.channel_id], record.data)
            for index, record in enumerate(records)
            if isinstance(record, Message)
            and record.channel_id in channels
            and (start is None or record.log_time >= start)
            and (stop is None or record.log_time < stop)
        ]
        rows.sort(key=lambda row: row.stamp)
        return iter(rows)

    def _tell_damage(self, start: int, end: int, error: Exception) -> None:
        text = (
            f"a chunk of {self.path} is damaged and left out, with its messages from {said(start)} to {said(end)}: "
            f"{error!r}"
        )
        self._findings.add(Trouble.DAMAGED, text, stamp=start, detail=f"{self.path}")
