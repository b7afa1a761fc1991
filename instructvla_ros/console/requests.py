# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a page may send: one JSON object a message, checked before anything is done with it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

LONGEST_MESSAGE = 8192
"""Bytes of a message; what is longer ends the connection."""

LONGEST_TEXT = 1000
"""Characters of an instruction or a question."""

STOP_WORDS = ("stop", "halt")
"""An instruction that is nothing but this is a stop."""


class RequestError(ValueError):
    """A message is not what a page sends; says why."""


@dataclass(frozen=True)
class Request:
    """One checked message.

    Attributes:
        name: what is asked for, a key of ``FORMS``.
        values: its fields, each of the kind that ``FORMS`` says.
        number: by which the page knows the answer again; None where it wants none.
    """

    name: str
    values: Mapping[str, object] = field(default_factory=dict)
    number: int | None = None

    def text(self, key: str) -> str:
        """A field that holds text."""
        value = self.values[key]
        assert isinstance(value, str)
        return value

    def count(self, key: str) -> int:
        """A field that holds a whole number."""
        value = self.values[key]
        assert isinstance(value, int)
        return value

    @property
    def share(self) -> float:
        """The field ``share``, 0 to 1."""
        value = self.values["share"]
        assert isinstance(value, float)
        return value

    @property
    def names(self) -> frozenset[str]:
        """The field ``cameras``."""
        value = self.values["cameras"]
        assert isinstance(value, frozenset)
        return value


def clean(text: str) -> str:
    """A text in one line, without characters that cannot be shown, such as those that turn its direction."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise RequestError("needs text")
    if len(value) > LONGEST_TEXT:
        raise RequestError(f"{len(value)} characters are too many, {LONGEST_TEXT} are allowed")
    return clean(value)


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise RequestError("needs a whole number from 0 on")
    return value


def _share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RequestError("needs a number")
    if not (math.isfinite(value) and 0.0 <= value <= 1.0):
        raise RequestError(f"{value} is outside 0 .. 1")
    return float(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise RequestError("needs true or false")
    return value


def _names(value: object) -> frozenset[str]:
    if not isinstance(value, list) or len(value) > 8:
        raise RequestError("needs a list of up to 8 names")
    return frozenset(_text(name) for name in value)


FORMS: dict[str, dict[str, Callable[[object], object]]] = {
    "hello": {"token": _text, "session": _text},
    "seen": {"state": _number},
    "seen_frame": {"camera": _text, "frame": _number},
    "cameras": {"cameras": _names},
    "take": {"over": _flag},
    "hand_over": {},
    "stop": {},
    "reset": {},
    "instruct": {"text": _text},
    "ask": {"text": _text},
    "speed": {"share": _share},
    "act": {"action": _text},
}
"""Every request and its fields."""


def parse(message: str | bytes) -> Request:
    """Check a message.

    Raises:
        RequestError: it is no request; says what is wrong with it.
    """
    if len(message) > LONGEST_MESSAGE:
        raise RequestError(f"{len(message)} bytes are too many")
    try:
        value = json.loads(message)
    except (ValueError, RecursionError):
        raise RequestError("the message is not JSON") from None
    if not isinstance(value, dict):
        raise RequestError("the message is not an object")
    name = value.pop("do", None)
    if not isinstance(name, str) or name not in FORMS:
        raise RequestError(f"unknown request {str(name)[:40]!r}")
    number = value.pop("number", None)
    form = FORMS[name]
    if set(value) != set(form):
        raise RequestError(
            f"{name} has the fields {', '.join(form) or 'none'}, not {', '.join(map(str, value))[:80]!r}"
        )
    try:
        number = None if number is None else _number(number)
        values = {key: check(value[key]) for key, check in form.items()}
    except RequestError as error:
        raise RequestError(f"{name}: {error}") from None
    return Request(name, values, number)


def means_stop(text: str) -> bool:
    """Whether an instruction is nothing but the word stop."""
    return text.lower().strip(" .!") in STOP_WORDS
