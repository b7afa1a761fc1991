# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What may be said to a robot: things, commands and the words about them, from a YAML file in config/voice/."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from instructvla_ros.checked_yaml import CheckedMapping
from instructvla_ros.shared_files import yaml_path
from instructvla_ros.voice.phrases import (
    Phrase,
    PhraseError,
    Sequence,
    Slot,
    parse,
    sample,
    sentences,
    slots_of,
    to_jsgf,
    to_pattern,
    words_of,
)

VOICE_FOLDER = "config/voice"
KEYS = (
    *("things", "commands", "before", "after", "wake", "confirm", "cancel", "stop"),
    *("decoys", "decoy_things", "pronunciations"),
)
IT, OTHER = "it", "other"
COMMAND_WEIGHT, DECOY_WEIGHT = 0.95, 0.05
ARTICLES = ("the", "a", "an")


@dataclass(frozen=True)
class Meaning:
    """What a sentence of the vocabulary means.

    Attributes:
        kind: ``command``, ``wake`` (called, and nothing else), ``confirm``, ``cancel`` or ``stop``.
        called: whether the sentence begins with the wake phrase.
        instruction: of a command: its words without wake phrase and courtesies.
        task: of a command: its name in the vocabulary.
        things: of a command: the things that it names, in the order it, other.
    """

    kind: str
    called: bool = False
    instruction: str = ""
    task: str = ""
    things: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vocabulary:
    """All that is understood, and what sounds like it and is not meant.

    Attributes:
        things: names of things, without article.
        thing_phrases: the same as phrases, from which a smaller grammar can be made.
        commands: pairs of a command's name and its phrase with the slots ``{it}`` and ``{other}``.
        before, after: courtesies around a command.
        before_phrases: those before it as phrases.
        wake: what the robot is called by.
        confirm, cancel: what answers the robot's question.
        stop: what stops the arm.
        decoys: how sentences go on or begin that are no commands; a grammar without them would make commands of these.
        decoy_things: things that are not there, for the place of a thing in a command.
        pronunciations: pairs of a word and its phones, in the symbols of the CMU dictionary, beside those known.
    """

    things: tuple[str, ...]
    thing_phrases: tuple[Phrase, ...]
    commands: tuple[tuple[str, Phrase], ...]
    before: tuple[str, ...]
    before_phrases: tuple[Phrase, ...]
    after: tuple[str, ...]
    wake: tuple[str, ...]
    confirm: tuple[str, ...]
    cancel: tuple[str, ...]
    stop: tuple[str, ...]
    decoys: tuple[Phrase, ...]
    decoy_things: tuple[str, ...]
    pronunciations: tuple[tuple[str, str], ...]

    @classmethod
    def load(cls, name_or_path: str | Path) -> Vocabulary:
        """Read a vocabulary.

        Args:
            name_or_path: a name in config/voice/, or the path of a YAML file.

        Raises:
            YamlError: the file does not say what it should.
            UnknownNameError: no vocabulary has this name.
        """
        file = CheckedMapping.from_file(yaml_path(VOICE_FOLDER, "vocabulary", name_or_path), KEYS)

        def expanded(key: str) -> tuple[str, ...]:
            try:
                return tuple(dict.fromkeys(text for line in file.names(key) for text in sentences(parse(line))))
            except PhraseError as error:
                raise file.refuse(key, str(error)) from error

        def phrases(key: str) -> tuple[Phrase, ...]:
            expanded(key)  # for its checks
            return tuple(parse(line) for line in file.names(key))

        commands: list[tuple[str, Phrase]] = []
        by_name = file.mapping("commands", None)
        for name in by_name.keys:
            for line in by_name.names(name):
                try:
                    phrase = parse(line)
                except PhraseError as error:
                    raise by_name.refuse(name, str(error)) from error
                if sorted(slots_of(phrase)) not in ([IT], [IT, OTHER]):
                    raise by_name.refuse(name, f"{line!r} must name {{it}} once, and {{other}} once at most")
                commands.append((name, phrase))
        spoken = file.mapping("pronunciations", None)
        pronunciations = tuple((word, phones) for word in spoken.keys for phones in spoken.names(word))
        return cls(
            things=expanded("things"),
            thing_phrases=phrases("things"),
            commands=tuple(commands),
            before=expanded("before"),
            before_phrases=phrases("before"),
            after=expanded("after"),
            wake=expanded("wake"),
            confirm=expanded("confirm"),
            cancel=expanded("cancel"),
            stop=expanded("stop"),
            decoys=phrases("decoys"),
            decoy_things=expanded("decoy_things"),
            pronunciations=pronunciations,
        )

    def only(self, things: Iterable[str]) -> Vocabulary:
        """The same with fewer things: those that lie before the robot.

        Raises:
            ValueError: a thing is not in the vocabulary, or none is given.
        """
        wanted = tuple(dict.fromkeys(" ".join(thing.lower().split()) for thing in things))
        strange = [thing for thing in wanted if thing not in self.things]
        if strange or not wanted:
            raise ValueError(
                f"things: {', '.join(strange) or 'none given'}; the vocabulary knows {', '.join(self.things)}"
            )
        return replace(self, things=wanted, thing_phrases=tuple(parse(thing) for thing in wanted))

    @property
    def words(self) -> set[str]:
        """Every word of the vocabulary, decoys included."""
        courtesies = (self.before, self.after, self.wake)
        lists = (self.things, *courtesies, self.confirm, self.cancel, self.stop, self.decoy_things)
        found = {word for group in lists for text in group for word in text.split()}
        phrases = (*self.decoys, *(phrase for _, phrase in self.commands))
        return found.union(ARTICLES[:1], *(words_of(phrase) for phrase in phrases))

    def jsgf(self) -> str:
        """A grammar of everything that may be said, decoys included, in JSGF."""

        def rule(texts: Iterable[str | Phrase]) -> str:
            return " | ".join(text if isinstance(text, str) else to_jsgf(text) for text in texts)

        return (
            "#JSGF V1.0;\n"
            "grammar robot;\n"
            f"<{IT}> = the <thing>;\n<{OTHER}> = the <thing>;\n"
            f"<thing> = /{COMMAND_WEIGHT}/ ({rule(self.thing_phrases)})"
            f" | /{DECOY_WEIGHT}/ ({rule(self.decoy_things)});\n"
            f"<before> = /{COMMAND_WEIGHT}/ ({rule(self.before_phrases)}) | /{DECOY_WEIGHT}/ ({rule(self.decoys)});\n"
            f"<after> = {rule(self.after)};\n<wake> = {rule(self.wake)};\n"
            f"<command> = {rule(merged(phrase for _, phrase in self.commands))};\n"
            f"<answer> = {rule((*self.confirm, *self.cancel))};\n"
            f"<once> = {rule(self.stop)};\n<stop> = <once> [<once>];\n"
            "<said> = [<before>] <command> [<after>];\n"
            "public <sentence> = [<wake>] (<said> | <stop>) | <wake> | <answer>;\n"
        )

    def stop_jsgf(self) -> str:
        """A grammar of stops alone, in JSGF."""
        once = " | ".join(self.stop)
        return f"#JSGF V1.0;\ngrammar stop;\n<once> = {once};\npublic <stop> = <once> [<once>];\n"

    def meaning(self, text: str) -> Meaning | None:
        """What a sentence means.

        Args:
            text: words in small letters.

        Returns:
            None if it is no sentence of this vocabulary, or a decoy makes it another one.
        """
        words = " ".join(re.sub(r"[^a-z' ]", " ", text.lower()).split())
        called = False
        for name in sorted(self.wake, key=len, reverse=True):
            if words == name or words.startswith(f"{name} "):
                words, called = words[len(name) :].strip(), True
                break
        if not words:
            return Meaning("wake", called) if called else None
        if self._is_stop(words):
            return Meaning("stop", called)
        if words in self.confirm:
            return Meaning("confirm", called)
        if words in self.cancel:
            return Meaning("cancel", called)
        plain = _without(_without(words, self.before, front=True), self.after, front=False)
        fillers = f"(?:(?:{'|'.join(ARTICLES)}) )?(?:{'|'.join(self.things)}) "
        for task, phrase in self.commands:
            match = re.fullmatch(to_pattern(phrase, fillers), f"{plain} ")
            if match is None:
                continue
            named = [match[slot].split() for slot in (IT, OTHER) if slot in match.groupdict()]
            things = tuple(" ".join(words[words[0] in ARTICLES :]) for words in named)
            if len(things) == len(set(things)):
                return Meaning("command", called, plain, task, things)
        return None

    def sample(self, rng: random.Random) -> tuple[str, Meaning]:
        """A command by chance, with what it means."""
        task, phrase = rng.choice(self.commands)
        things = tuple(rng.sample(self.things, len(slots_of(phrase))))
        slots = {slot: f"the {thing}" for slot, thing in zip((IT, OTHER), things, strict=False)}
        parts = (rng.choice(("", "", *self.before)), sample(phrase, rng, slots), rng.choice(("", "", *self.after)))
        return " ".join(filter(None, parts)), Meaning("command", False, parts[1], task, things)

    def _is_stop(self, words: str) -> bool:
        """Whether the words are nothing but stops."""
        rest = words
        while rest:
            fitting = [text for text in self.stop if rest == text or rest.startswith(f"{text} ")]
            if not fitting:
                return False
            rest = rest[len(max(fitting, key=len)) :].strip()
        return True


def merged(commands: Iterable[Phrase]) -> list[str]:
    """Commands as JSGF, with as few copies of ``<it>`` as possible: each is a search of its own for the decoder.

    Commands that go on alike after ``{it}`` share it, and so do those that begin alike.
    """
    by_rest: dict[str, list[str]] = {}
    whole = []
    for phrase in commands:
        parts = phrase.parts if isinstance(phrase, Sequence) else (phrase,)
        if Slot(IT) not in parts:
            whole.append(to_jsgf(phrase))
            continue
        where = parts.index(Slot(IT))
        beginning, rest = (" ".join(to_jsgf(part) for part in side) for side in (parts[:where], parts[where + 1 :]))
        by_rest.setdefault(rest, []).append(beginning)
    by_beginning: dict[str, list[str]] = {}
    for rest, beginnings in by_rest.items():
        by_beginning.setdefault(" | ".join(beginnings), []).append(rest)
    for beginning, rests in by_beginning.items():
        some = " | ".join(rest for rest in rests if rest)
        ending = f"[{some}]" if some and "" in rests else _group(some)
        whole.append(f"{_group(beginning)} <{IT}> {ending}".strip())
    return whole


def _group(text: str) -> str:
    return f"({text})" if text else ""


def _without(words: str, courtesies: tuple[str, ...], *, front: bool) -> str:
    """Words without a courtesy at their front or end; at the end as often as there is one."""
    for courtesy in sorted(courtesies, key=len, reverse=True):
        if front and words.startswith(f"{courtesy} "):
            return words[len(courtesy) :].strip()
        if not front and words.endswith(f" {courtesy}"):
            return words[: -len(courtesy)].strip()
    return words
