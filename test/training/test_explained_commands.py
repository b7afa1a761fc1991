# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Commands in words of the language tier are explained and never acted on."""

import re
from dataclasses import replace
from random import Random

import pytest

from instructvla_ros.model import InstructVLA
from instructvla_ros.model.untrained import write_untrained
from instructvla_ros.training.compose import Composer
from instructvla_ros.training.language.words import COLORS, CONCEPTS, SHAPES
from instructvla_ros.training.settings import ACTION

_WORDS = {word for words in (*COLORS.values(), *SHAPES.values(), *CONCEPTS.values()) for word in words.language}
_PICTURES = 8
_BATCHES = 12


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return InstructVLA.from_pretrained(
        write_untrained(tmp_path_factory.mktemp("untrained"), action_expert_mask="block_causal")
    )


@pytest.fixture
def said(model, toy_frames, settings):
    stage = replace(settings.stages[ACTION], questions=0, situated=0.3, absent=0.2, explained=0.5, rough=0.0)
    frames = [
        replace(frame, labels=tuple(replace(label, chunk=label.chunk.repeat(4, 0)) for label in frame.labels))
        for frame in toy_frames
    ]
    composer = Composer(model, frames, stage, "sim", 0)
    random = Random(3)
    return [one for _ in range(_BATCHES) for frame in frames[:_PICTURES] for one in composer._say(frame, random)]


def text_of(model, one):
    return model.prompts.text([token for token in one.prompt.ids if token >= 0])


def has_word(text):
    return any(re.search(rf"\b{word}\b", text) for word in _WORDS)


def test_no_command_that_is_acted_on_has_a_word_of_the_language_tier(model, said):
    acted = [text_of(model, one) for one in said if one.label is not None]
    assert len(acted) > 50
    assert [text for text in acted if has_word(text)] == []


def test_commands_with_them_are_followed_by_what_they_mean_or_by_what_is_not_there(model, said):
    explained = [one for one in said if one.label is None]
    assert len(explained) > 50 and not any(one.silent for one in explained)
    texts = [text_of(model, one) for one in explained]
    assert sum(map(has_word, texts)) > len(texts) / 2
    for one, text in zip(explained, texts, strict=True):
        assert ("there is no" in text) == (one.aim is None)
        assert "it is " in text or "stay." in text
