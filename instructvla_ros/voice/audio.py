# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Audio as everything here takes it: one channel, 16 bits, 16 kHz; and the way there from devices and files."""

from __future__ import annotations

import math
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
"""``(n,)`` samples of one channel at RATE, full scale 32767."""

RATE = 16_000  # [Hz] what speech engines are trained on
LOWEST_RATE, HIGHEST_RATE = 8_000, 192_000  # [Hz] below, consonants are not told apart any more
MOST_CHANNELS = 32
FULL_SCALE = 32767.0
SILENCE_DB = -100.0  # what a level is called where there is no sound at all [dB of full scale]


class AudioError(ValueError):
    """There is no usable audio; the message says why and what to do."""


def check_rate(rate: int) -> None:
    """Refuse a sampling rate that speech cannot be recognised from.

    Raises:
        AudioError: the rate is out of range.
    """
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise AudioError(f"a sampling rate of {rate} Hz cannot be used: {LOWEST_RATE} .. {HIGHEST_RATE} Hz are needed")


def mono(samples: NDArray[np.int16], channels: int) -> Samples:
    """The mean of interleaved channels.

    Args:
        samples: ``(n * channels,)``.
        channels: how many are interleaved.

    Raises:
        AudioError: the samples do not divide into channels.
    """
    if not 1 <= channels <= MOST_CHANNELS:
        raise AudioError(f"{channels} channels: 1 .. {MOST_CHANNELS} are possible")
    if len(samples) % channels:
        raise AudioError(f"{len(samples)} samples do not divide into {channels} channels")
    if channels == 1:
        return samples
    return samples.reshape(-1, channels).mean(axis=1).round().astype(np.int16)


class Resampler:
    """Brings a stream of blocks to RATE, without seams between the blocks.

    A polyphase low-pass, as in ``scipy.signal.resample_poly``, that keeps its state; it delays by half its length,
    which is under 2 ms.

    Args:
        rate: of what comes in [Hz].

    Raises:
        AudioError: the rate is out of range.
    """

    def __init__(self, rate: int) -> None:
        from scipy.signal import firwin

        check_rate(rate)
        divisor = math.gcd(rate, RATE)
        self._up, self._down = RATE // divisor, rate // divisor
        larger = max(self._up, self._down)
        self._filter = firwin(20 * larger + 1, 1.0 / larger) * self._up if larger > 1 else None
        length = 0 if self._filter is None else len(self._filter)
        self._history = np.zeros(self._down * math.ceil(length / (self._up * self._down) + 1))
        self._waiting = np.zeros(0)

    def feed(self, samples: Samples) -> Samples:
        """What the stream so far gives in further samples at RATE."""
        from scipy.signal import upfirdn

        if self._filter is None:
            return samples
        joined = np.concatenate([self._waiting, samples])
        usable = len(joined) - len(joined) % self._down
        block, self._waiting = joined[:usable], joined[usable:]
        if not len(block):
            return np.zeros(0, np.int16)
        extended = np.concatenate([self._history, block])
        first = len(self._history) * self._up // self._down
        resampled = upfirdn(self._filter, extended, self._up, self._down)[
            first : first + usable * self._up // self._down
        ]
        self._history = extended[-len(self._history) :]
        return np.clip(resampled.round(), -FULL_SCALE - 1, FULL_SCALE).astype(np.int16)


def level_db(samples: Samples) -> float:
    """Root mean square of samples [dB of full scale]."""
    if not len(samples):
        return SILENCE_DB
    square = float(np.mean(np.square(samples.astype(np.float64))))
    return max(SILENCE_DB, 10.0 * math.log10(square / FULL_SCALE**2)) if square > 0.0 else SILENCE_DB


def read_wav(path: str | Path) -> Samples:
    """The samples of a wav file at RATE.

    Raises:
        AudioError: the file is missing, is no wav file with PCM samples, is empty, or has an unusable rate.
    """
    try:
        with wave.open(str(path), "rb") as file:
            rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            data = file.readframes(file.getnframes())
    except (EOFError, wave.Error) as error:
        why = "it is empty or cut off" if isinstance(error, EOFError) else str(error)
        raise AudioError(
            f"{path} is no wav file that can be read ({why}): a RIFF wav file with PCM samples is needed, "
            "as `ffmpeg -i FILE -ar 16000 -ac 1 FILE.wav` makes it"
        ) from error
    except OSError as error:
        raise AudioError(f"cannot read {path}: {error.strerror or error}") from error
    check_rate(rate)
    data = data[: len(data) - len(data) % (width * channels)]
    if not data:
        raise AudioError(f"{path} has no samples")
    samples = mono(_sixteen_bits(data, width), channels)
    return Resampler(rate).feed(samples)


def write_wav(path: str | Path, samples: Samples) -> None:
    """Write samples at RATE to a wav file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())


def _sixteen_bits(data: bytes, width: int) -> NDArray[np.int16]:
    """PCM bytes of a wav file as 16-bit samples: 8 bits are unsigned there, wider ones signed, little endian."""
    if width == 1:
        return ((np.frombuffer(data, np.uint8).astype(np.int16) - 128) * 256).astype(np.int16)
    if width == 2:
        return np.frombuffer(data, "<i2").astype(np.int16)
    if width in (3, 4):
        return np.frombuffer(data, np.uint8).reshape(-1, width)[:, -2:].copy().view("<i2")[:, 0].astype(np.int16)
    raise AudioError(f"samples of {width} bytes: 1, 2, 3 or 4 are possible")
