# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""YAML read with a schema in hand: every error names the file, the line, the key and what is allowed."""

import difflib
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeGuard

import yaml


class YamlError(ValueError):
    """A YAML file that does not say what it should; the message names file and line."""


class CheckedMapping:
    """One mapping of a YAML file, read key by key.

    Args:
        path: the file, for messages.
        node: the mapping's node.
        keys: the keys it must have; None where any will do.
        name: what the mapping is called in messages; empty for the whole file.
        optional: keys that it may have beside these.

    Raises:
        YamlError: if the node is no mapping, or a key is unknown, missing or given twice.
    """

    def __init__(
        self, path: Path, node: yaml.Node, keys: Iterable[str] | None, name: str = "", optional: Iterable[str] = ()
    ) -> None:
        self._path = path
        self._node = node
        self._name = name
        self._values: dict[str, yaml.Node] = {}
        required = None if keys is None else list(keys)
        known = None if required is None else [*required, *optional]
        if not isinstance(node, yaml.MappingNode):
            wanted = "of keys to values" if known is None else f"with the keys {_listed(known)}"
            raise self._error(node, f"{name or 'the file'} must be a mapping {wanted}")
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error(key_node, f"a key of {name or 'the file'} is not a word")
            key = key_node.value
            if known is not None and key not in known:
                hint = _closest(key, known)
                raise self._error(key_node, f"unknown key {self._full(key)!r}{hint}; known: {_listed(known)}")
            if key in self._values:
                raise self._error(key_node, f"key {self._full(key)!r} is given twice")
            self._values[key] = value_node
        missing = [key for key in required or [] if key not in self._values]
        if missing:
            raise self._error(node, f"missing {_listed(self._full(key) for key in missing)}")

    @classmethod
    def from_file(cls, path: Path, keys: Iterable[str], optional: Iterable[str] = ()) -> "CheckedMapping":
        """Reads a file whose top level is a mapping with these keys, and perhaps the optional ones.

        Raises:
            YamlError: if the file cannot be read, is not YAML, or has other keys.
        """
        try:
            node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except (OSError, UnicodeDecodeError) as error:
            raise YamlError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
        except yaml.MarkedYAMLError as error:
            line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
            raise YamlError(f"{path}{line}: not valid YAML: {error.problem}") from error
        except yaml.YAMLError as error:
            raise YamlError(f"{path}: not valid YAML: {error}") from error
        if node is None:
            raise YamlError(f"{path}: the file is empty; it must have the keys {_listed(keys)}")
        return cls(path, node, keys, optional=optional)

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys, in the order of the file."""
        return tuple(self._values)

    def text(self, key: str) -> str:
        """A non-empty string."""
        value = self._value(key)
        if not isinstance(value, str) or not value.strip():
            raise self._wrong(key, "a non-empty string (in quotes if it looks like a number)")
        return value

    def text_or_empty(self, key: str) -> str:
        """A string, which may be empty."""
        value = self._value(key)
        if not isinstance(value, str):
            raise self._wrong(key, "a string (in quotes if it looks like a number)")
        return value

    def choice(self, key: str, choices: Iterable[str]) -> str:
        """One of several words, as written: YAML's habit of reading on and off as true and false does not apply."""
        choices = list(choices)
        node = self._values[key]
        if not isinstance(node, yaml.ScalarNode) or node.value not in choices:
            raise self._wrong(key, f"one of {_listed(choices)}")
        return node.value

    def number(self, key: str, lowest: float, highest: float, unit: str = "") -> float:
        """A number between two bounds, both allowed."""
        value = self._value(key)
        if not _is_number(value) or not lowest <= value <= highest:
            raise self._wrong(key, f"a number{_range(lowest, highest)}{unit and f' [{unit}]'}")
        return float(value)

    def pair(self, key: str, lowest: float, highest: float) -> tuple[float, float]:
        """Two numbers between two bounds, both allowed."""
        first, second = self._numbers(key, 2, "two", lowest, highest)
        return first, second

    def triple(self, key: str, lowest: float, highest: float) -> tuple[float, float, float]:
        """Three numbers between two bounds, both allowed."""
        first, second, third = self._numbers(key, 3, "three", lowest, highest)
        return first, second, third

    def quadruple(self, key: str, lowest: float, highest: float) -> tuple[float, float, float, float]:
        """Four numbers between two bounds, both allowed."""
        first, second, third, fourth = self._numbers(key, 4, "four", lowest, highest)
        return first, second, third, fourth

    def integer(self, key: str, lowest: int, highest: int) -> int:
        """A whole number between two bounds, both allowed."""
        value = self._value(key)
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise self._wrong(key, f"a whole number from {lowest} to {highest}")
        return value

    def boolean(self, key: str) -> bool:
        """True or false."""
        value = self._value(key)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def names(self, key: str) -> tuple[str, ...]:
        """A list of distinct non-empty strings, at least one."""
        value = self._value(key)
        if not isinstance(value, list) or not value or any(not isinstance(item, str) or not item for item in value):
            raise self._wrong(key, "a list of names, at least one")
        if len(set(value)) != len(value):
            raise self._wrong(key, "a list of names that all differ")
        return tuple(value)

    def name_pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """A list of pairs of names, ``[a, b]`` each; it may be empty."""
        value = self._value(key)
        pairs = []
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, list) or len(item) != 2 or any(not isinstance(one, str) or not one for one in item):
                raise self._wrong(key, "a list of pairs of names, [a, b] each; [] for none")
            pairs.append((item[0], item[1]))
        return tuple(pairs)

    def mappings(self, key: str, keys: Iterable[str]) -> list["CheckedMapping"]:
        """A list of mappings with exactly these keys each; it may be empty."""
        node, keys = self._values[key], list(keys)
        if not isinstance(node, yaml.SequenceNode):
            raise self._wrong(key, f"a list of mappings with the keys {_listed(keys)}; [] for none")
        return [
            CheckedMapping(self._path, item, keys, f"{self._full(key)}[{index}]")
            for index, item in enumerate(node.value)
        ]

    def mapping(self, key: str, keys: Iterable[str] | None, optional: Iterable[str] = ()) -> "CheckedMapping":
        """A nested mapping with these keys and perhaps the optional ones, or with any for None."""
        return CheckedMapping(self._path, self._values[key], keys, self._full(key), optional)

    def tagged_mapping(self, key: str, tag: str, variants: dict[str, Sequence[str]]) -> tuple[str, "CheckedMapping"]:
        """A nested mapping of which one key says what the others are.

        Args:
            key: key of the nested mapping.
            tag: the key in it that names the variant.
            variants: for each variant, the keys it must have beside the tag.

        Returns:
            The variant's name and the mapping.
        """
        node = self._values[key]
        value_node = None
        if isinstance(node, yaml.MappingNode):
            value_node = next((value for name, value in node.value if name.value == tag), None)
        if value_node is None or value_node.value not in variants:
            raise self._error(
                value_node or node, f"{self._full(key)!r} must be a mapping with {tag}: one of {_listed(variants)}"
            )
        variant = value_node.value
        return variant, self.mapping(key, [tag, *variants[variant]])

    def refuse(self, key: str, why: str) -> YamlError:
        """An error about a key's value, for checks that span several keys; to be raised by the caller."""
        return self._error(self._values[key], f"{self._full(key)!r}: {why}")

    def _value(self, key: str) -> object:
        node = self._values[key]
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError) as error:
            why = getattr(error, "problem", None) or error
            raise self._error(node, f"{self._full(key)!r} cannot be read: {why}") from error
        finally:
            loader.dispose()

    def _numbers(self, key: str, count: int, word: str, lowest: float, highest: float) -> list[float]:
        value = self._value(key)
        items = value if isinstance(value, list) else []
        if len(items) != count or not all(_is_number(item) and lowest <= item <= highest for item in items):
            raise self._wrong(key, f"{word} numbers in brackets{_range(lowest, highest)}")
        return [float(item) for item in items]

    def _wrong(self, key: str, allowed: str) -> YamlError:
        return self._error(self._values[key], f"{self._full(key)!r} must be {allowed}, got {self._value(key)!r}")

    def _error(self, node: yaml.Node, message: str) -> YamlError:
        return YamlError(f"{self._path}, line {node.start_mark.line + 1}: {message}")

    def _full(self, key: str) -> str:
        return f"{self._name}.{key}" if self._name else key


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _range(lowest: float, highest: float) -> str:
    return "" if highest >= sys.float_info.max else f" from {lowest:g} to {highest:g}"


def _closest(key: str, keys: list[str]) -> str:
    matches = difflib.get_close_matches(key, keys, n=1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""
