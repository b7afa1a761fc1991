# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pocketsphinx with a grammar: needs no download, and one core is plenty.

A grammar makes one of its sentences of whatever it hears. So each utterance is decoded twice: once by the grammar and
once by a free loop over all phones. Where somebody said something else, the phones fit much better than the grammar's
words do; how much worse the words fit, over the whole sentence and in its worst word, gives the confidence. It is the
likelihood ratio of utterance verification, with a phone loop as the alternative.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from instructvla_ros.voice.activity import FRAME
from instructvla_ros.voice.audio import RATE, Samples
from instructvla_ros.voice.engines import NOTHING_HEARD, EngineError, Hypothesis
from instructvla_ros.voice.vocabulary import ARTICLES, Vocabulary

LEVEL = 3000.0  # root mean square that speech is brought to, near that of the recordings the model was trained on
MOST_GAIN = 100.0
DITHER = 90.0  # standard deviation of the noise that is added: 30 dB below the speech
SHORTEST = 0.2  # [s] of sound, in which no word fits
SEED = 1
LONGEST_STOP = 2.5  # [s] of sound in which a stop is looked for by itself
STOP_BONUS = 0.7  # how much worse a stop may fit than words that mean nothing, and be preferred
STOP_WORDS_LEFT = 3  # words that mean nothing, behind which a stop is looked for

# The scores of the phone loop come divided by 2^10, those of words do not (SENSCR_SHIFT in its sources).
_PHONE_SCORE_UNIT = 1024.0
_FILLER = re.compile(r"[<\[+]|SIL$")
# Words that are often swallowed: a bad fit of theirs says nothing.
_WEAK_WORDS = frozenset({*ARTICLES, "to", "up", "at", "for", "please", "now", "you"})

# The logistic functions of the two mean differences of log-likelihoods, a frame each, between words and phone loop;
# fitted to sentences of the vocabulary and to other sentences by bench/voice.py --fit, the middles then chosen
# among four pairs near it (docs/voice.md).
_SENTENCE_MIDDLE, _WORD_MIDDLE = -2.3, -5.6
_SENTENCE_SLOPE, _WORD_SLOPE = 2.0, 1.0


@dataclass(frozen=True)
class Fit:
    """How well the words of the grammar fit, against free phones: differences of the log-likelihood of a frame.

    Attributes:
        sentence: over all words; 0 is as well as free phones do, -3 is badly.
        word: over the worst of the words that count.
    """

    sentence: float
    word: float

    @property
    def confidence(self) -> float:
        """0 .. 1; the smaller of what sentence and worst word say."""
        by_sentence = _SENTENCE_SLOPE * (self.sentence - _SENTENCE_MIDDLE)
        by_word = _WORD_SLOPE * (self.word - _WORD_MIDDLE)
        return 1.0 / (1.0 + math.exp(-min(30.0, by_sentence, by_word)))


@dataclass(frozen=True)
class _Segment:
    """A word or phone on some frames; the score is the logarithm of its likelihood over that of the best sound."""

    word: str
    first: int
    last: int
    score: float

    @property
    def frames(self) -> int:
        return self.last - self.first + 1


class PocketsphinxEngine:
    """Recognises sentences of a vocabulary.

    Args:
        vocabulary: what may be said.

    Raises:
        EngineError: pocketsphinx is missing, or it does not know how a word is pronounced.
    """

    free_text = False
    threshold = 0.5
    quick = True

    def __init__(self, vocabulary: Vocabulary) -> None:
        try:
            import pocketsphinx
        except ImportError as error:
            raise EngineError(
                f"engine pocketsphinx is not installed: pip install -r requirements/voice.txt ({error})"
            ) from error
        model = Path(pocketsphinx.get_model_path(), "en-us")
        # A decoder scores only the sounds that it considers, against the best of these. The phone loop considers all.
        # Scoring all for the words too (compallsen) takes twice as long, and understands hardly more.
        common = {
            "hmm": str(model / "en-us"),
            "dict": str(model / "cmudict-en-us.dict"),
            "lm": None,
            "loglevel": "FATAL",
        }
        # narrower than its defaults of 1e-48 and 7e-29: the same sentences a quarter sooner
        self._words: Any = pocketsphinx.Decoder(beam=1e-40, pbeam=1e-40, wbeam=1e-24, **common)
        self._phones: Any = pocketsphinx.Decoder(allphone_ci=True, lw=2.0, beam=1e-20, pbeam=1e-20, **common)
        self._add_pronunciations(vocabulary)
        self._vocabulary = vocabulary
        try:
            self._words.add_jsgf_string("robot", vocabulary.jsgf())
            self._words.add_jsgf_string("stop", vocabulary.stop_jsgf())
            self._phones.add_allphone_file("phones", str(model / "en-us-phone.lm.bin"))
            self._phones.activate_search("phones")
        except RuntimeError as error:
            raise EngineError(f"pocketsphinx refuses the grammar of the vocabulary: {error}") from error

    def recognise(self, samples: Samples) -> Hypothesis:
        """The sentence of the grammar that fits best, and how well it fits."""
        return self.recognise_with_fit(samples)[0]

    def recognise_with_fit(self, samples: Samples) -> tuple[Hypothesis, Fit]:
        """The same with what the confidence comes from; for the bench."""
        nothing = NOTHING_HEARD, Fit(-math.inf, -math.inf)
        if len(samples) < SHORTEST * RATE:
            return nothing
        data = prepared(samples).tobytes()
        self._words.activate_search("robot")
        text, words = _decode(self._words, data, 1.0)
        short = len(samples) <= LONGEST_STOP * RATE
        if not text and not short:
            return nothing
        _, phones = _decode(self._phones, data, _PHONE_SCORE_UNIT)
        fit = _fit(words, phones)
        if short and len(text.split()) <= STOP_WORDS_LEFT and self._vocabulary.meaning(text) is None:
            # the beginning of a command, which the decoder gives where no whole one fits, hides short words
            self._words.activate_search("stop")
            stop, words = _decode(self._words, data, 1.0)
            stop_fit = _fit(words, phones)
            if self._vocabulary.meaning(stop) is not None and stop_fit.sentence >= fit.sentence - STOP_BONUS:
                text, fit = stop, stop_fit
        return (Hypothesis(text, fit.confidence), fit) if text else nothing

    def _add_pronunciations(self, vocabulary: Vocabulary) -> None:
        for word, phones in vocabulary.pronunciations:
            number = 1
            while self._words.lookup_word(word if number == 1 else f"{word}({number})") is not None:
                number += 1
            self._words.add_word(word if number == 1 else f"{word}({number})", phones, False)
        unknown = sorted(word for word in vocabulary.words if self._words.lookup_word(word) is None)
        if unknown:
            raise EngineError(
                f"no pronunciation is known of {', '.join(unknown)}: add it under `pronunciations` in the vocabulary"
            )


def prepared(samples: Samples) -> Samples:
    """An utterance at the level that the model knows, with dither.

    Frames of digital silence would wreck the normalisation of the features.
    """
    signal = samples.astype(np.float64)
    signal -= signal.mean()
    frames = signal[: len(signal) // FRAME * FRAME].reshape(-1, FRAME)
    energies = np.sort(np.mean(np.square(frames), axis=1)) if len(frames) else np.zeros(1)
    loud = math.sqrt(float(energies[len(energies) // 2 :].mean()))
    gain = min(MOST_GAIN, LEVEL / max(loud, 1e-3))
    noise = np.random.default_rng(SEED).normal(0.0, DITHER, len(signal))
    return np.clip(gain * signal + noise, -32768.0, 32767.0).astype("<i2")


def _decode(decoder: Any, data: bytes, unit: float) -> tuple[str, list[_Segment]]:
    """Decode an utterance as a whole, so that the features are normalised by all of it, and by nothing before it."""
    decoder.start_stream()  # forgets the noise of the utterance before
    decoder.start_utt()
    decoder.process_raw(data, no_search=False, full_utt=True)
    decoder.end_utt()
    best = decoder.hyp()
    if best is None:
        return "", []
    segments = [
        _Segment(one.word, one.start_frame, one.end_frame, unit * math.log(max(one.ascore, 1e-300)))
        for one in decoder.seg()
    ]
    return re.sub(r"\(\d+\)", "", best.hypstr), segments


def _fit(segments: list[_Segment], phones: list[_Segment]) -> Fit:
    words = [one for one in segments if not _FILLER.match(one.word)]
    if not words:
        return Fit(-math.inf, -math.inf)
    length = 1 + max(one.last for one in (*words, *phones))
    free = np.zeros(length)
    for one in phones:
        free[one.first : one.last + 1] = one.score / one.frames
    worse = [(one, one.score - float(free[one.first : one.last + 1].sum())) for one in words]
    sentence = sum(score for _, score in worse) / sum(one.frames for one in words)
    counting = [score / one.frames for one, score in worse if one.word not in _WEAK_WORDS]
    return Fit(sentence, min(counting, default=sentence))
