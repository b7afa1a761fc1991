# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Words: commands mean what they say, tests use words that training commands never do."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructvla_ros.held_out_pairs import HELD_OUT_PAIRS
from instructvla_ros.training.language.commands import ABSENT, SITUATED, Intent, Speaker, random_intent, roughened
from instructvla_ros.training.language.facts import Facts, Thing, caption, motion, named_things, tells_way
from instructvla_ros.training.language.questions import Questioner
from instructvla_ros.training.language.words import (
    COLORS,
    COMMAND,
    CONCEPTS,
    LANGUAGE,
    LIKENESSES,
    PUT_NEXT_TO,
    SHAPES,
    SITUATIONS,
    TASKS,
    VERBS,
)

LEXICONS = [*COLORS.values(), *SHAPES.values(), *CONCEPTS.values(), *LIKENESSES.values(), *VERBS.values(), SITUATIONS]


@st.composite
def tables(draw):
    pairs = [(color, shape) for color in CONCEPTS for shape in SHAPES]
    chosen = draw(st.lists(st.sampled_from(pairs), min_size=2, max_size=5, unique=True))
    place = st.tuples(st.floats(0.2, 0.38), st.floats(-0.2, 0.2), st.just(0.02))
    return Facts(tuple(Thing(color, shape, draw(place)) for color, shape in chosen))


@given(tables(), st.integers(0, 10**6), st.sampled_from((COMMAND, LANGUAGE)), st.sampled_from(TASKS))
@settings(max_examples=150, deadline=None)
def test_a_command_names_its_thing_and_its_reasoning_says_which_it_is(facts, seed, tier, task):
    random = Random(seed)
    intent = random_intent(facts, random, task=task)
    speaker = Speaker(random, tier)
    for command in (speaker.atomic(facts, intent), speaker.aggregation(facts, intent), speaker.situated(facts, intent)):
        if command is None:
            continue
        assert command.intent.target == intent.target and "{" not in command.text
        said = command.reasoning(facts, "move left")
        thing = facts.things[intent.target]
        assert f"the {thing.name}" in said and f"it is {thing.place}." in said and said.endswith("move left.")
        if command.split == SITUATED:
            assert command.because.endswith((f"is {thing.color}", f"is a {thing.shape}"))
        if task == PUT_NEXT_TO and command.intent.task == PUT_NEXT_TO:
            assert f"next to the {facts.things[intent.other].name}" in said


@given(tables(), st.integers(0, 10**6), st.sampled_from(TASKS), st.booleans())
@settings(max_examples=100, deadline=None)
def test_what_is_called_absent_is_not_there(facts, seed, task, hard):
    command = Speaker(Random(seed)).absent(facts, task, hard)
    assert command.split == ABSENT and command.intent == Intent(task, None)
    names = {thing.name for thing in facts.things} | {f"{thing.color} thing" for thing in facts.things}
    assert command.absent not in names
    assert command.reasoning(facts, "") == f"there is no {command.absent} here. stay."


def test_training_often_asks_for_a_colour_and_a_shape_that_are_there_apart():
    facts = Facts((Thing("red", "cube", (0.3, 0.1, 0.02)), Thing("blue", "ball", (0.3, -0.1, 0.02))))
    speaker = Speaker(Random(0))
    absent = [speaker.absent(facts, TASKS[0], hard=True).absent for _ in range(400)]
    assert sum(name in ("red ball", "blue cube") for name in absent) > 60


def test_training_never_calls_a_thing_absent_that_it_never_sees():
    facts = Facts((Thing("red", "cube", (0.3, 0.1, 0.02)), Thing("green", "cylinder", (0.3, -0.1, 0.02))))
    speaker, questioner = Speaker(Random(0)), Questioner(Random(0))
    absent = {speaker.absent(facts, TASKS[0], hard=True).absent for _ in range(2000)}
    denied = {questioner.question(facts).answer for _ in range(4000)}
    held_out = {f"{color} {shape}" for color, shape in HELD_OUT_PAIRS}
    assert "red disc" in absent and not absent & held_out
    assert not [answer for answer in denied if answer.startswith("no,") and any(name in answer for name in held_out)]


@given(tables(), st.integers(0, 10**6))
@settings(max_examples=100, deadline=None)
def test_answers_are_true(facts, seed):
    exchange = Questioner(Random(seed)).question(facts)
    names = {thing.name for thing in facts.things}
    assert named_things(exchange.answer) <= names or exchange.answer.startswith("no,")
    if exchange.target is not None:
        thing = facts.things[exchange.target]
        assert thing.color in exchange.answer and thing.shape in exchange.answer


@given(tables())
def test_a_caption_names_all_things_from_left_to_right(facts):
    said = caption(facts)
    assert named_things(said) == {thing.name for thing in facts.things}
    ordered = sorted(facts.things, key=lambda thing: thing.position[1])
    places = [said.index(f" {thing.name}") for thing in ordered]
    assert places == sorted(places)


def test_words_for_tests_never_occur_in_training_commands():
    for words in LEXICONS:
        assert not set(words.command) & set(words.language)
    facts = Facts(
        tuple(
            Thing(color, shape, (0.3, 0.02 * index, 0.02))
            for index, (color, shape) in enumerate(zip(CONCEPTS, [*SHAPES, "cube"], strict=True))
        )
    )
    kept = {word for words in (*COLORS.values(), *SHAPES.values(), *CONCEPTS.values()) for word in words.language}
    single = {word for word in kept if " " not in word}
    random = Random(0)
    speaker = Speaker(random)
    for _ in range(3000):
        text = speaker.any(facts, random_intent(facts, random), situated=0.4).text
        assert not single & set(text.replace(",", "").replace(".", "").split()), text
        assert not any(word in text for word in kept - single), text


@pytest.mark.parametrize(
    ("step", "gripper", "words"),
    [
        ((0.02, -0.01, 0.0), 1.0, "move left and forward"),
        ((0.0, 0.02, -0.02), 1.0, "move right and down"),
        ((-0.02, 0.0, 0.02), 0.0, "move back and up and close the gripper"),
        ((0.0, 0.0, 0.001), 1.0, "stay"),
        ((0.0, 0.0, 0.0), 0.0, "close the gripper"),
    ],
)
def test_the_beginning_of_a_chunk_becomes_words_of_the_picture(step, gripper, words):
    chunk = np.zeros((8, 7))
    chunk[:, :3], chunk[:, 6] = step, gripper
    assert motion(chunk, opening=1.0) == words


def _straight(x: float, y: float, z: float) -> np.ndarray:
    chunk = np.zeros((8, 7))
    chunk[:, :3] = np.array((x, y, z)) / 4.0
    return chunk


@given(st.tuples(*[st.floats(-0.2, 0.2)] * 3))
def test_the_words_of_a_chunk_always_tell_its_way(way):
    chunk = _straight(*way)
    assert tells_way(motion(chunk), chunk)


@pytest.mark.parametrize(
    ("words", "way", "right"),
    [
        ("move left and down", (0.014, -0.05, -0.05), True),  # too little forward to be worth a word
        ("move left, forward and down", (0.014, -0.05, -0.05), True),
        ("move left and down", (0.029, -0.05, -0.05), True),
        ("move left and down", (0.031, -0.05, -0.05), False),  # forward is left out
        ("move right and down", (0.0, -0.05, -0.05), False),
        ("move left, back and down", (0.014, -0.05, -0.05), False),
        ("stay", (0.0, 0.0, 0.02), True),
        ("stay", (0.0, 0.0, 0.04), False),
        ("close the gripper", (0.0, 0.0, 0.0), True),
    ],
)
def test_a_way_is_told_if_no_direction_is_wrong_and_no_long_one_is_missing(words, way, right):
    assert tells_way(words, _straight(*way)) is right


@given(st.text(min_size=1, max_size=40), st.integers(0, 1000))
def test_rough_texts_are_never_blank(text, seed):
    assert roughened(text, Random(seed)).strip()
