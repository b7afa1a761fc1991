# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The files of a bag and what metadata.yaml says about them."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import yaml
import zstandard

from instructvla_ros.bags.findings import Findings, Trouble, said
from instructvla_ros.bags.mcap_file import McapFile
from instructvla_ros.bags.mcap_records import RECORD_BYTES
from instructvla_ros.bags.sqlite_file import SqliteFile
from instructvla_ros.bags.storage import Row, StoredFile
from instructvla_ros.bags.writing import METADATA_RECORD

_COMPRESSED = (".zstd", ".zst")


class BagFolder:
    """Opens the files of a bag.

    Args:
        path: a folder, or one ``.mcap`` or ``.db3`` file.
        findings: where to tell what is wrong.

    Raises:
        OSError: there is no bag, or it cannot be opened.
    """

    def __init__(self, path: Path, findings: Findings) -> None:
        self._findings = findings
        self._unpacked: tempfile.TemporaryDirectory[str] | None = None
        self.files: list[StoredFile] = []
        self._metadata: dict[str, Any] = {}
        if not path.exists():
            raise FileNotFoundError("there is nothing at this path")
        if path.is_dir():
            self._metadata = self._read_metadata(path)
            paths = self._listed(path)
        else:
            paths = [path]
        if not paths:
            raise FileNotFoundError("the folder has no .mcap and no .db3 file")
        try:
            for file in paths:
                self._open(file)
        except BaseException:
            self.close()
            raise

    def about(self) -> dict[str, str]:
        """What the bag says about itself."""
        told = self._metadata.get("custom_data")
        if isinstance(told, dict) and told:
            return {str(key): str(value) for key, value in told.items()}
        about: dict[str, str] = {}
        for file in self.files:
            if isinstance(file, McapFile):
                if METADATA_RECORD not in file.about:
                    file.read_about()
                about |= file.about.get(METADATA_RECORD, {})
        return about

    def close(self) -> None:
        """Let the files go."""
        for file in self.files:
            file.close()
        if self._unpacked is not None:
            self._unpacked.cleanup()

    def _read_metadata(self, path: Path) -> dict[str, Any]:
        file = path / "metadata.yaml"
        try:
            told = yaml.safe_load(file.read_text(encoding="utf-8"))["rosbag2_bagfile_information"]
            if isinstance(told, dict):
                return told
            why = "it is no metadata of rosbag2"
        except FileNotFoundError:
            why = "it is not there"
        except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
            why = f"it cannot be read ({type(error).__name__})"
        text = f"{file}: {why}; the bag's files are read without it, and `ros2 bag reindex {path}` makes it anew"
        self._findings.add(Trouble.NO_METADATA, text)
        return {}

    def _listed(self, path: Path) -> list[Path]:
        """The files that metadata.yaml names and that are there; all that are there where it names none of them."""
        found = sorted((file for file in path.iterdir() if _is_stored(file)), key=_numbered)
        names = self._metadata.get("relative_file_paths")
        names = [Path(str(name)).name for name in names] if isinstance(names, list) else []
        for name in names:
            if not (path / name).exists():
                text = f"{path / name} is named in metadata.yaml and is not there: its messages are missing"
                self._findings.add(Trouble.MISSING_FILE, text, detail=name)
        return [path / name for name in names if (path / name).exists()] or found

    def _open(self, path: Path) -> None:
        if not _is_stored(path):
            raise OSError(f"{path.name} is neither an .mcap nor a .db3 file")
        if not path.stat().st_size:
            self._findings.add(Trouble.EMPTY, f"{path} has no bytes: nothing was recorded in it", detail=str(path))
            return
        if path.suffix in _COMPRESSED:
            path = self._decompressed(path)
        try:
            file: StoredFile = (McapFile if path.suffix == ".mcap" else SqliteFile)(path, self._findings)
        except PermissionError:
            raise
        except OSError as error:
            self._findings.add(Trouble.UNREADABLE, str(error), detail=str(path))
            return
        compressed = str(self._metadata.get("compression_mode") or "").lower() == "message"
        self.files.append(_CompressedMessages(file, self._findings) if compressed else file)

    def _decompressed(self, path: Path) -> Path:
        """Decompress a whole file beside others in the temporary folder; one that was cut: as far as it goes."""
        if self._unpacked is None:
            self._unpacked = tempfile.TemporaryDirectory(prefix="bag_")
        target = Path(self._unpacked.name, path.stem)
        with path.open("rb") as source, target.open("wb") as sink:
            try:
                zstandard.ZstdDecompressor().copy_stream(source, sink)
            except zstandard.ZstdError as error:
                text = f"{path} cannot be decompressed to its end: {error}"
                self._findings.add(Trouble.CUT, text, detail=path.name)
        return target


class _CompressedMessages:
    """A file of which each message is compressed by itself."""

    def __init__(self, file: StoredFile, findings: Findings) -> None:
        self._file, self._findings = file, findings
        self.topics, self.span = file.topics, file.span

    def rows(self, wanted: Collection[str] | None, start: int | None, stop: int | None) -> Iterator[Row]:
        decompressor = zstandard.ZstdDecompressor()
        for row in self._file.rows(wanted, start, stop):
            try:
                if zstandard.frame_content_size(row.data) > RECORD_BYTES:
                    raise zstandard.ZstdError("it claims to be longer than any message")
                data = decompressor.decompressobj().decompress(row.data)
            except zstandard.ZstdError as error:
                name = row.topic.name
                text = f"{name} at {said(row.stamp)} cannot be decompressed and is left out: {error}"
                self._findings.add(Trouble.DAMAGED, text, name, row.stamp)
                continue
            yield row._replace(data=data)

    def close(self) -> None:
        self._file.close()


def _is_stored(path: Path) -> bool:
    return (Path(path.stem).suffix if path.suffix in _COMPRESSED else path.suffix) in (".mcap", ".db3")


def _numbered(path: Path) -> list[tuple[int, str]]:
    """So that bag_10 comes after bag_9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]
