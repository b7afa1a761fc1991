# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Commands in many words, and the reasoning that belongs to them.

A command is put together from parts: a deed, the name of a thing, a beginning, an ending. Names use a colour, a shape
or both, whatever tells the thing apart. Words and parts of the ``command`` tier are for training, those of the
``language`` tier for tests.
"""

import string
from dataclasses import dataclass
from random import Random

from instructvla_ros.held_out_pairs import without_held_out
from instructvla_ros.training.language.facts import Facts
from instructvla_ros.training.language.words import (
    ABSENT_THINGS,
    AFTER,
    ANY_THING,
    BEFORE,
    CLAUSES,
    COLORS,
    COMMAND,
    CONCEPTS,
    LANGUAGE,
    LIKENESSES,
    PAIRS,
    PICK_UP,
    PLACES_ON,
    PLAIN_VERBS,
    PUSH_LEFT,
    PUSH_RIGHT,
    PUT_NEXT_TO,
    SHAPES,
    SITUATIONS,
    TASKS,
    VERBS,
    Words,
)

ATOMIC, AGGREGATION, SITUATED, ABSENT = "atomic", "aggregation", "situated", "absent"
SPLITS = (ATOMIC, AGGREGATION, SITUATED)
_SIDES = {PUSH_LEFT: "left", PUSH_RIGHT: "right"}
_UNKNOWN_NAMES = 0.3  # share of training's absent things with a noun whose noun is no word at all
_APART = 0.6  # share of training's absent things with a colour and a shape that are both there, but not together


@dataclass(frozen=True)
class Intent:
    """What is to be done.

    Attributes:
        task: one of ``TASKS``.
        target: index of the thing; None for one that is not there.
        other: index of the thing beside it, for ``PUT_NEXT_TO``.
    """

    task: str
    target: int | None
    other: int | None = None


@dataclass(frozen=True)
class Command:
    """An instruction and what it means.

    Attributes:
        text: what a person says.
        intent: what is to be done.
        split: ``atomic``, ``aggregation``, ``situated`` or ``absent``.
        because: a fact that leads from the words to the thing; empty where none is needed.
        absent: what is not there, as in ``purple banana``; empty otherwise.
    """

    text: str
    intent: Intent
    split: str
    because: str = ""
    absent: str = ""

    def deed(self, facts: Facts) -> str:
        """The command in plain words."""
        intent = self.intent
        it = f"the {facts.things[intent.target].name}" if intent.target is not None else f"the {self.absent}"
        other = f"the {facts.things[intent.other].name}" if intent.other is not None else "it"
        return PLAIN_VERBS[intent.task].format(it=it, other=other)

    def reasoning(self, facts: Facts, motion: str) -> str:
        """What the model should say before it acts.

        Args:
            facts: what is on the table.
            motion: the coming motion in words.
        """
        if self.intent.target is None:
            return self.meaning(facts)
        return f"{self.meaning(facts)} {motion}."

    def meaning(self, facts: Facts) -> str:
        """The reasoning up to where the thing is, which does not depend on where the hand is."""
        if self.intent.target is None:
            return f"there is no {self.absent} here. stay."
        start = f"{self.because}, so " if self.because else ""
        return f"{start}{self.deed(facts)}. it is {facts.things[self.intent.target].place}."


class Speaker:
    """Says things in many ways.

    Args:
        random: source of chance.
        tier: whose names and verbs are used: ``command`` for training, ``language`` for tests of unseen words.
        frames: whose sentences these stand in; the same if None.
    """

    def __init__(self, random: Random, tier: str = COMMAND, frames: str | None = None) -> None:
        self._random = random
        self._tier = tier
        self._frames = frames or tier

    def atomic(self, facts: Facts, intent: Intent) -> Command:
        """A command in plain words: ``pick up the red cube``."""
        it = f"the {facts.things[_target(intent)].name}"
        other = "" if intent.other is None else f"the {facts.things[intent.other].name}"
        template = self._choose(VERBS[intent.task].command[:2])
        side = _SIDES.get(intent.task, "")
        return Command(template.format(it=it, other=other, side=side), intent, ATOMIC)

    def aggregation(self, facts: Facts, intent: Intent) -> Command:
        """A command in other words: ``could you grab the ruby block that lies over there, please``."""
        it = self._name(facts, _target(intent))
        other = self._name(facts, intent.other) if intent.other is not None else ""
        return Command(self._wrapped(self._deed(intent, it, other)), intent, AGGREGATION)

    def situated(self, facts: Facts, intent: Intent, known_from: str = COMMAND) -> Command | None:
        """A command whose goal is implied: ``pick up something the colour of the sky``.

        Args:
            facts: what is on the table.
            intent: what is to be done.
            known_from: tier of the concept.

        Returns:
            None if neither colour nor shape tells the thing apart.
        """
        target = _target(intent)
        thing = facts.things[target]
        by_color = facts.matching(color=thing.color) == [target] and thing.color in CONCEPTS
        by_shape = facts.matching(shape=thing.shape) == [target]
        if not (by_color or by_shape):
            return None
        if by_shape and (not by_color or self._random.random() < 0.2):
            hint = self._choose(LIKENESSES[thing.shape].of(known_from))
            text = self._wrapped(self._deed(intent, hint, self._other(facts, intent)))
            return Command(text, intent, SITUATED, f"{hint} is a {thing.shape}")
        concept = self._choose(CONCEPTS[thing.color].of(known_from))
        sentence = self._choose(SITUATIONS.of(self._frames))
        if "{deed}" not in sentence:
            intent = Intent(PICK_UP, target) if intent.task == PICK_UP else intent
            if intent.task != PICK_UP:
                sentence = SITUATIONS.command[0]
        noun = self._choose((*ANY_THING.command, thing.shape, *SHAPES[thing.shape].command[:2]))
        # the rest of the sentence says which thing, so the verb's own place for it is the sentence
        text = self._situation(sentence, intent, concept, noun, self._other(facts, intent))
        return Command(self._wrapped(text, 0.4), intent, SITUATED, f"{concept} is {thing.color}")

    def absent(self, facts: Facts, task: str, hard: bool = False, known_from: str | None = None) -> Command:
        """A command about a thing that is not there: ``pick up the purple banana``.

        Args:
            facts: what is on the table.
            task: what is to be done with it.
            hard: whether, as in training, more of them are hard to tell from what is there: words that nobody knows,
                and a colour and a shape that are both there, but not together.
            known_from: tier of the other nouns; None for that of all words.
        """
        present = {thing.name for thing in facts.things}
        colors = {thing.color for thing in facts.things}
        kind = self._random.random()
        if kind < 0.35:
            # a pair that is never on the table and always called absent would be learned to be nowhere, ever
            names = map(" ".join, without_held_out(PAIRS) if hard else PAIRS)
            missing = [name for name in names if name not in present]
            apart = [f"{one.color} {other.shape}" for one in facts.things for other in facts.things] if hard else []
            apart = [name for name in apart if name in missing]
            plain = self._choose(apart if apart and self._random.random() < _APART else missing)
            color, shape = plain.split()
            name = f"{self._choose(COLORS[color].command)} {self._choose(SHAPES[shape].command)}"
        elif kind < 0.5 and len(colors) < len(CONCEPTS):
            color = self._choose(sorted(set(CONCEPTS) - colors))
            plain = f"{color} thing"
            name = f"{self._choose(COLORS[color].command)} {self._choose(ANY_THING.command)}"
        else:
            is_word = not hard or self._random.random() > _UNKNOWN_NAMES
            noun = self._choose(ABSENT_THINGS.of(known_from or self._tier)) if is_word else nonsense(self._random)
            color = self._choose((*COLORS, "", "", "", "big", "small", "old"))
            plain = name = f"{color} {noun}".strip()
        other = self._name(facts, self._random.randrange(len(facts.things))) if facts.things else "the wall"
        intent = Intent(task, None)
        text = self._wrapped(self._deed(intent, f"the {name}", other))
        return Command(text, intent, ABSENT, absent=plain)

    def any(
        self, facts: Facts, intent: Intent, situated: float = 0.25, plain: float = 0.2, known_from: str = COMMAND
    ) -> Command:
        """A command of any kind, with these shares of situated and of plain ones, and concepts of this tier."""
        kind = self._random.random()
        if kind < situated:
            command = self.situated(facts, intent, known_from)
            if command is not None:
                return command
        return self.atomic(facts, intent) if kind > 1.0 - plain else self.aggregation(facts, intent)

    def _deed(self, intent: Intent, it: str, other: str) -> str:
        templates = VERBS[intent.task].of(self._tier)
        if self._tier == LANGUAGE and self._random.random() < 0.3:
            templates = VERBS[intent.task].command
        return self._choose(templates).format(it=it, other=other, side=_SIDES.get(intent.task, ""))

    def _other(self, facts: Facts, intent: Intent) -> str:
        return self._name(facts, intent.other) if intent.other is not None else ""

    def _situation(self, sentence: str, intent: Intent, concept: str, noun: str, other: str) -> str:
        if "{deed}" not in sentence:
            return sentence.format(concept=concept, thing=noun)
        before, after = sentence.split("{deed}")
        before = before.format(concept=concept, thing=noun)
        rest = after.format(concept=concept, thing=noun).strip()
        thing, separator, tail = rest.partition(". ")
        return f"{before}{self._deed(intent, thing, other)}{separator}{tail}"

    def _name(self, facts: Facts, index: int) -> str:
        thing = facts.things[index]
        color, shape = (
            self._choose(COLORS[thing.color].of(self._tier)),
            self._choose(SHAPES[thing.shape].of(self._tier)),
        )
        if self._random.random() < 0.4:  # rarer words stand beside plain ones
            color, shape = (thing.color, shape) if self._random.random() < 0.5 else (color, thing.shape)
        ways = [f"{color} {shape}"] * 3
        if facts.matching(color=thing.color) == [index]:
            ways += [f"{color} {self._choose(ANY_THING.of(self._tier))}"] * 2
        if facts.matching(shape=thing.shape) == [index]:
            ways.append(shape)
        name = self._choose(ways)
        kind = self._random.random()
        if kind < 0.08:
            color_first, _, noun = name.partition(" ")
            if noun and color_first in COLORS[thing.color].command:
                name = f"{noun} that is {color_first}"
        elif kind < 0.2:
            name = f"{name} {self._choose(CLAUSES.of(self._frames))} {self._choose(PLACES_ON)}"
        elif kind < 0.26:
            name = f"{name} {self._choose(PLACES_ON)}"
        return f"{self._choose(('the',) * 8 + ('that', 'this', 'a', ''))} {name}".strip()

    def _wrapped(self, text: str, chance: float = 0.5) -> str:
        if self._random.random() < chance * 0.7:
            text = f"{self._choose(BEFORE.of(self._frames))} {text}"
        if self._random.random() < chance * 0.5:
            text = f"{text}{self._choose((' ', ', '))}{self._choose(AFTER.of(self._frames))}"
        return text

    def _choose(self, options: tuple[str, ...] | list[str]) -> str:
        return options[self._random.randrange(len(options))]


def roughened(text: str, random: Random) -> str:
    """The text as people type: a comma less, a letter wrong, a word that nobody knows."""
    kind = random.random()
    if kind < 0.25:
        text = text.replace(",", "").replace(".", "")
    elif kind < 0.5:
        place = random.randrange(len(text))
        text = text[:place] + random.choice(string.ascii_lowercase) + text[place + 1 :]
    else:
        words = text.split()
        words.insert(random.randrange(len(words) + 1), nonsense(random))
        text = " ".join(words)
    return text.strip() or nonsense(random)


def obscured(text: str, random: Random, share: float = 0.5) -> str:
    """The text with this share of its words replaced by ones that mean nothing."""
    return " ".join(nonsense(random) if random.random() < share else word for word in text.split())


def nonsense(random: Random) -> str:
    """A word that means nothing, so that a model learns to live with words that it does not know."""
    consonants, vowels = "bcdfghjklmnprstvwz", "aeiou"
    return "".join(
        random.choice(consonants) + random.choice(vowels) + random.choice(("", "", random.choice(consonants)))
        for _ in range(random.randint(1, 3))
    )


def random_intent(facts: Facts, random: Random, target: int | None = None, task: str | None = None) -> Intent:
    """An intent about some thing, or about a given one; needs two things for ``PUT_NEXT_TO``."""
    target = random.randrange(len(facts.things)) if target is None else target
    tasks = TASKS if len(facts.things) > 1 else TASKS[:-1]
    task = random.choice(tasks) if task is None else task
    others = [index for index in range(len(facts.things)) if index != target]
    return Intent(task, target, random.choice(others) if task == PUT_NEXT_TO else None)


def _target(intent: Intent) -> int:
    if intent.target is None:
        raise ValueError(f"the task {intent.task} needs a thing that is there")
    return intent.target


def phrases_of(words: Words) -> tuple[str, ...]:
    """All words of both tiers, for the tokenizer."""
    return (*words.command, *words.language)
