# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of JSON files, checked as they are read: whatever is wrong with one is told with its file and key."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class CheckpointError(RuntimeError):
    """A run folder, base folder or checkpoint cannot be used; the message names the file or the key."""


@dataclass(frozen=True)
class Settings:
    """An object of a JSON file, the outermost or one inside.

    Attributes:
        file: where it stands.
        content: what it holds.
        prefix: the keys that lead to it, each with a dot behind; empty for the outermost object.
    """

    file: Path
    content: Mapping[str, Any]
    prefix: str = ""

    @classmethod
    def read(cls, file: Path) -> "Settings":
        """Read a file; raises as `read_json` does."""
        return cls(file, read_json(file))

    def part(self, key: str) -> "Settings":
        """The object under a key, an empty one where nothing or null is there.

        Raises:
            CheckpointError: if something else is there.
        """
        part = self.content.get(key)
        if part is not None and not isinstance(part, Mapping):
            raise self.error(key, f"must be a JSON object, not {part!r}")
        return Settings(self.file, part or {}, f"{self.prefix}{key}.")

    def integer(self, key: str, default: int | None = None) -> int:
        """A whole number of at least 1.

        Args:
            key: where it stands.
            default: what a missing key means; None if the key must be there.

        Raises:
            CheckpointError: if it is missing without a default, or something else.
        """
        if key not in self.content:
            if default is None:
                raise CheckpointError(f"{self.file} lacks {self.prefix}{key}")
            return default
        value = self.content[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1 or value < 1:
            raise self.error(key, f"must be a whole number of at least 1, not {value!r}")
        return int(value)

    def optional_integer(self, key: str) -> int | None:
        """A whole number of at least 1, None where nothing or null is there; raises as `integer` does."""
        return None if self.content.get(key) is None else self.integer(key)

    def number(self, key: str, default: float) -> float:
        """A positive number.

        Args:
            key: where it stands.
            default: what a missing key means.

        Raises:
            CheckpointError: if something else is there.
        """
        value = self.content.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise self.error(key, f"must be a positive number, not {value!r}")
        return float(value)

    def boolean(self, key: str, default: bool) -> bool:
        """True or false.

        Args:
            key: where it stands.
            default: what a missing key means.

        Raises:
            CheckpointError: if something else is there.
        """
        value = self.content.get(key, default)
        if not isinstance(value, bool):
            raise self.error(key, f"must be true or false, not {value!r}")
        return value

    def choice(self, key: str, default: str, known: tuple[str, ...]) -> str:
        """One of the known words.

        Args:
            key: where it stands.
            default: what a missing key means.
            known: what it may be.

        Raises:
            CheckpointError: if something else is there.
        """
        value = self.content.get(key, default)
        if value not in known:
            raise CheckpointError(f"{self.file}: {self.prefix}{key} is {value!r}; known are {', '.join(known)}")
        return value

    def agree(self, key: str, found: int) -> None:
        """Hold a whole number, if it is given, against what the checkpoint has.

        Raises:
            CheckpointError: if they differ, or it is no whole number.
        """
        value = self.optional_integer(key)
        if value is not None and value != found:
            raise CheckpointError(
                f"{self.file}: {self.prefix}{key} = {value}, the checkpoint has {found}: "
                "they do not belong together, or the checkpoint is incomplete"
            )

    def error(self, key: str, what: str) -> CheckpointError:
        """An error that names the file and the key before it says what is wrong."""
        return CheckpointError(f"{self.file}: {self.prefix}{key} {what}")


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        CheckpointError: if the file is missing, is no JSON, or holds something other than an object.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{file} is missing") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{file} must hold a JSON object, not a {type(content).__name__}")
    return content
