# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The interface of speech engines, and the choice among them by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from instructvla_ros.voice.audio import Samples
from instructvla_ros.voice.vocabulary import Vocabulary

ENGINES = ("pocketsphinx", "whisper")


class EngineError(RuntimeError):
    """A speech engine cannot be used; the message says what is missing and how to get it."""


@dataclass(frozen=True)
class Hypothesis:
    """What an engine made of an utterance.

    Attributes:
        text: words in small letters; empty where none were found.
        confidence: 0 .. 1, how sure the engine is that exactly this was said and not something else. It orders what one
            engine says; two engines' numbers cannot be compared.
    """

    text: str
    confidence: float


NOTHING_HEARD = Hypothesis("", 0.0)


class SpeechEngine(Protocol):
    """Turns utterances into words. One thread uses it.

    Attributes:
        free_text: whether it writes whatever is said, instead of sentences of the vocabulary only.
        threshold: below which confidence its words had better not be believed.
        quick: whether it is quick enough to be asked at every short pause, before it is known that the utterance ends.
    """

    free_text: bool
    threshold: float
    quick: bool

    def recognise(self, samples: Samples) -> Hypothesis:
        """What is said in an utterance."""


def make_engine(name: str, vocabulary: Vocabulary, whisper_model: str, device: str) -> SpeechEngine:
    """The engine of a name.

    Args:
        name: one of ENGINES.
        vocabulary: what may be said; an engine for free text does without.
        whisper_model: folder, or name on the Hugging Face hub, of Whisper's weights.
        device: where Whisper runs, as torch names it.

    Raises:
        EngineError: a package or weights are missing.
    """
    if name == "pocketsphinx":
        from instructvla_ros.voice.pocketsphinx_engine import PocketsphinxEngine

        return PocketsphinxEngine(vocabulary)
    if name == "whisper":
        from instructvla_ros.voice.whisper_engine import WhisperEngine

        return WhisperEngine(whisper_model, device)
    raise EngineError(f"unknown speech engine {name!r}; known: {', '.join(ENGINES)}")
