# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Phrases mean what they say, every sentence of a vocabulary is understood, and mistakes in its file are named."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.checked_yaml import YamlError
from instructvla_ros.shared_files import UnknownNameError, names_in
from instructvla_ros.sim.scene import COLORS, SHAPES
from instructvla_ros.voice.phrases import PhraseError, parse, sentences, to_jsgf
from instructvla_ros.voice.vocabulary import VOICE_FOLDER, Vocabulary

TABLETOP = Vocabulary.load("tabletop")


def test_a_phrase_stands_for_all_its_sentences() -> None:
    assert list(sentences(parse("(pick up|lift) [please] now"))) == [
        "pick up please now",
        "pick up now",
        "lift please now",
        "lift now",
    ]
    assert to_jsgf(parse("(put|lay) {it} [down]")) == "(put | lay) <it> [down]"


@pytest.mark.parametrize("text", ["", "(a|b", "a)", "(|a)", "a [ ]", "Pick", "pick up 3", "{It}", "(a|b]"])
def test_a_phrase_that_is_written_wrongly_is_refused(text: str) -> None:
    with pytest.raises(PhraseError):
        parse(text)


def test_a_phrase_for_too_many_sentences_is_refused() -> None:
    with pytest.raises(PhraseError, match="1048576 sentences"):
        list(sentences(parse("(a|b|c|d) " * 10)))


@pytest.mark.parametrize("name", names_in(VOICE_FOLDER))
@given(seed=st.integers(0, 2**32))
def test_every_sentence_of_a_vocabulary_is_understood_as_what_it_was_made_from(name: str, seed: int) -> None:
    vocabulary = Vocabulary.load(name)
    text, meaning = vocabulary.sample(random.Random(seed))
    called = vocabulary.meaning(f"{vocabulary.wake[0]} {text}")
    assert called is not None and called.called and not meaning.called
    assert (called.task, called.things, called.instruction) == (meaning.task, meaning.things, meaning.instruction)
    assert meaning.instruction in text and meaning.things


def test_the_table_top_has_a_word_for_every_thing_of_the_simulator() -> None:
    assert set(TABLETOP.things) == {f"{color} {shape}" for color in COLORS for shape in SHAPES}


@pytest.mark.parametrize(
    "text",
    [
        "do not pick up the red cube",
        "never push the blue ball left",
        "pick up the cup",
        "pick up the red",
        "pick up",
        "put the red cube next to the red cube",
        "the red cube",
        "don't stop",
        "",
    ],
)
def test_what_is_no_command_has_no_meaning(text: str) -> None:
    assert TABLETOP.meaning(text) is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("hey robot", "wake"),
        ("Yes.", "confirm"),
        ("never mind", "cancel"),
        ("stop", "stop"),
        ("stop stop stop", "stop"),
        ("hey robot stop the robot", "stop"),
        ("Hey robot, could you please lift the red cube now?", "command"),
    ],
)
def test_words_are_told_apart_by_what_they_are_for(text: str, kind: str) -> None:
    meaning = TABLETOP.meaning(text)
    assert meaning is not None and meaning.kind == kind


def test_courtesies_and_the_wake_phrase_are_not_sent_to_the_robot() -> None:
    meaning = TABLETOP.meaning("okay robot would you please push the red disc to the left please")
    assert meaning is not None
    assert meaning.instruction == "push the red disc to the left"
    assert (meaning.task, meaning.things) == ("push_left", ("red disc",))


def test_only_the_things_on_the_table_are_left() -> None:
    few = TABLETOP.only([" Red  cube", "blue ball"])
    assert few.things == ("red cube", "blue ball")
    assert few.meaning("lift the red cube") is not None and few.meaning("lift the green cube") is None
    with pytest.raises(ValueError, match="things: red spoon; the vocabulary knows red cube"):
        TABLETOP.only(["red spoon"])
    with pytest.raises(ValueError, match="none given"):
        TABLETOP.only([])


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = (Path(__file__).resolve().parents[2] / VOICE_FOLDER / "tabletop.yaml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("touch {it}", "touch it", "'touch it' must name {it} once"),
        ("touch {it}", "touch ({it}", "'(' is not closed"),
        ("wake:", "awake:", "unknown key 'awake' (did you mean 'wake'?)"),
        ('confirm: ["yes",', "confirm: [yes,", "'confirm' must be a list of names"),
        ("(red|green|", "(red|Green|", "small letters"),
        ("stop: [stop,", "stop: ['(stop',", "'stop': '(stop': '(' is not closed"),
    ],
)
def test_a_mistake_in_a_vocabulary_is_named_with_its_line(old: str, new: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(YamlError) as caught:
        Vocabulary.load(changed(tmp_path, old, new))
    assert told in str(caught.value) and "mine.yaml, line" in str(caught.value)


def test_an_unknown_vocabulary_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="unknown vocabulary 'kitchen'; known: tabletop"):
        Vocabulary.load("kitchen")
