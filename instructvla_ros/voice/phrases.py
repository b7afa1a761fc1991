# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Phrases with alternatives, ``(pick up|lift) {it} [please]``: to grammars, to patterns that read, to samples.

The notation is that of JSGF's right-hand sides (JSpeech Grammar Format, W3C note of 2000), with slots in braces.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

_TOKEN = re.compile(r"\s*(?:([()\[\]|])|\{([a-z_]+)\}|([a-z']+))")
MOST_SENTENCES = 100_000  # that a phrase may stand for: more is a mistake


class PhraseError(ValueError):
    """A phrase is not written as it should be; the message says where."""


@dataclass(frozen=True)
class Word:
    """A word, in small letters."""

    text: str


@dataclass(frozen=True)
class Slot:
    """A place for one of several phrases that are given elsewhere."""

    name: str


@dataclass(frozen=True)
class Sequence:
    """Parts one after the other."""

    parts: tuple[Phrase, ...]


@dataclass(frozen=True)
class Choice:
    """One of several; an empty sequence among them makes it optional."""

    options: tuple[Phrase, ...]


Phrase: TypeAlias = "Word | Slot | Sequence | Choice"
NOTHING = Sequence(())


def parse(text: str) -> Phrase:
    """Read a phrase.

    Raises:
        PhraseError: brackets do not match, something is empty, or there are other characters than small letters.
    """
    tokens: list[tuple[str, str]] = []
    position = 0
    stripped = text.rstrip()
    while position < len(stripped):
        match = _TOKEN.match(stripped, position)
        if match is None:
            raise PhraseError(
                f"{text!r}, at {stripped[position:].strip()[:12]!r}: small letters, (a|b), [a] and {{it}} are known"
            )
        kind = "symbol" if match[1] else "slot" if match[2] else "word"
        tokens.append((kind, match[1] or match[2] or match[3]))
        position = match.end()
    phrase, rest = _choice(text, tokens)
    if rest:
        raise PhraseError(f"{text!r}: {rest[0][1]!r} closes nothing")
    return phrase


def _choice(text: str, tokens: list[tuple[str, str]]) -> tuple[Phrase, list[tuple[str, str]]]:
    options = []
    while True:
        parts: list[Phrase] = []
        while tokens and tokens[0] not in (("symbol", "|"), ("symbol", ")"), ("symbol", "]")):
            kind, value = tokens[0]
            tokens = tokens[1:]
            if kind != "symbol":
                parts.append(Word(value) if kind == "word" else Slot(value))
                continue
            closing = {"(": ")", "[": "]"}[value]
            inner, tokens = _choice(text, tokens)
            if not tokens or tokens[0] != ("symbol", closing):
                raise PhraseError(f"{text!r}: {value!r} is not closed")
            tokens = tokens[1:]
            parts.append(inner if value == "(" else Choice((inner, NOTHING)))
        if not parts:
            raise PhraseError(f"{text!r}: nothing stands between two signs, or at all")
        options.append(parts[0] if len(parts) == 1 else Sequence(tuple(parts)))
        if not tokens or tokens[0] != ("symbol", "|"):
            return (options[0] if len(options) == 1 else Choice(tuple(options))), tokens
        tokens = tokens[1:]


def words_of(phrase: Phrase) -> set[str]:
    """All words that occur in a phrase; those of slots not."""
    if isinstance(phrase, Word):
        return {phrase.text}
    if isinstance(phrase, Slot):
        return set()
    parts = phrase.parts if isinstance(phrase, Sequence) else phrase.options
    return set().union(*(words_of(part) for part in parts)) if parts else set()


def slots_of(phrase: Phrase) -> list[str]:
    """Names of the slots in a phrase, in order, each as often as it occurs."""
    if isinstance(phrase, Slot):
        return [phrase.name]
    if isinstance(phrase, Word):
        return []
    parts = phrase.parts if isinstance(phrase, Sequence) else phrase.options
    return [name for part in parts for name in slots_of(part)]


def to_jsgf(phrase: Phrase) -> str:
    """A phrase as JSGF; a slot becomes a reference to the rule of its name."""
    if isinstance(phrase, Word):
        return phrase.text
    if isinstance(phrase, Slot):
        return f"<{phrase.name}>"
    if isinstance(phrase, Sequence):
        return " ".join(to_jsgf(part) for part in phrase.parts) or "<NULL>"
    full = [to_jsgf(option) for option in phrase.options if option != NOTHING]
    joined = " | ".join(full)
    return f"[{joined}]" if NOTHING in phrase.options else f"({joined})"


def to_pattern(phrase: Phrase, fillers: str) -> str:
    """A phrase as a regular expression over words that each end in a space; a slot becomes a named group.

    Args:
        phrase: what to match.
        fillers: a pattern of what may stand in a slot, each word with its space.
    """
    if isinstance(phrase, Word):
        return f"{re.escape(phrase.text)} "
    if isinstance(phrase, Slot):
        return f"(?P<{phrase.name}>{fillers})"
    if isinstance(phrase, Sequence):
        return "".join(to_pattern(part, fillers) for part in phrase.parts)
    return f"(?:{'|'.join(to_pattern(option, fillers) for option in phrase.options)})"


def sentences(phrase: Phrase) -> Iterator[str]:
    """Every sentence of a phrase without slots.

    Raises:
        PhraseError: there is a slot, or there are more than MOST_SENTENCES.
    """
    if slots_of(phrase):
        raise PhraseError(f"{{{slots_of(phrase)[0]}}} stands for nothing here")
    if _count(phrase) > MOST_SENTENCES:
        raise PhraseError(f"it stands for {_count(phrase)} sentences, {MOST_SENTENCES} are allowed")
    yield from (" ".join(words) for words in _expand(phrase))


def _count(phrase: Phrase) -> int:
    if isinstance(phrase, Choice):
        return sum(_count(option) for option in phrase.options)
    count = 1
    if isinstance(phrase, Sequence):
        for part in phrase.parts:
            count *= _count(part)
    return count


def _expand(phrase: Phrase) -> Iterable[tuple[str, ...]]:
    if isinstance(phrase, Word):
        return [(phrase.text,)]
    if isinstance(phrase, Choice):
        return [words for option in phrase.options for words in _expand(option)]
    made: list[tuple[str, ...]] = [()]
    if isinstance(phrase, Sequence):
        for part in phrase.parts:
            tails = list(_expand(part))
            made = [head + tail for head in made for tail in tails]
    return made


def sample(phrase: Phrase, rng: random.Random, slots: Mapping[str, str]) -> str:
    """A sentence of a phrase by chance.

    Args:
        phrase: what to draw from.
        rng: source of chance.
        slots: what stands in each slot.
    """
    if isinstance(phrase, Word):
        return phrase.text
    if isinstance(phrase, Slot):
        return slots[phrase.name]
    if isinstance(phrase, Sequence):
        return " ".join(filter(None, (sample(part, rng, slots) for part in phrase.parts)))
    return sample(rng.choice(phrase.options), rng, slots)
