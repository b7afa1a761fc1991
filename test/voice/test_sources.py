# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sound comes from a device, a file or a topic, and what is wrong with it is said in words."""

import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from instructvla_ros.voice.audio import RATE, AudioError, write_wav
from instructvla_ros.voice.sources import BLOCK, KEPT, SILENT_AFTER, MicrophoneSource, PushedSource, WavSource


class PortAudioError(Exception):
    """As sounddevice names it."""


class FakeStream:
    def __init__(self, owner: "FakeSounddevice", options: dict) -> None:
        self.owner, self.options, self.active = owner, options, False

    def start(self) -> None:
        if self.owner.busy:
            raise PortAudioError("Device unavailable [PaErrorCode -9985]")
        self.active = True

    def give(self, samples: np.ndarray) -> None:
        self.options["callback"](samples.tobytes(), len(samples), None, None)

    def abort(self) -> None:
        self.active = False

    def close(self) -> None:
        self.active = False


class FakeSounddevice:
    """The part of sounddevice that a microphone needs, with one microphone or none."""

    PortAudioError = PortAudioError

    def __init__(self, rate: int = RATE, devices: int = 1) -> None:
        self.rate, self.devices, self.busy = rate, devices, False
        self.streams: list[FakeStream] = []
        self.restarts = 0

    def query_devices(self, device: object = None, kind: str | None = None) -> object:
        devices = [
            {"index": n, "name": f"USB mic {n}", "max_input_channels": 1, "default_samplerate": float(self.rate)}
            for n in range(self.devices)
        ]
        if kind is None:
            return devices
        if not devices:
            raise PortAudioError("Error querying device -1")
        if isinstance(device, str) and not any(device in str(one["name"]) for one in devices):
            raise ValueError(f"No input device matching {device!r}")
        return devices[0]

    def check_input_settings(self, *, samplerate: int, **_: object) -> None:
        if samplerate != self.rate:
            raise PortAudioError("Invalid sample rate")

    def RawInputStream(self, **options: object) -> FakeStream:  # noqa: N802
        self.streams.append(FakeStream(self, options))
        return self.streams[-1]

    def _terminate(self) -> None:
        self.restarts += 1

    def _initialize(self) -> None:
        pass


def test_a_microphone_of_another_rate_is_heard_at_ours() -> None:
    device = FakeSounddevice(rate=48000)
    source = MicrophoneSource(sounddevice=device)
    source.open()
    assert source.name == "microphone 'USB mic 0' at 48000 Hz"
    total = 0
    for _ in range(50):
        device.streams[-1].give(np.ones(round(BLOCK * 48000), np.int16))
        samples = source.read(1.0)
        assert samples is not None
        total += len(samples)
    assert total == pytest.approx(RATE, abs=400)


def test_no_microphone_is_said_with_what_to_do() -> None:
    with pytest.raises(AudioError, match="cannot be opened.*There is no microphone here; plug one in"):
        MicrophoneSource(sounddevice=FakeSounddevice(devices=0)).open()
    with pytest.raises(AudioError, match="No input device matching 'studio'.*Microphones here: 0: USB mic 0"):
        MicrophoneSource("studio", sounddevice=FakeSounddevice()).open()


def test_a_microphone_that_is_in_use_is_said() -> None:
    device = FakeSounddevice()
    device.busy = True
    with pytest.raises(AudioError, match="Device unavailable"):
        MicrophoneSource(sounddevice=device).open()


@pytest.mark.parametrize("dies", ["inactive", "silent"])
def test_a_microphone_that_is_unplugged_is_noticed_and_heard_again_when_it_is_back(dies: str) -> None:
    now = SimpleNamespace(time=0.0)
    device = FakeSounddevice()
    source = MicrophoneSource(sounddevice=device, clock=lambda: now.time)
    source.open()
    device.streams[-1].give(np.zeros(320, np.int16))
    now.time = 1.0
    assert source.read(0.01) is not None and source.read(0.01) is None
    if dies == "inactive":
        device.streams[-1].active = False
    now.time += 0.5 if dies == "inactive" else SILENT_AFTER + 0.1
    with pytest.raises(AudioError, match="gives nothing any more: is it unplugged"):
        source.read(0.01)
    source.open()
    assert device.restarts == 1, "PortAudio sees new devices only after a restart"
    device.streams[-1].give(np.zeros(320, np.int16))
    assert source.read(0.01) is not None


@pytest.mark.parametrize("rate", [8000, RATE, 48000])
def test_sound_that_nobody_reads_is_dropped_and_counted_and_its_giver_never_waits(rate: int) -> None:
    source = PushedSource("topic audio", rate)
    for _ in range(round(KEPT) + 5):
        source.push(np.zeros(rate, np.int16))
    assert source.lost == pytest.approx(4.0, abs=1.01)
    got = 0
    while (samples := source.read(0.0)) is not None:
        got += len(samples)
    assert got == pytest.approx(KEPT * RATE, abs=1.01 * RATE)


def test_a_topic_with_another_rate_than_declared_is_refused_with_the_rate_that_comes() -> None:
    now = SimpleNamespace(time=0.0)
    source = PushedSource("topic /audio", RATE, clock=lambda: now.time)
    for _ in range(200):
        source.push(np.zeros(882, np.int16))  # 44.1 kHz, 20 ms
        now.time += 0.02
    with pytest.raises(AudioError, match=r"topic /audio: about 44100 samples a second.*declared as 16000 Hz"):
        source.read(0.0)


def test_a_topic_with_the_declared_rate_is_accepted_although_messages_come_unevenly() -> None:
    now = SimpleNamespace(time=0.0)
    source = PushedSource("topic /audio", 8000, channels=2, clock=lambda: now.time)
    rng = np.random.default_rng(0)
    for number in range(500):
        source.push(np.zeros(2 * 160, np.int16))
        now.time = 0.02 * number + float(rng.uniform(0.0, 0.15))
        samples = source.read(0.0)
        assert samples is not None and len(samples) == pytest.approx(320, abs=320)


def test_samples_of_another_kind_are_refused() -> None:
    source = PushedSource("topic /audio", RATE, channels=2)
    source.push(np.zeros(10, np.float32))
    with pytest.raises(AudioError, match="samples of 16 bits are needed, not float32"):
        source.read(0.0)
    source.open()
    source.push(np.zeros(3, np.int16))
    with pytest.raises(AudioError, match="3 samples do not divide into 2 channels"):
        source.read(0.0)
    with pytest.raises(AudioError, match="200 Hz cannot be used"):
        PushedSource("topic /audio", 200)


def test_a_file_comes_block_by_block_with_silence_after_it_and_then_ends(tmp_path: Path) -> None:
    write_wav(tmp_path / "said.wav", np.full(RATE // 10, 100, np.int16))
    source = WavSource(tmp_path / "said.wav", paced=False)
    source.open()
    pieces = []
    while not source.ended:
        samples = source.read(0.0)
        pieces += [samples] if samples is not None else []
    whole = np.concatenate(pieces)
    assert len(pieces[0]) == round(BLOCK * RATE)
    assert (whole[: RATE // 10] == 100).all() and not whole[RATE // 10 :].any()
    assert len(whole) == RATE // 10 + RATE // 2


def test_a_file_can_be_read_while_another_thread_closes(tmp_path: Path) -> None:
    write_wav(tmp_path / "said.wav", np.zeros(RATE, np.int16))
    source = WavSource(tmp_path / "said.wav")
    source.open()
    reader = threading.Thread(target=lambda: [source.read(0.01) for _ in range(5)])
    reader.start()
    source.close()
    reader.join(5.0)
    assert not reader.is_alive()
