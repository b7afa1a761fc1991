# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Speech by espeak-ng, and noises to lay over it."""

from __future__ import annotations

import functools
import io
import shutil
import subprocess
import wave

import numpy as np

from instructvla_ros.voice.audio import RATE, Resampler, Samples

Voice = tuple[str, int]  # (espeak-ng's name, words a minute)
LOUDNESS = 2500.0  # root mean square of speech
NOISES = ("white", "pink", "hum", "clicks", "babble")
WHY_NOT = "espeak-ng is missing: sudo apt-get install espeak-ng"


def can_speak() -> bool:
    """Whether espeak-ng is installed."""
    return shutil.which("espeak-ng") is not None


@functools.lru_cache(maxsize=2000)
def spoken(text: str, voice: str = "en-us", speed: int = 150) -> Samples:
    """A sentence at RATE, from its first sound to its last.

    Raises:
        FileNotFoundError: espeak-ng is missing.
    """
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "--stdin", "--stdout"]
    made = subprocess.run(command, input=text.encode(), stdout=subprocess.PIPE, check=True).stdout
    with wave.open(io.BytesIO(made)) as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)
    resampled = Resampler(rate).feed(np.concatenate([samples, np.zeros(rate // 10, np.int16)]))
    loud = np.flatnonzero(np.abs(resampled.astype(np.int32)) > 60)
    return resampled[loud[0] : loud[-1] + 1]


def noise(kind: str, count: int, rng: np.random.Generator) -> np.ndarray:
    """``(count,)`` of noise with a root mean square of 1.

    Args:
        kind: one of NOISES.
        count: of samples at RATE.
        rng: source of chance.
    """
    if kind == "white":
        made = rng.normal(size=count)
    elif kind == "pink":  # power falls with frequency, as in rooms and fans
        spectrum = np.fft.rfft(rng.normal(size=count))
        spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
        spectrum[0] = 0.0
        made = np.fft.irfft(spectrum, count)
    elif kind == "hum":
        time = np.arange(count) / RATE
        made = sum(np.sin(2.0 * np.pi * 50.0 * k * time) / k for k in range(1, 8)) + 0.1 * rng.normal(size=count)
    elif kind == "clicks":
        made = 0.02 * rng.normal(size=count)
        for start in rng.integers(0, max(1, count - 400), size=max(1, count // (RATE // 4))):
            made[start : start + 400] += rng.normal(size=len(made[start : start + 400])) * np.exp(
                -np.arange(len(made[start : start + 400])) / 80.0
            )
    elif kind == "babble":  # six people at once
        made = np.zeros(count)
        for speaker in range(6):
            made += _chatter(count, speaker, rng)
    else:
        raise ValueError(f"unknown noise {kind!r}; known: {', '.join(NOISES)}")
    return made / np.sqrt(np.mean(np.square(made)))


def _chatter(count: int, speaker: int, rng: np.random.Generator) -> np.ndarray:
    from bench.support.voice_sentences import NONSENSE

    voices = ("en-us+m1", "en-us+f1", "en-gb+m5", "en-gb+f5", "en-us+m7", "en-gb+f2")
    pieces, length = [], 0
    while length < count:
        pieces.append(spoken(NONSENSE[int(rng.integers(len(NONSENSE)))], voices[speaker], 150 + 5 * speaker))
        length += len(pieces[-1])
    return np.roll(np.concatenate(pieces).astype(np.float64)[:count], int(rng.integers(count)))


def in_noise(
    speech: Samples, snr_db: float | None, rng: np.random.Generator, *, before: float, after: float, kind: str = "white"
) -> Samples:
    """Speech with noise under it and around it.

    Args:
        speech: what is said.
        snr_db: power of the speech over that of the noise [dB]; None: digital silence around it.
        rng: source of chance.
        before, after: of noise alone [s].
        kind: of noise.
    """
    power = np.sqrt(np.mean(np.square(speech.astype(np.float64))))
    signal = np.pad(speech * (LOUDNESS / power), (round(before * RATE), round(after * RATE)))
    if snr_db is not None:
        signal = signal + noise(kind, len(signal), rng) * LOUDNESS * 10.0 ** (-snr_db / 20.0)
    return np.clip(signal, -32768, 32767).astype(np.int16)
