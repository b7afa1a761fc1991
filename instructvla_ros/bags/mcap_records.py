# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stretches of an MCAP file and the records in them, be they whole, compressed or cut."""

from __future__ import annotations

import contextlib
import heapq
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

import lz4.frame
import zstandard
from mcap.data_stream import ReadDataStream
from mcap.records import Chunk, Footer, McapRecord
from mcap.stream_reader import StreamReader, breakup_chunk

RECORD_BYTES = 256 << 20
"""A record that claims to be longer is taken for damage: its length is not believed and nothing of it read."""

_OPCODE_BYTES = 9  # opcode and length stand before each record
_FOOTER_BYTES = 37  # with the magic behind it
_CHECKSUM_AND_MAGIC_BYTES = 12


@dataclass(frozen=True)
class Block:
    """A stretch of the file that is read at once.

    Attributes:
        offset: where it begins in the file.
        length: in the file [bytes]; of a chunk that was cut: 0.
        start: record time of its first message [ns].
        end: record time of its last message [ns].
        size: in memory [bytes].
        channels: with messages in it; None: unknown.
        kind: ``chunk``, ``cut chunk``, or ``loose`` records outside of chunks.
    """

    offset: int
    length: int
    start: int
    end: int
    size: int
    channels: frozenset[int] | None
    kind: str = "chunk"


def records_of(stream: BinaryIO, limit: int = RECORD_BYTES, *, magic: bool = False) -> Iterator[McapRecord]:
    """The records from where a stream stands, chunks as they are.

    Args:
        stream: to read.
        limit: longest record that is believed [bytes].
        magic: whether it stands at the beginning of the file.

    Raises:
        Exception: of many kinds, where the bytes are no records.
    """
    return StreamReader(stream, skip_magic=not magic, emit_chunks=True, record_size_limit=limit).records


def block_records(stream: BinaryIO, block: Block) -> list[McapRecord]:
    """The records of a block.

    Raises:
        Exception: of many kinds, where it is damaged.
    """
    if block.kind == "cut chunk":
        return beginning_of_chunk(stream, block.offset)
    stream.seek(block.offset)
    if block.kind == "loose":
        return _until_end(stream.read(block.length))
    chunk = next(records_of(stream))
    if not isinstance(chunk, Chunk):
        raise ValueError(f"there is no chunk at byte {block.offset}")
    return unpacked(chunk)


def unpacked(chunk: Chunk) -> list[McapRecord]:
    """The records in a chunk.

    Raises:
        Exception: of many kinds, where it is damaged.
    """
    size = chunk.uncompressed_size
    if chunk.compression == "zstd":
        size = max(size, zstandard.frame_content_size(chunk.data))
    if size > RECORD_BYTES:
        raise ValueError(f"it claims to hold {size} bytes")
    return breakup_chunk(chunk, validate_crc=True)


def beginning_of_chunk(stream: BinaryIO, offset: int) -> list[McapRecord]:
    """The records of a chunk that was cut, up to the cut; none where there is no chunk."""
    stream.seek(offset)
    if stream.read(1) != b"\x06":
        return []
    try:
        stream.seek(offset + _OPCODE_BYTES)
        chunk = Chunk.read(ReadDataStream(stream))
        if chunk.compression == "zstd":
            data = zstandard.ZstdDecompressor().decompressobj().decompress(chunk.data)
        elif chunk.compression == "lz4":
            data = bytes(lz4.frame.LZ4FrameDecompressor().decompress(chunk.data, max_length=RECORD_BYTES))
        else:
            data = chunk.data
    except Exception:  # cut before its data begins
        return []
    return _until_end(data)


def index_is_whole(stream: BinaryIO, length: int) -> bool:
    """Whether a file of some length [bytes] has a summary, with the checksum that the footer, if it has one, says.

    Raises:
        Exception: of many kinds, where the file was cut.
    """
    stream.seek(-_FOOTER_BYTES, os.SEEK_END)
    footer = next(records_of(stream))
    if not isinstance(footer, Footer) or not footer.summary_start:
        return False
    stream.seek(footer.summary_start)
    # of all from the summary's start to the checksum itself, which magic alone follows
    covered = stream.read(min(length - footer.summary_start - _CHECKSUM_AND_MAGIC_BYTES, RECORD_BYTES))
    return footer.summary_crc in (0, zlib.crc32(covered))


def most_at_once(blocks: Iterable[Block]) -> int:
    """The most bytes of blocks that overlap in time, two at least, at any time."""
    most = now = 0
    begun: list[tuple[int, int]] = []
    for block in sorted(blocks, key=lambda block: block.start):
        while begun and begun[0][0] < block.start:
            now -= heapq.heappop(begun)[1]
        if begun:
            most = max(most, now + block.size)
        heapq.heappush(begun, (block.end, block.size))
        now += block.size
    return most


def _until_end(data: bytes) -> list[McapRecord]:
    records: list[McapRecord] = []
    with contextlib.suppress(Exception):  # the end of the data at the latest
        records.extend(records_of(BytesIO(data)))
    return records
