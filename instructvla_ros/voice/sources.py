# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where sound comes from: a microphone, a wav file, or frames that somebody else passes in, all read in one way."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from instructvla_ros.voice.audio import RATE, AudioError, Resampler, Samples, check_rate, mono, read_wav

BLOCK = 0.02  # [s] of sound that a device gives at a time
KEPT = 10.0  # [s] of sound that may wait, while an utterance is recognised
SILENT_AFTER = 2.0  # [s] without a block, after which a running microphone counts as lost
RATE_CHECK = 3.0  # [s] over which the rate of what is passed in is measured
RATE_TOLERANCE = 0.2  # share by which it may differ from what was declared: messages come unevenly


class AudioSource(Protocol):
    """Sound at RATE, in blocks of any length. One thread reads; :class:`AudioError` says that there is none to be had.

    Attributes:
        name: what it is called in messages.
        ended: whether nothing comes any more, as after the end of a file.
    """

    name: str
    ended: bool

    @property
    def lost(self) -> float:
        """Sound that was thrown away because nobody read it in time [s]."""

    def open(self) -> None:
        """Begin to listen; after an error it may be called again."""

    def read(self, timeout: float) -> Samples | None:
        """The next block, or None where none came in time [s]."""

    def close(self) -> None:
        """Listen no more."""


class _Blocks:
    """Blocks between a thread that must not wait and one that reads; what is not read in time is dropped."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Samples] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting = 0
        self.rate = RATE
        self.lost = 0.0

    def put(self, samples: Samples) -> None:
        with self._lock:
            if self._waiting > KEPT * self.rate:
                self.lost += len(samples) / self.rate
                return
            self._waiting += len(samples)
        self._queue.put(samples)

    def get(self, timeout: float) -> Samples | None:
        try:
            samples = self._queue.get(timeout=timeout)
        except queue.Empty:
            return None
        with self._lock:
            self._waiting -= len(samples)
        return samples

    def clear(self) -> None:
        while self.get(0.0) is not None:
            pass


class WavSource:
    """A wav file, as fast as somebody would speak it, or at once; half a second of silence follows.

    Args:
        path: of the file.
        paced: whether its blocks come at the speed of sound's time.
    """

    lost = 0.0

    def __init__(self, path: str | Path, paced: bool = True) -> None:
        self.name = f"file {path}"
        self.ended = False
        self._path, self._paced = path, paced
        self._samples = np.zeros(0, np.int16)
        self._position = 0
        self._started = 0.0

    def open(self) -> None:
        """Read the file.

        Raises:
            AudioError: it cannot be used.
        """
        self._samples = np.concatenate([read_wav(self._path), np.zeros(RATE // 2, np.int16)])
        self._position = 0
        self._started = time.monotonic()
        self.ended = False

    def read(self, timeout: float) -> Samples | None:
        """The next block, when its time has come."""
        if self._position >= len(self._samples):
            self.ended = True
            time.sleep(timeout)
            return None
        if self._paced:
            wait = self._started + self._position / RATE + BLOCK - time.monotonic()
            time.sleep(min(timeout, max(0.0, wait)))
            if wait > timeout:
                return None
        first, self._position = self._position, self._position + round(BLOCK * RATE)
        return self._samples[first : self._position]

    def close(self) -> None:
        """Nothing is open."""


class PushedSource:
    """Frames that another thread passes in, as from a topic.

    Args:
        name: what it is called in messages.
        rate: of the samples [Hz].
        channels: how many are interleaved.
        clock: monotonic time [s].

    Raises:
        AudioError: rate or number of channels cannot be used.
    """

    ended = False

    def __init__(self, name: str, rate: int, channels: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        check_rate(rate)
        mono(np.zeros(channels, np.int16), channels)
        self.name = name
        self._rate, self._channels, self._clock = rate, channels, clock
        self._blocks = _Blocks()
        self._blocks.rate = rate
        self._resampler = Resampler(rate)
        self._lock = threading.Lock()
        self._fault = ""
        self._since: float | None = None
        self._last = 0.0
        self._count = 0

    @property
    def lost(self) -> float:
        """Seconds of sound that were thrown away."""
        return self._blocks.lost

    def push(self, samples: np.ndarray) -> None:
        """Pass in ``(n * channels,)`` samples of 16 bits; never waits. What is wrong with them, the reader hears."""
        with self._lock:
            self._fault = self._check(samples)
            fine = not self._fault
        if fine and len(samples):
            self._blocks.put(mono(samples, self._channels))

    def refuse(self, why: str) -> None:
        """What came was no sound that can be used; the reader hears why."""
        with self._lock:
            self._fault = why

    def open(self) -> None:
        """Begin anew; what is wrong with the samples stays wrong until better ones come."""
        self._blocks.clear()
        self._resampler = Resampler(self._rate)

    def read(self, timeout: float) -> Samples | None:
        """The next block.

        Raises:
            AudioError: what was passed in cannot be used.
        """
        with self._lock:
            fault = self._fault
        if fault:
            raise AudioError(f"{self.name}: {fault}")
        samples = self._blocks.get(timeout)
        return None if samples is None else self._resampler.feed(samples)

    def close(self) -> None:
        """Nothing is open."""

    def _check(self, samples: np.ndarray) -> str:
        if samples.dtype != np.int16 or samples.ndim != 1:
            return f"samples of 16 bits are needed, not {samples.dtype} of shape {samples.shape}"
        if len(samples) % self._channels:
            return f"{len(samples)} samples do not divide into {self._channels} channels"
        now = self._clock()
        if self._since is None or now - self._last > 1.0:  # at the beginning, and after a pause
            self._since, self._count, self._last = now, 0, now
            return ""
        self._last = now
        self._count += len(samples) // self._channels
        elapsed = now - self._since
        if elapsed < RATE_CHECK:
            return self._fault
        measured = self._count / elapsed
        self._since, self._count = now, 0
        if abs(measured / self._rate - 1.0) > RATE_TOLERANCE:
            return (
                f"about {round(measured, -2):.0f} samples a second come, but the rate is declared as {self._rate} Hz: "
                "set audio_rate and audio_channels to what is sent"
            )
        return ""


class MicrophoneSource:
    """A microphone by PortAudio.

    Args:
        device: part of its name, or its number; empty: the system's default.
        sounddevice: the module; None: imported when it is opened.
        clock: monotonic time [s].
    """

    ended = False

    def __init__(self, device: str = "", sounddevice: Any = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = f"microphone {device or '(the default one)'}"
        self._device: str | int | None = int(device) if device.isdigit() else device or None
        self._module, self._clock = sounddevice, clock
        self._stream: Any = None
        self._blocks = _Blocks()
        self._resampler = Resampler(RATE)
        self._heard_at = 0.0

    @property
    def lost(self) -> float:
        """Seconds of sound that were thrown away."""
        return self._blocks.lost

    def open(self) -> None:
        """Open the device at RATE, or at its own rate where it refuses that.

        Raises:
            AudioError: PortAudio is missing, there is no such device, or it cannot be opened.
        """
        again = self._module is not None and self._stream is None and self._heard_at > 0.0
        sounddevice = self._module = self._module or _sounddevice()
        try:
            if again:  # PortAudio lists devices once: what was plugged in since is seen after a new start only
                sounddevice._terminate()
                sounddevice._initialize()
            about = sounddevice.query_devices(self._device, "input")
            try:
                sounddevice.check_input_settings(device=self._device, channels=1, dtype="int16", samplerate=RATE)
                rate = RATE
            except (sounddevice.PortAudioError, ValueError):
                rate = int(about["default_samplerate"])
            self._resampler = Resampler(rate)
            self._blocks.clear()
            self._blocks.rate = rate
            self._stream = sounddevice.RawInputStream(
                device=self._device,
                channels=1,
                dtype="int16",
                samplerate=rate,
                blocksize=round(BLOCK * rate),
                callback=self._on_block,
            )
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            self.close()
            self._heard_at = self._clock()
            raise AudioError(f"{self.name} cannot be opened: {error}. {_known_devices(sounddevice)}") from error
        self.name = f"microphone {about['name']!r} at {rate} Hz"
        self._heard_at = self._clock()

    def read(self, timeout: float) -> Samples | None:
        """The next block.

        Raises:
            AudioError: the device has gone.
        """
        stream = self._stream
        if stream is None:
            raise AudioError(f"{self.name} is not open")
        samples = self._blocks.get(timeout)
        if samples is not None:
            self._heard_at = self._clock()
            return self._resampler.feed(samples)
        if not stream.active or self._clock() - self._heard_at > SILENT_AFTER:
            self.close()
            raise AudioError(f"{self.name} gives nothing any more: is it unplugged?")
        return None

    def close(self) -> None:
        """Close the device; a device that has gone may refuse that, and nothing can be done about it."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with contextlib.suppress(Exception):  # whatever the library says of a device that is not there
                stream.abort()
                stream.close()

    def _on_block(self, data: Any, _frames: int, _time: Any, _status: Any) -> None:
        """Called by PortAudio's thread: keep the block and return."""
        self._blocks.put(np.frombuffer(bytes(data), np.int16))


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError as error:
        raise AudioError(f"a microphone needs sounddevice: pip install -r requirements/voice.txt ({error})") from error
    except OSError as error:
        raise AudioError(f"a microphone needs PortAudio: sudo apt-get install libportaudio2 ({error})") from error
    return sounddevice


def _known_devices(sounddevice: Any) -> str:
    try:
        devices = sounddevice.query_devices()
    except sounddevice.PortAudioError as error:
        return f"The devices here cannot be listed: {error}"
    names = [f"{one['index']}: {one['name']}" for one in devices if one["max_input_channels"] > 0]
    return f"Microphones here: {'; '.join(names)}" if names else "There is no microphone here; plug one in"
