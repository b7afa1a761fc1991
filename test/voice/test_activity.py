# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Utterances begin and end where somebody speaks, in silence and in noise; noise alone is none for long."""

import numpy as np
import pytest

from instructvla_ros.voice.activity import FRAME, FRAME_TIME, Edge, UtteranceDetector
from instructvla_ros.voice.audio import RATE


def hiss(seconds: float, level: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, level, round(seconds * RATE))


def voice(seconds: float, level: float = 2000.0) -> np.ndarray:
    """Something with the rhythm and band of speech: a buzz of 120 Hz in syllables of a quarter of a second."""
    time = np.arange(round(seconds * RATE)) / RATE
    buzz = sum(np.sin(2.0 * np.pi * 120.0 * k * time) for k in range(2, 20))
    return level * (0.6 + 0.4 * np.sin(2.0 * np.pi * 4.0 * time)) * buzz / np.std(buzz)


def edges(sound: np.ndarray, detector: UtteranceDetector | None = None) -> list[tuple[Edge, float]]:
    """Begins and ends with their times [s]."""
    detector = detector or UtteranceDetector()
    frames = sound.clip(-32768, 32767).astype(np.int16)[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)
    outcomes = [(detector.feed(frame).edge, (number + 1) * FRAME_TIME) for number, frame in enumerate(frames)]
    return [(edge, time) for edge, time in outcomes if edge is not Edge.NONE]


@pytest.mark.parametrize("noise", [0.0, 5.0, 60.0, 200.0, 600.0])
def test_an_utterance_begins_and_ends_with_the_voice(noise: float) -> None:
    sound = hiss(3.0, noise)
    sound[RATE : 2 * RATE] += voice(1.0)
    (begin, started), (end, ended) = edges(sound)
    assert (begin, end) == (Edge.BEGIN, Edge.END)
    assert 1.0 < started < 1.2
    assert 2.3 < ended < 2.55


def test_a_pause_within_a_sentence_does_not_end_it() -> None:
    sound = hiss(3.3, 20.0)
    sound[RATE : RATE * 3 // 2] += voice(0.5)
    sound[RATE * 9 // 5 : RATE * 23 // 10] += voice(0.5)
    assert [edge for edge, _ in edges(sound)] == [Edge.BEGIN, Edge.END]


def test_what_came_just_before_belongs_to_the_utterance() -> None:
    sound = hiss(2.0, 5.0)
    sound[RATE:] += voice(1.0)
    detector = UtteranceDetector(lead=0.3)
    for first in range(0, len(sound), FRAME):
        activity = detector.feed(sound[first : first + FRAME].astype(np.int16))
        if activity.edge is Edge.BEGIN:
            assert len(activity.samples) >= 0.3 * RATE
            return
    raise AssertionError("no utterance began")


@pytest.mark.parametrize("level", [0.0, 1.0, 30.0, 3000.0])
def test_a_minute_of_steady_noise_is_no_utterance(level: float) -> None:
    assert edges(hiss(60.0, level)) == []


def test_noise_that_sets_in_is_taken_for_speech_once_and_then_known() -> None:
    found = edges(np.concatenate([hiss(2.0, 5.0), hiss(60.0, 1500.0)]))
    assert [edge for edge, _ in found] in ([Edge.BEGIN, Edge.TOO_LONG], [Edge.BEGIN, Edge.END])


def test_after_noise_has_ended_a_voice_is_heard_again_within_a_second() -> None:
    sound = np.concatenate([hiss(20.0, 1500.0), hiss(3.0, 5.0)])
    sound[21 * RATE : 22 * RATE] += voice(1.0, 800.0)
    assert [edge for edge, time in edges(sound) if time > 20.5] == [Edge.BEGIN, Edge.END]


def test_a_click_is_no_utterance() -> None:
    sound = hiss(3.0, 10.0)
    sound[RATE : RATE + FRAME] += voice(FRAME_TIME, 8000.0)
    assert edges(sound) == []


def test_an_utterance_without_end_is_cut() -> None:
    found = edges(np.concatenate([hiss(1.0, 5.0), voice(12.0)]), UtteranceDetector(longest=5.0))
    assert found[1][0] is Edge.TOO_LONG and found[1][1] == pytest.approx(found[0][1] + 5.0, abs=0.1)
