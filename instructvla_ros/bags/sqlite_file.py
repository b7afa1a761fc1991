# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A ``.db3`` file, as rosbag2 wrote them by default before Jazzy's MCAP."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

import apsw
from rosbags.interfaces import MessageDefinition

from instructvla_ros.bags.findings import Findings, Trouble
from instructvla_ros.bags.storage import DEFINITION_FORMATS, NO_DEFINITION, Row, StoredTopic, quality_of, widened

_FIRST, _LAST = -(2**63), 2**63 - 1  # of SQLite's integers
_TIMES = "SELECT topic_id, MIN(timestamp), MAX(timestamp), COUNT(*) FROM messages GROUP BY topic_id"


class SqliteFile:
    """A file of the rosbag2 storage plugin ``sqlite3``, of any version of its tables.

    Args:
        path: of the file.
        findings: where to tell what is wrong.
    """

    def __init__(self, path: Path, findings: Findings) -> None:
        self.path = path
        self.topics: list[StoredTopic] = []
        self.span: tuple[int, int] | None = None
        self._findings = findings
        self._topics: dict[int, StoredTopic] = {}
        self._database = _opened(path)
        self._broken = False
        try:
            self._read_topics()
        except (apsw.Error, ValueError, TypeError) as error:
            text = f"{path} cannot be read, it has no list of topics: {error}"
            findings.add(Trouble.UNREADABLE, text, detail=str(path))
            return
        try:
            self._read_times()
            # the rows' data are not looked at by this: whether they are there shows when they are read
            page, pages = _pages(path)
            self._broken = page * pages > path.stat().st_size
        except (apsw.Error, ValueError, TypeError):
            self._broken = True
        if self._broken:
            self._count()

    def rows(self, wanted: Collection[str] | None, start: int | None, stop: int | None) -> Iterator[Row]:
        """Messages in the order of their times; of a file that is damaged, as they stand in it."""
        topics = {n: topic for n, topic in self._topics.items() if wanted is None or topic.name in wanted}
        # the index of a damaged file may be damaged too
        table, order = ("messages NOT INDEXED", "rowid") if self._broken else ("messages", "timestamp")
        last: tuple[int, str] | None = None
        try:
            for place, number, stamp, data in self._database.execute(
                f"SELECT rowid, topic_id, timestamp, data FROM {table} WHERE timestamp >= ? AND timestamp < ? "
                f"AND topic_id IN ({', '.join(map(str, topics))}) ORDER BY {order}",
                (_FIRST if start is None else start, _LAST if stop is None else stop),
            ):
                if not (isinstance(stamp, int) and isinstance(data, bytes)):
                    text = f"a message of {topics[number].name} in {self.path} is damaged and left out: row {place}"
                    self._findings.add(Trouble.DAMAGED, text, topics[number].name, detail=str(self.path))
                    continue
                last = (stamp, topics[number].name)
                yield Row(stamp, place, topics[number], data)
        except (apsw.Error, ValueError) as error:  # the latter where text is not UTF-8
            self._findings.add_cut(str(self.path), error, last)

    def close(self) -> None:
        """Let the file go."""
        self._database.close()

    def _read_topics(self) -> None:
        definitions: dict[str, MessageDefinition] = {}
        if self._columns("message_definitions"):
            for name, encoding, text in self._database.execute(
                "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
            ):
                if encoding in DEFINITION_FORMATS and text:
                    definitions[name] = MessageDefinition(DEFINITION_FORMATS[encoding], text)
        profiles = "offered_qos_profiles" if "offered_qos_profiles" in self._columns("topics") else "''"
        for number, name, kind, encoding, quality in self._database.execute(
            f"SELECT id, name, type, serialization_format, {profiles} FROM topics ORDER BY id"
        ):
            if encoding != "cdr":
                text = f"{name} in {self.path} is encoded as {encoding!r}, not as CDR: it is left out"
                self._findings.add(Trouble.UNKNOWN_TYPE, text, name)
                continue
            definition = definitions.get(kind, NO_DEFINITION)
            self._topics[number] = StoredTopic(name, kind, encoding, definition, quality_of(quality))
        self.topics = list(self._topics.values())

    def _columns(self, table: str) -> list[str]:
        return [row[1] for row in self._database.execute(f"PRAGMA table_info({table})")]

    def _read_times(self) -> None:
        for number, first, last, count in self._database.execute(_TIMES):
            if number in self._topics:
                self._topics[number].count = count
                self.span = widened(self.span, first, last)

    def _count(self) -> None:
        """Count what can be read of a damaged file."""
        for topic in self.topics:
            topic.count = 0
        self.span = None
        last: tuple[int, str] | None = None
        for row in self.rows(None, None, None):
            row.topic.count += 1
            self.span = widened(self.span, row.stamp, row.stamp)
            last = (row.stamp, row.topic.name)
        self._findings.add_cut(str(self.path), "it ends in the middle", last)


class _WholePages(apsw.VFS):
    """Files that end with their last whole page: what is missing of a page, SQLite would take for zeros."""

    def __init__(self, page: int) -> None:
        self._page = page
        self.name = f"whole_pages_{page}"
        super().__init__(self.name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        """Open a file, the database itself with its pages."""
        if not flags[0] & apsw.SQLITE_OPEN_MAIN_DB:
            return super().xOpen(name, flags)
        page = self._page

        class File(apsw.VFSFile):
            def xFileSize(self) -> int:  # noqa: N802
                return int(super().xFileSize()) // page * page

        return File("", name, flags)


_whole_pages = cache(_WholePages)  # connections need it as long as they live


def _pages(path: Path) -> tuple[int, int]:
    """Size of a page [bytes] and number of pages, as the file says: https://www.sqlite.org/fileformat.html#page_size."""
    with path.open("rb") as stream:
        header = stream.read(100)
    page = int.from_bytes(header[16:18], "big")
    return 65536 if page == 1 else page, int.from_bytes(header[28:32], "big")


def _opened(path: Path) -> apsw.Connection:
    """Open without writing; with what a recorder left in its journal, where that can be read."""
    page, _ = _pages(path)
    files = _whole_pages(page).name if page and path.stat().st_size % page else None
    last: apsw.Error | None = None
    for options in ("mode=ro", "mode=ro&immutable=1"):
        database = None
        try:
            database = apsw.Connection(
                f"{path.resolve().as_uri()}?{options}",
                flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
                vfs=files,
            )
            # without it SQLite refuses a file that is shorter than it says itself
            database.execute("PRAGMA writable_schema=ON")
            database.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
            return database
        except apsw.Error as error:
            last = error
            if database is not None:
                database.close()
    raise OSError(f"{path} is no readable SQLite file: {last}")
