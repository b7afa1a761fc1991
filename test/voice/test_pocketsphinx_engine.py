# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The default engine on synthetic voices: what it must understand, what it must not, and how it fails."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed: pip install -r requirements/voice.txt")

from bench.support.speech import NOISES, WHY_NOT, can_speak, in_noise, noise, spoken  # noqa: E402
from instructvla_ros.voice.audio import RATE  # noqa: E402
from instructvla_ros.voice.engines import NOTHING_HEARD, EngineError, make_engine  # noqa: E402
from instructvla_ros.voice.pocketsphinx_engine import LEVEL, PocketsphinxEngine, prepared  # noqa: E402
from instructvla_ros.voice.vocabulary import Vocabulary  # noqa: E402

TABLETOP = Vocabulary.load("tabletop")
pytestmark = pytest.mark.filterwarnings("ignore:start_stream")  # it says that it is unnecessary, and is not
needs_voices = pytest.mark.skipif(not can_speak(), reason=WHY_NOT)


@pytest.fixture(scope="module")
def engine() -> PocketsphinxEngine:
    return PocketsphinxEngine(TABLETOP)


def said(text: str, snr: float | None = 20.0, voice: str = "en-us", level: float = 1.0) -> np.ndarray:
    sound = in_noise(spoken(text, voice, 150), snr, np.random.default_rng(0), before=0.3, after=0.2)
    return (level * sound).clip(-32768, 32767).astype(np.int16)


@needs_voices
@pytest.mark.parametrize(
    "text", ["pick up the red cube", "hey robot push the green cone to the left", "touch the blue cylinder please"]
)
@pytest.mark.parametrize("snr", [20.0, None])
def test_a_clear_command_is_understood_and_believed_in_noise_and_in_digital_silence(
    text: str, snr: float | None, engine: PocketsphinxEngine
) -> None:
    heard = engine.recognise(said(text, snr))
    assert heard.text == text and heard.confidence >= engine.threshold


@needs_voices
@pytest.mark.parametrize("level", [0.05, 0.3, 6.0])
def test_a_whisper_and_an_overdriven_microphone_are_understood_alike(level: float, engine: PocketsphinxEngine) -> None:
    heard = engine.recognise(said("pick up the red cube", 30.0, level=level))
    assert heard.text == "pick up the red cube" and heard.confidence >= engine.threshold


@needs_voices
@pytest.mark.parametrize("text", ["good morning everybody", "what time is it now", "the printer needs more paper"])
def test_other_sentences_are_not_believed(text: str, engine: PocketsphinxEngine) -> None:
    heard = engine.recognise(said(text))
    assert TABLETOP.meaning(heard.text) is None or heard.confidence < engine.threshold


@needs_voices
def test_what_is_heard_does_not_depend_on_what_was_heard_before(engine: PocketsphinxEngine) -> None:
    first = engine.recognise(said("pick up the red cube"))
    for text in ("good morning everybody", "stop"):
        engine.recognise(said(text, 10.0))
    assert engine.recognise(said("pick up the red cube")) == first


@pytest.mark.parametrize("kind", [kind for kind in NOISES if kind != "babble"])
def test_noise_is_no_command(kind: str, engine: PocketsphinxEngine) -> None:
    sound = 2000.0 * noise(kind, 3 * RATE, np.random.default_rng(0))
    heard = engine.recognise(sound.clip(-32768, 32767).astype(np.int16))
    assert TABLETOP.meaning(heard.text) is None or heard.confidence < 0.1, "not even for a stop"


@pytest.mark.parametrize("samples", [0, 1, 100, RATE // 10])
def test_next_to_nothing_is_nothing(samples: int, engine: PocketsphinxEngine) -> None:
    assert engine.recognise(np.zeros(samples, np.int16)) == NOTHING_HEARD


def test_digital_silence_gets_dither_and_speech_the_level_of_the_model() -> None:
    assert np.std(prepared(np.zeros(RATE, np.int16))) > 10.0
    time = np.arange(RATE) / RATE
    for level in (100.0, 1000.0, 30000.0):
        made = prepared((level * np.sin(2.0 * np.pi * 300.0 * time)).astype(np.int16))
        assert np.sqrt(np.mean(np.square(made.astype(float)))) == pytest.approx(LEVEL, rel=0.02)


def test_a_word_without_a_known_pronunciation_is_named() -> None:
    odd = replace(TABLETOP, wake=("hey robotrixie",))
    with pytest.raises(EngineError, match="no pronunciation is known of robotrixie"):
        PocketsphinxEngine(odd)
    PocketsphinxEngine(replace(odd, pronunciations=(*odd.pronunciations, ("robotrixie", "R OW B AA T R IH K S IY"))))


def test_an_unknown_engine_and_missing_weights_are_said() -> None:
    with pytest.raises(EngineError, match="unknown speech engine 'ears'; known: pocketsphinx, whisper"):
        make_engine("ears", TABLETOP, "", "cpu")
    with pytest.raises(EngineError, match="whisper_model is empty"):
        make_engine("whisper", TABLETOP, "", "cpu")
