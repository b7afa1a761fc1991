# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From sound to replies with an engine that says what it is told to; time is that of the sound."""

import threading
from collections.abc import Callable

import numpy as np
import pytest

from instructvla_ros.voice.activity import FRAME, UtteranceDetector
from instructvla_ros.voice.audio import RATE, AudioError, Samples
from instructvla_ros.voice.dialogue import Dialogue, Mode, Outcome, Reply
from instructvla_ros.voice.engines import Hypothesis
from instructvla_ros.voice.listener import LONGEST, Listener
from instructvla_ros.voice.sources import PushedSource
from instructvla_ros.voice.vocabulary import Vocabulary

TABLETOP = Vocabulary.load("tabletop")
WAIT = 10.0  # longest wait for anything [s]


class TellingEngine:
    """Recognises what it is told to, and keeps what it was given."""

    free_text = False
    threshold = 0.5

    def __init__(self, *texts: str, quick: bool = True) -> None:
        self.quick = quick
        self.texts = list(texts)
        self.given: list[Samples] = []

    def recognise(self, samples: Samples) -> Hypothesis:
        self.given.append(samples)
        return Hypothesis(self.texts.pop(0) if len(self.texts) > 1 else self.texts[0], 0.9)


def quiet(seconds: float) -> Samples:
    return np.random.default_rng(1).normal(0.0, 5.0, round(seconds * RATE)).astype(np.int16)


def loud(seconds: float) -> Samples:
    time = np.arange(round(seconds * RATE)) / RATE
    return (3000.0 * np.sin(2.0 * np.pi * 700.0 * time) + 2000.0 * np.sin(2.0 * np.pi * 1900.0 * time)).astype(np.int16)


def make(engine: TellingEngine, mode: Mode = Mode.ALWAYS, **options: object) -> tuple[Listener, list[Reply]]:
    replies: list[Reply] = []
    dialogue = Dialogue(TABLETOP, mode, auto_confirm=True, free_text=engine.free_text)
    listener = Listener(PushedSource("test", RATE), engine, dialogue, replies.append, **options)  # type: ignore[arg-type]
    return listener, replies


def test_each_utterance_becomes_one_reply() -> None:
    engine = TellingEngine("lift the red cube")
    listener, replies = make(engine)
    listener.feed(np.concatenate([quiet(1.0), loud(0.8), quiet(1.0), loud(0.8), quiet(1.0)]))
    assert [reply.outcome for reply in replies] == [Outcome.SENT, Outcome.SENT]
    assert len(engine.given) == 2, "what was recognised at the pause is not recognised again at the end"
    assert all(0.8 * RATE < len(samples) < 2.0 * RATE for samples in engine.given)


def test_silence_gives_nothing() -> None:
    engine = TellingEngine("lift the red cube")
    listener, replies = make(engine)
    listener.feed(np.zeros(10 * RATE, np.int16))
    listener.feed(quiet(10.0))
    assert not replies and not engine.given


def test_a_sentence_that_goes_on_after_a_pause_is_recognised_as_a_whole() -> None:
    engine = TellingEngine("lift the", "lift the red cube")
    listener, replies = make(engine)
    listener.feed(np.concatenate([quiet(1.0), loud(0.5), quiet(0.25), loud(0.5), quiet(1.0)]))
    assert [reply.text for reply in replies] == ["lift the red cube"]
    assert len(engine.given[1]) > len(engine.given[0]) + 0.5 * RATE


def test_a_stop_is_told_at_the_pause_already_and_once() -> None:
    listener, replies = make(TellingEngine("stop"))
    listener.feed(np.concatenate([quiet(1.0), loud(0.4), quiet(0.26)]))
    assert [reply.stop for reply in replies] == [True]
    listener.feed(quiet(1.0))
    assert len(replies) == 1


def test_an_engine_that_is_slow_leaves_stops_to_a_quick_one() -> None:
    slow, quick = TellingEngine("lift the red cube", quick=False), TellingEngine("stop")
    listener, replies = make(slow, stop_only=quick)
    listener.feed(np.concatenate([quiet(1.0), loud(0.4), quiet(0.26)]))
    assert [reply.stop for reply in replies] == [True] and not slow.given
    listener.feed(quiet(1.0))
    assert len(slow.given) == 1 and len(quick.given) == 1, "once a pause, not once a frame of it"


def test_a_button_that_is_let_go_ends_the_utterance_although_no_sound_comes_any_more() -> None:
    engine, told = TellingEngine("lift the red cube"), threading.Event()
    replies: list[Reply] = []

    def on_reply(reply: Reply) -> None:
        replies.append(reply)
        told.set()

    listener: Listener
    source = Source(lambda: listener.talk(False))
    source.push(loud(0.8))
    listener = Listener(source, engine, Dialogue(TABLETOP, Mode.PUSH_TO_TALK, auto_confirm=True), on_reply)
    listener.talk(True)
    listener.start()
    assert told.wait(WAIT)
    listener.stop()
    assert [reply.outcome for reply in replies] == [Outcome.SENT]


def test_the_last_words_of_a_file_are_heard_however_long_a_pause_ends_an_utterance() -> None:
    engine, told = TellingEngine("lift the red cube"), threading.Event()
    source = Source(lambda: setattr(source, "ended", True))
    source.push(np.concatenate([quiet(1.0), loud(0.8), quiet(0.5)]))
    detector = UtteranceDetector(trailing_silence=2.0)
    dialogue = Dialogue(TABLETOP, Mode.ALWAYS, auto_confirm=True)
    listener = Listener(source, engine, dialogue, lambda reply: told.set(), detector=detector)
    listener.start()
    assert told.wait(WAIT)
    listener.stop()
    assert len(engine.given) >= 1


def test_an_engine_that_fails_is_told_of_and_listening_goes_on(monkeypatch) -> None:
    monkeypatch.setattr("instructvla_ros.voice.listener.RETRY_AFTER", 0.01)
    troubles: list[str] = []
    over = threading.Event()

    class Failing(TellingEngine):
        def recognise(self, samples: Samples) -> Hypothesis:
            raise RuntimeError("out of memory")

    def on_trouble(text: str) -> None:
        troubles.append(text)
        if len(troubles) > 2:
            over.set()

    source = Source(lambda: None)
    source.push(np.concatenate([quiet(1.0), loud(0.8), quiet(1.0)]))
    dialogue = Dialogue(TABLETOP, Mode.ALWAYS, auto_confirm=True)
    listener = Listener(source, Failing("x"), dialogue, lambda reply: None, on_trouble=on_trouble)
    listener.start()
    assert over.wait(WAIT)
    listener.stop()
    assert troubles[:3] == ["", "RuntimeError: out of memory", ""]


def test_with_a_talk_button_all_between_press_and_release_is_one_utterance() -> None:
    engine = TellingEngine("lift the red cube")
    listener, replies = make(engine, Mode.PUSH_TO_TALK)
    listener.feed(np.concatenate([quiet(1.0), loud(0.8), quiet(1.0)]))
    assert [reply.outcome for reply in replies] == [Outcome.NOT_ADDRESSED]
    listener.talk(True)
    listener.feed(np.concatenate([quiet(0.5), loud(0.8), quiet(1.0), loud(0.5)]))
    assert len(replies) == 1
    listener.talk(False)
    listener.feed(quiet(0.1))
    assert replies[-1].outcome is Outcome.SENT
    assert len(engine.given[-1]) == pytest.approx(2.8 * RATE, abs=FRAME)


def test_a_stop_is_heard_while_the_talk_button_is_held() -> None:
    listener, replies = make(TellingEngine("stop"), Mode.PUSH_TO_TALK)
    listener.talk(True)
    listener.feed(np.concatenate([quiet(1.0), loud(0.4), quiet(0.26)]))
    assert [reply.stop for reply in replies] == [True]


def test_a_talk_button_that_is_never_released_ends_by_itself() -> None:
    engine = TellingEngine("lift the red cube")
    listener, replies = make(engine, Mode.PUSH_TO_TALK)
    listener.talk(True)
    listener.feed(quiet(LONGEST + 1.0))
    assert len(replies) == 1 and len(engine.given[-1]) == pytest.approx(LONGEST * RATE, abs=FRAME)


class Source(PushedSource):
    """Sound that was put in before, then whatever a test wants."""

    def __init__(self, then: Callable[[], None]) -> None:
        super().__init__("device", RATE)
        self.opened, self.then = 0, then

    def open(self) -> None:
        self.opened += 1

    def read(self, timeout: float) -> Samples | None:
        samples = super().read(0.0)
        if samples is None:
            self.then()
        return samples


def test_while_the_robot_speaks_nothing_is_heard() -> None:
    engine, replies = TellingEngine("lift the red cube"), []
    done = threading.Event()
    source = Source(done.set)
    source.push(np.concatenate([quiet(1.0), loud(0.8), quiet(1.0)]))
    dialogue = Dialogue(TABLETOP, Mode.ALWAYS, auto_confirm=True)
    listener = Listener(source, engine, dialogue, replies.append, muted=lambda: True)
    listener.start()
    assert done.wait(WAIT)
    listener.stop()
    assert not replies and not engine.given


def test_a_device_that_fails_is_told_of_tried_again_and_told_of_when_it_is_back(monkeypatch) -> None:
    monkeypatch.setattr("instructvla_ros.voice.listener.RETRY_AFTER", 0.01)
    troubles: list[str] = []
    back = threading.Event()
    source = Source(lambda: None)

    def fail_first() -> None:
        if source.opened == 1:
            raise AudioError("device gives nothing any more: is it unplugged?")

    def note(text: str) -> None:
        troubles.append(text)
        if troubles[-2:-1] and troubles[-1] == "":
            back.set()

    source.then = fail_first
    dialogue = Dialogue(TABLETOP, Mode.ALWAYS)
    listener = Listener(source, TellingEngine(""), dialogue, lambda reply: None, on_trouble=note)
    listener.start()
    assert back.wait(WAIT)
    listener.stop()
    assert troubles == ["", "device gives nothing any more: is it unplugged?", ""]


def test_an_answer_by_button_is_told_as_one_by_word_is() -> None:
    replies: list[Reply] = []
    listener = Listener(
        PushedSource("test", RATE), TellingEngine("lift the red cube"), Dialogue(TABLETOP, Mode.ALWAYS), replies.append
    )
    listener.feed(np.concatenate([quiet(1.0), loud(0.8), quiet(1.0)]))
    assert listener.pending == "lift the red cube"
    assert listener.confirm().instruction == "lift the red cube"
    assert [reply.outcome for reply in replies] == [Outcome.AWAITING_CONFIRMATION, Outcome.SENT]
    assert listener.cancel().outcome is Outcome.REFUSED
