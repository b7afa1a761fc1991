# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Nothing moves that nobody asked for: who was meant, what is asked back, and that a stop is always heard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.voice.dialogue import ATTENTION, Dialogue, Mode, Outcome, Reply
from instructvla_ros.voice.engines import Hypothesis
from instructvla_ros.voice.vocabulary import Vocabulary

TABLETOP = Vocabulary.load("tabletop")


def make(mode: Mode = Mode.ALWAYS, **options: object) -> Dialogue:
    return Dialogue(TABLETOP, mode, **options)  # type: ignore[arg-type]


def hear(dialogue: Dialogue, text: str, now: float = 0.0, confidence: float = 0.9, addressed: bool = False) -> Reply:
    return dialogue.hear(Hypothesis(text, confidence), now, addressed=addressed)


def test_a_command_is_asked_back_and_sent_when_confirmed_by_word() -> None:
    dialogue = make()
    asked = hear(dialogue, "please lift the red cube")
    assert asked.outcome is Outcome.AWAITING_CONFIRMATION and not asked.instruction
    assert asked.say == "lift the red cube. yes or no?" and dialogue.pending == "lift the red cube"
    sent = hear(dialogue, "yes", now=3.0)
    assert (sent.outcome, sent.instruction) == (Outcome.SENT, "lift the red cube")
    assert not dialogue.pending
    assert hear(dialogue, "yes", now=4.0).outcome is Outcome.NOT_ADDRESSED


def test_a_command_is_taken_back_by_word_by_button_and_by_time() -> None:
    for take_back in (
        lambda dialogue: hear(dialogue, "no", now=1.0),
        lambda dialogue: dialogue.cancel(1.0),
        lambda dialogue: dialogue.look(15.0),
    ):
        dialogue = make(confirm_timeout=15.0)
        hear(dialogue, "lift the red cube")
        reply = take_back(dialogue)
        assert reply is not None and reply.outcome is Outcome.CANCELLED and not reply.instruction
        assert dialogue.confirm(16.0).outcome is Outcome.REFUSED


def test_a_confirmation_that_comes_too_late_sends_nothing() -> None:
    dialogue = make(confirm_timeout=10.0)
    hear(dialogue, "lift the red cube")
    assert not hear(dialogue, "yes", now=10.1).instruction
    hear(dialogue, "lift the red cube", now=20.0)
    assert not dialogue.confirm(30.1).instruction


def test_a_newer_command_takes_the_place_of_one_that_waits() -> None:
    dialogue = make()
    hear(dialogue, "lift the red cube")
    hear(dialogue, "lift the blue ball", now=1.0)
    assert dialogue.confirm(2.0).instruction == "lift the blue ball"


def test_without_questions_a_command_is_sent_at_once() -> None:
    assert hear(make(auto_confirm=True), "lift the red cube").instruction == "lift the red cube"


def test_words_that_are_unsure_or_no_words_are_not_believed() -> None:
    dialogue = make(auto_confirm=True, minimum_confidence=0.5)
    assert hear(dialogue, "lift the red cube", confidence=0.49).outcome is Outcome.NOT_UNDERSTOOD
    assert hear(dialogue, "do not lift the red cube").outcome is Outcome.NOT_UNDERSTOOD
    assert hear(dialogue, "").outcome is Outcome.NOT_UNDERSTOOD
    dialogue = make(minimum_confidence=0.5)
    hear(dialogue, "lift the red cube")
    assert hear(dialogue, "yes", confidence=0.49).outcome is Outcome.NOT_UNDERSTOOD
    assert dialogue.pending


def test_with_a_wake_phrase_others_are_not_listened_to() -> None:
    dialogue = make(Mode.WAKE_PHRASE, auto_confirm=True)
    assert hear(dialogue, "lift the red cube").outcome is Outcome.NOT_ADDRESSED
    assert hear(dialogue, "hey robot lift the red cube").instruction == "lift the red cube"
    assert hear(dialogue, "lift the red cube", now=0.1).outcome is Outcome.NOT_ADDRESSED
    assert hear(dialogue, "hey robot", now=1.0).outcome is Outcome.CALLED
    assert hear(dialogue, "lift the red cube", now=0.9 + ATTENTION).instruction
    hear(dialogue, "hey robot", now=50.0)
    assert hear(dialogue, "lift the red cube", now=50.1 + ATTENTION).outcome is Outcome.NOT_ADDRESSED


def test_with_a_talk_button_only_what_is_said_meanwhile_counts() -> None:
    dialogue = make(Mode.PUSH_TO_TALK, auto_confirm=True)
    assert hear(dialogue, "hey robot lift the red cube").outcome is Outcome.NOT_ADDRESSED
    assert hear(dialogue, "lift the red cube", addressed=True).instruction == "lift the red cube"


@given(
    st.sampled_from(list(Mode)),
    st.booleans(),
    st.booleans(),
    st.sampled_from(TABLETOP.stop),
    st.lists(st.sampled_from(["lift the red cube", "hey robot", "yes", "no", "hello"]), max_size=4),
    st.floats(0.2, 1.0),
)
def test_a_stop_is_heard_in_every_mode_and_after_anything(
    mode: Mode, auto_confirm: bool, free_text: bool, word: str, before: list[str], confidence: float
) -> None:
    dialogue = make(mode, auto_confirm=auto_confirm, free_text=free_text)
    for time, text in enumerate(before):
        hear(dialogue, text, now=float(time))
    reply = hear(dialogue, word, now=10.0, confidence=confidence)
    assert reply.stop and not reply.instruction and not dialogue.pending
    assert not dialogue.confirm(10.1).instruction


def test_free_text_that_begins_or_ends_with_a_stop_stops() -> None:
    dialogue = make(free_text=True, auto_confirm=True)
    assert hear(dialogue, "stop it right there").stop
    assert hear(dialogue, "lift the red cube no stop").stop
    assert hear(dialogue, "put the thing beside the bus stop sign").instruction


def test_free_text_is_passed_on_as_it_was_said() -> None:
    dialogue = make(Mode.WAKE_PHRASE, free_text=True, auto_confirm=True)
    assert hear(dialogue, "hey robot hand me something to write with").instruction == "hand me something to write with"
    assert hear(dialogue, "hand me something to write with").outcome is Outcome.NOT_ADDRESSED


def test_while_the_arm_is_stopped_nothing_is_sent_that_a_reset_would_set_in_motion() -> None:
    dialogue = make(auto_confirm=True)
    dialogue.stopped_because = "the emergency stop is pressed"
    reply = hear(dialogue, "lift the red cube")
    assert reply.outcome is Outcome.REFUSED and not reply.instruction
    assert "the emergency stop is pressed; reset it first" in reply.reason
    dialogue = make()
    hear(dialogue, "lift the red cube")
    dialogue.stopped_because = "stop"
    assert not dialogue.confirm(1.0).instruction


@pytest.mark.parametrize("outcome", list(Outcome))
def test_outcomes_are_numbered_as_in_the_message(outcome: Outcome) -> None:
    messages = pytest.importorskip("instructvla_ros.msg", reason="the messages are not built: run make setup")
    assert getattr(messages.Heard, f"OUTCOME_{outcome.name}") == outcome
