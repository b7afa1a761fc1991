# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where an utterance begins and ends: voice activity by the energy of two bands of speech over the noise.

Plain energy against a noise floor that is followed, because the level of steady noise is what it adapts to: detectors
by Gaussian mixtures (WebRTC's) take white noise for speech, and no utterance would ever end in it.
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from instructvla_ros.voice.audio import RATE, Samples

Levels = NDArray[np.float64]
"""``(bands,)`` power [dB of one least significant bit]."""

FRAME = 320  # samples: 20 ms, in which speech does not change much
FRAME_TIME = FRAME / RATE  # [s]
BANDS = ((300.0, 4000.0), (4000.0, 7500.0))  # [Hz] vowels and most consonants; "s", "f" and "t", which end words
LOWEST_FLOOR = 10.0  # [dB] of one least significant bit: below, a device records nothing
RISE, FALL = (
    1.5,
    60.0,
)  # how fast the noise floor follows [dB/s]: speech must not lift it, the end of a noise must lower it


class Edge(enum.Enum):
    """What happened in a frame."""

    NONE = "none"
    BEGIN = "begin"
    END = "end"
    TOO_LONG = "too long"


@dataclass(frozen=True)
class Activity:
    """One frame's outcome.

    Attributes:
        edge: whether an utterance begins or ends with it.
        samples: what belongs to the utterance: the frame, at its beginning with what came shortly before; else empty.
    """

    edge: Edge
    samples: Samples


class UtteranceDetector:
    """Cuts utterances out of a stream of frames.

    Args:
        threshold: how far speech must stand above the noise floor to begin an utterance [dB].
        trailing_silence: how long it must be silent for an utterance to end [s].
        longest: the longest utterance [s]; what is longer is cut there, and its level is taken for noise.
        lead: how much of what came before belongs to an utterance [s]; the first consonants are weak.
        onset: how much speech within its double begins an utterance [s]; a click does not.
    """

    def __init__(
        self,
        threshold: float = 9.0,
        trailing_silence: float = 0.4,
        longest: float = 10.0,
        lead: float = 0.3,
        onset: float = 0.08,
    ) -> None:
        self.trailing_silence = trailing_silence
        self._begin_above, self._go_on_above = threshold, 0.6 * threshold
        self._trailing = round(trailing_silence / FRAME_TIME)
        self._longest = round(longest / FRAME_TIME)
        self._onset = max(1, round(onset / FRAME_TIME))
        self._recent: deque[bool] = deque(maxlen=2 * self._onset)
        self._before: deque[Samples] = deque(maxlen=round(lead / FRAME_TIME) + 2 * self._onset)
        self._history: deque[Levels] = deque(maxlen=round(0.5 / FRAME_TIME))
        self._floor: Levels | None = None
        self._levels: list[Levels] = []
        self._silent = 0
        self.speaking = False

    @property
    def silence(self) -> float:
        """How long the utterance in progress has been silent [s]."""
        return self._silent * FRAME_TIME

    def reset(self) -> None:
        """Forget an utterance in progress; the noise floor is kept."""
        self.speaking = False
        self._silent = 0
        self._recent.clear()
        self._before.clear()
        self._levels.clear()

    def feed(self, frame: Samples) -> Activity:
        """Judge the next frame.

        Args:
            frame: ``(FRAME,)`` samples.
        """
        level = band_levels(frame)
        if self._floor is None:
            self._floor = np.maximum(LOWEST_FLOOR, level)
        above = float(np.max(level - self._floor))
        self._follow(level)
        if self.speaking:
            return self._go_on(frame, level, above)
        self._before.append(frame)
        self._recent.append(above > self._begin_above)
        if sum(self._recent) < self._onset:
            return Activity(Edge.NONE, frame[:0])
        self.speaking, self._silent, self._levels = True, 0, [level]
        samples = np.concatenate(self._before)
        self._before.clear()
        self._recent.clear()
        return Activity(Edge.BEGIN, samples)

    def _go_on(self, frame: Samples, level: Levels, above: float) -> Activity:
        self._levels.append(level)
        self._silent = 0 if above > self._go_on_above else self._silent + 1
        if self._silent >= self._trailing:
            self.reset()
            return Activity(Edge.END, frame)
        if len(self._levels) >= self._longest:
            self._floor = np.maximum(LOWEST_FLOOR, np.median(self._levels, axis=0))
            self.reset()
            return Activity(Edge.TOO_LONG, frame)
        return Activity(Edge.NONE, frame)

    def _follow(self, level: Levels) -> None:
        """The noise floor follows the quieter half of half a second, quickly downwards and slowly upwards."""
        assert self._floor is not None
        self._history.append(level)
        if len(self._history) < (self._history.maxlen or 0):
            return
        quiet = np.sort(np.array(self._history), axis=0)[: len(self._history) // 2].mean(axis=0)
        step = np.clip(quiet - self._floor, -FALL * FRAME_TIME, RISE * FRAME_TIME)
        self._floor = np.maximum(LOWEST_FLOOR, self._floor + step)


_WINDOW = np.hanning(FRAME)
_BINS = [slice(round(low * FRAME / RATE), round(high * FRAME / RATE)) for low, high in BANDS]


def band_levels(frame: Samples) -> Levels:
    """``(bands,)`` power in each band [dB of one least significant bit]."""
    powers = np.square(np.abs(np.fft.rfft(frame * _WINDOW)))
    sums = np.array([powers[bins].sum() for bins in _BINS])
    return 10.0 * np.log10(np.maximum(2.0 * sums / (FRAME * float(np.sum(np.square(_WINDOW)))), 1e-3))
