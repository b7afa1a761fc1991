# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Questions and answers about a picture and about words: captions, questions, definitions, rewritten commands."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from instructvla_ros.held_out_pairs import without_held_out
from instructvla_ros.model.prompt import SYSTEM_MESSAGE, action_request
from instructvla_ros.training.language.commands import (
    LANGUAGE,
    Speaker,
    nonsense,
    phrases_of,
    random_intent,
)
from instructvla_ros.training.language.facts import NUMBERS, PLACES, STAY, Facts, caption, with_article
from instructvla_ros.training.language.words import (
    ABSENT_THINGS,
    AFTER,
    ANY_THING,
    BEFORE,
    CLAUSES,
    COLORS,
    COMMAND,
    CONCEPTS,
    LIKENESSES,
    MEANINGS,
    PAIRS,
    PLACES_ON,
    SHAPES,
    SITUATIONS,
    VERBS,
)

_T = TypeVar("_T")
CAPTION, QUESTION, DEFINITION, REWRITING = "caption", "question", "definition", "rewriting"
KINDS = (CAPTION, QUESTION, DEFINITION, REWRITING)
NOT_THERE = "no, there is no"
_CAPTIONS = (
    *("describe the scene", "what do you see", "what is on the table", "what can you see", "describe the table"),
    *("tell me what is there", "list the objects", "which objects are there", "what is in front of you"),
)
_REWRITES = (
    *("say it simply: {}", "what do i mean by: {}", "in plain words: {}", "what should you do: {}"),
    *("what should the robot do to {}? say it in words.", "what action should the robot take to {}? say it in words."),
)


@dataclass(frozen=True)
class Exchange:
    """A question and its answer.

    Attributes:
        kind: one of ``KINDS``.
        question: what a person asks.
        answer: what is true.
        target: index of the thing that the answer is about; None if it is about none, or several.
        absent: whether it is about a thing that is not there.
    """

    kind: str
    question: str
    answer: str
    target: int | None = None
    absent: bool = False


class Questioner:
    """Asks questions about a table and knows the answers.

    Args:
        random: source of chance.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._speaker = Speaker(random)
        self._scholar = Speaker(random, LANGUAGE, COMMAND)  # sentences of the tests stay unseen

    def any(self, facts: Facts) -> Exchange:
        """An exchange of any kind."""
        kind = self._random.random()
        if kind < 0.12:
            return self.caption(facts)
        if kind < 0.45:
            return self.question(facts)
        if kind < 0.65:
            return self.definition()
        return self.rewriting(facts)

    def caption(self, facts: Facts) -> Exchange:
        """Scenario captioning."""
        return Exchange(CAPTION, self._asked(self._choose(_CAPTIONS)), caption(facts))

    def question(self, facts: Facts) -> Exchange:
        """Question answering about what is seen."""
        ways = [self._count, self._presence, self._held]
        if facts.things:
            ways += [self._color, self._shape, self._place, self._place, self._at_the_side, self._by_concept]
        question, answer, target = self._choose(ways)(facts)
        return Exchange(QUESTION, self._asked(question), answer, target, absent=answer.startswith(NOT_THERE))

    def definition(self) -> Exchange:
        """What a word means, or what colour a well-known thing has."""
        question, answer = self._choose([self._concept, self._concept, self._concept, self._likeness, self._word])()
        return Exchange(DEFINITION, self._asked(question), answer)

    def rewriting(self, facts: Facts) -> Exchange:
        """Command rewriting: a command in any words, then in plain ones and where its thing lies."""
        if not facts.things:
            return self.caption(facts)
        intent = random_intent(facts, self._random)
        speaker = self._scholar if self._random.random() < 0.7 else self._speaker
        kind = self._random.random()
        command = None
        if kind < 0.2:
            command = speaker.absent(facts, intent.task, hard=True)
        elif kind < 0.55:
            command = self._speaker.situated(facts, intent, LANGUAGE if self._random.random() < 0.5 else COMMAND)
        if command is None:
            command = speaker.aggregation(facts, intent)
        question = self._choose(_REWRITES).format(command.text)
        target = command.intent.target
        return Exchange(REWRITING, question, command.meaning(facts), target, absent=target is None)

    def _count(self, facts: Facts) -> tuple[str, str, int | None]:
        shape = self._choose(("", *SHAPES))
        count = len(facts.matching(shape=shape or None))
        noun = shape or "object"
        question = f"how many {noun}s are {self._choose(('there', 'on the table'))}"
        be, plural = ("is", "") if count == 1 else ("are", "s")
        return question, f"there {be} {NUMBERS[count]} {noun}{plural}.", None

    def _presence(self, facts: Facts) -> tuple[str, str, int | None]:
        if facts.things and self._random.random() < 0.5:
            thing = self._choose(list(facts.things))
            color, shape = thing.color, thing.shape
        else:
            # of pairs that are never on the table nothing is asked: the answer would always be no
            color, shape = self._choose(without_held_out(PAIRS))
        said_color, said_shape = self._choose(phrases_of(COLORS[color])), self._choose(phrases_of(SHAPES[shape]))
        ways = [(f"{color} {shape}", f"{said_color} {said_shape}"), (shape, said_shape)]
        ways.append((f"{color} object", f"{said_color} {self._choose(phrases_of(ANY_THING))}"))
        if self._random.random() < 0.3:
            ways = [(noun, noun) for noun in (self._choose(phrases_of(ABSENT_THINGS)), nonsense(self._random))]
        name, said = self._choose(ways)
        kinds = [(thing.name, thing.shape, f"{thing.color} object") for thing in facts.things]
        found = [index for index, names in enumerate(kinds) if name in names]
        question = f"{self._choose(('is there', 'can you see', 'do you see'))} {with_article(said)}"
        answer = f"yes, there is {with_article(name)}." if found else f"{NOT_THERE} {name}."
        named = found[0] if found and facts.things[found[0]].name == name else None  # "a cube" may be any of them
        return question, answer, named

    def _held(self, facts: Facts) -> tuple[str, str, int | None]:
        held = "nothing" if facts.held is None else f"the {facts.things[facts.held].name}"
        question = self._choose(("what is the robot holding", "what is in the gripper", "what do you hold"))
        return question, f"the robot holds {held}.", facts.held

    def _color(self, facts: Facts) -> tuple[str, str, int | None]:
        shape = self._choose(sorted({thing.shape for thing in facts.things}))
        found = [facts.things[index] for index in facts.matching(shape=shape)]
        if len(found) > 1:
            return self._place(facts)
        answer = f"the {shape} is {found[0].color}."
        return (
            self._choose((f"what colour is the {shape}", f"which colour has the {shape}")),
            answer,
            _only(facts, shape),
        )

    def _shape(self, facts: Facts) -> tuple[str, str, int | None]:
        index = self._random.randrange(len(facts.things))
        thing = facts.things[index]
        if facts.matching(color=thing.color) != [index]:
            return self._place(facts)
        noun = self._choose(ANY_THING.command)
        question = self._choose((f"what is the {thing.color} {noun}", f"which shape has the {thing.color} {noun}"))
        return question, f"the {thing.color} one is a {thing.shape}.", index

    def _place(self, facts: Facts) -> tuple[str, str, int | None]:
        index = self._random.randrange(len(facts.things))
        thing = facts.things[index]
        ways = ("where is the {}", "where do you see the {}", "on which side is the {}")
        return self._choose(ways).format(thing.name), f"the {thing.name} is {thing.place}.", index

    def _at_the_side(self, facts: Facts) -> tuple[str, str, int | None]:
        ordered = facts.leftmost_first()
        word, thing = self._choose((("left", ordered[0]), ("right", ordered[-1])))
        question = f"which {self._choose(ANY_THING.command[:2])} is furthest to the {word}"
        return question, f"the {thing.name}.", facts.things.index(thing)

    def _by_concept(self, facts: Facts) -> tuple[str, str, int | None]:
        index = self._random.randrange(len(facts.things))
        thing = facts.things[index]
        if facts.matching(color=thing.color) != [index] or thing.color not in CONCEPTS:
            return self._place(facts)
        concept = self._choose(phrases_of(CONCEPTS[thing.color]))
        question = f"which {self._choose(ANY_THING.command[:2])} has the colour of {concept}"
        return question, f"{concept} is {thing.color}, so the {thing.name}.", index

    def _concept(self) -> tuple[str, str]:
        color = self._choose(list(CONCEPTS))
        concept = self._choose(phrases_of(CONCEPTS[color]))
        ways = ("what colour is {}", "which colour has {}", "what is the colour of {}", "tell me the colour of {}")
        return self._choose(ways).format(concept), f"{concept} is {color}."

    def _likeness(self) -> tuple[str, str]:
        shape = self._choose(list(LIKENESSES))
        hint = self._choose(phrases_of(LIKENESSES[shape]))
        return f"what is {hint}", f"{hint} is a {shape}."

    def _word(self) -> tuple[str, str]:
        if self._random.random() < 0.4:
            verb = self._choose(list(MEANINGS))
            return self._choose(("what does {} mean", "what do you do to {} something")).format(verb), (
                f"{verb} means {MEANINGS[verb]}."
            )
        kind, lexicon = self._choose((("colour", COLORS), ("shape", SHAPES)))
        plain = self._choose(list(lexicon))
        word = self._choose(phrases_of(lexicon[plain])[1:])
        return f"what {kind} is {word}", f"{word} is {plain}."

    def _asked(self, question: str) -> str:
        if self._random.random() < 0.15:
            question = f"{self._choose(('please tell me,', 'robot,', 'hey,', 'can you say'))} {question}"
        if self._random.random() < 0.3:
            question = question[0].upper() + question[1:]
        return question + self._choose(("?", "?", "?", ""))

    def _choose(self, options: Sequence[_T]) -> _T:
        return options[self._random.randrange(len(options))]


def _only(facts: Facts, shape: str) -> int | None:
    found = facts.matching(shape=shape)
    return found[0] if len(found) == 1 else None


def corpus(random: Random, tables: list[Facts], count: int) -> Iterator[str]:
    """Sentences for a tokenizer: samples of all that is ever asked, commanded and answered, and every single word."""
    for words in (*COLORS.values(), *SHAPES.values(), *CONCEPTS.values(), *LIKENESSES.values(), ANY_THING):
        yield from (f"the {word}." for word in phrases_of(words))
    for words in (*VERBS.values(), BEFORE, AFTER, CLAUSES, SITUATIONS, ABSENT_THINGS):
        yield from (f"to {word.replace('{', '').replace('}', '')}." for word in phrases_of(words))
    yield from (f"it is {place}. {STAY}." for place in (*PLACES, *PLACES_ON))
    for _ in range(20):  # the frame of every prompt, whose words should be one token each
        yield f"system\n{SYSTEM_MESSAGE}\nuser\n{action_request('go', reasoning=True)}\nassistant\n"
    questioner, speakers = Questioner(random), (Speaker(random, COMMAND), Speaker(random, LANGUAGE))
    for index in range(count):
        facts = tables[index % len(tables)]
        exchange = questioner.any(facts)
        yield f"{exchange.question} {exchange.answer}"
        command = speakers[index % 2].any(facts, random_intent(facts, random))
        for motion in (
            "move left, forward and down",
            "move right, back and up",
            "close the gripper",
            "open the gripper",
        ):
            yield f"What action should the robot take to {command.text}? {command.reasoning(facts, motion)}"
