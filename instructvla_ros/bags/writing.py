# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writing a rosbag2 folder: one MCAP file and metadata.yaml, from serialized messages as they came over the wire.

Whoever kills the writer loses no more than what came since the last :meth:`BagWriter.flush`: that ends the MCAP chunk
and hands it to the operating system. The file then lacks its index, which readers rebuild by going through it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import cast

from rosbags.interfaces import Connection, Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.rosbag2.storage_mcap import McapWriter, write_record, write_string, write_uint32

from instructvla_ros.bags.message_types import message_definition, type_hash

METADATA_RECORD = "instructvla_ros"
"""Name of the MCAP metadata record that says what was recorded: it is there even if the recording was cut."""

_CHUNK_BYTES = 4 << 20  # a chunk is ended here at the latest, so that a reader never needs more at a time
_MCAP_METADATA = 0x0C  # opcode
_FOREVER = QosTime(2147483647, 4294967295)  # as rosbag2 writes an unlimited duration


class BagWritingError(OSError):
    """A bag cannot be written; the message names the path and why."""


def require_room(folder: Path, needed: float) -> None:
    """Refuse to write where too little would be free.

    Args:
        folder: made if need be.
        needed: what must be free on its disk [MB].

    Raises:
        OSError: the folder cannot be made, or there is too little room.
    """
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free / 1e6
    if free < needed:
        raise BagWritingError(f"{free:.0f} MB are free on the disk, {needed:.0f} MB with the reserve are needed")


@dataclass(frozen=True)
class Quality:
    """The quality of service that a recorded topic was offered with, as far as it matters for playing it.

    Attributes:
        reliable: whether every message arrives.
        latched: whether a late subscriber gets the newest ones (transient local).
        depth: how many are kept.
    """

    reliable: bool = True
    latched: bool = False
    depth: int = 10

    def as_rosbag2(self) -> Qos:
        """The same as rosbag2 keeps it."""
        return Qos(
            QosHistory.KEEP_LAST,
            self.depth,
            QosReliability.RELIABLE if self.reliable else QosReliability.BEST_EFFORT,
            QosDurability.TRANSIENT_LOCAL if self.latched else QosDurability.VOLATILE,
            _FOREVER,
            _FOREVER,
            QosLiveliness.AUTOMATIC,
            _FOREVER,
            False,
        )


class BagWriter:
    """A rosbag2 bag that grows.

    Args:
        path: folder to make; it must not exist.
        about: what was recorded, by whom, with what: kept as MCAP metadata and as custom data of metadata.yaml.

    Raises:
        BagWritingError: the folder exists or cannot be made.
    """

    def __init__(self, path: str | Path, about: Mapping[str, str] | None = None) -> None:
        self.path = Path(path)
        self._writer = (
            Writer(self.path, version=9, storage_plugin=StoragePlugin.MCAP) if not self.path.exists() else None
        )
        if self._writer is None:
            raise BagWritingError(f"{self.path} exists already and is not overwritten: name another folder")
        self._connections: dict[str, Connection] = {}
        self._pending = 0
        self.messages = 0
        """How many were written so far."""
        try:
            self._writer.open()
        except OSError as error:
            raise BagWritingError(f"no recording can be made in {self.path}: {error}") from error
        self.describe(about or {})

    @property
    def _storage(self) -> McapWriter:
        assert self._writer is not None and self._writer.storage is not None
        return cast(McapWriter, self._writer.storage)

    def describe(self, about: Mapping[str, str]) -> None:
        """Add to what the bag says about itself; a later value of a key counts."""
        assert self._writer is not None
        for key, value in about.items():
            self._writer.set_custom_data(key, value)
        if about:
            entries = BytesIO()
            for key, value in about.items():
                write_string(entries, key)
                write_string(entries, value)
            record = BytesIO()
            write_string(record, METADATA_RECORD)
            write_uint32(record, entries.tell())
            record.write(entries.getvalue())
            write_record(self._storage.bio, _MCAP_METADATA, record)

    def add_topic(self, topic: str, message_type: str, quality: Quality) -> None:
        """Add a topic; a topic that is there already stays as it is.

        Raises:
            UnknownTypeError: there is no definition of the type.
        """
        if topic in self._connections:
            return
        assert self._writer is not None
        self._connections[topic] = self._writer.add_connection(
            topic,
            message_type,
            msgdef=message_definition(message_type),
            rihs01=type_hash(message_type),
            offered_qos_profiles=[quality.as_rosbag2()],
        )

    def write(self, topic: str, stamp: int, data: bytes) -> None:
        """Append a message.

        Args:
            topic: one that was added.
            stamp: when it came [ns since the epoch].
            data: the message in CDR, with its header, as it came over the wire.

        Raises:
            OSError: the disk is full, read-only or gone.
        """
        assert self._writer is not None
        self._writer.write(self._connections[topic], stamp, data)
        self.messages += 1
        self._pending += len(data)
        if self._pending >= _CHUNK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand all that was written to the operating system: from here on a killed process does not lose it.

        Raises:
            OSError: the disk is full, read-only or gone.
        """
        if self._pending:
            self._storage.close_chunk()
            self._pending = 0
        self._storage.bio.flush()

    def close(self) -> None:
        """Write index and metadata.yaml, onto the disk itself.

        Raises:
            OSError: the disk is full, read-only or gone. What was flushed before can be read.
        """
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            writer.close()
        except BaseException:
            self._writer = writer
            self.abandon()
            raise
        for path in self.path.iterdir():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def abandon(self) -> None:
        """Let the file be as it is, where it can no longer be written to."""
        writer, self._writer = self._writer, None
        if writer is not None and writer.storage is not None:
            stream = cast(McapWriter, writer.storage).bio
            try:
                stream.close()
            except OSError:
                pass  # Python tries once more to write what is buffered, and closes in any case

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abandon()
