# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever comes, everything behind works on one channel of 16 bits at 16 kHz, or is told why there is none."""

import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.voice.audio import RATE, AudioError, Resampler, level_db, mono, read_wav, write_wav


def tone(rate: int, seconds: float, frequency: float = 440.0) -> np.ndarray:
    time = np.arange(round(rate * seconds)) / rate
    return (8000.0 * np.sin(2.0 * np.pi * frequency * time)).astype(np.int16)


def write(path: Path, samples: bytes, rate: int = RATE, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples)
    return path


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 32000, 44100, 48000, 96000])
def test_a_tone_of_any_rate_is_the_same_tone_afterwards(rate: int) -> None:
    resampled = Resampler(rate).feed(tone(rate, 1.0)).astype(float)
    assert abs(len(resampled) - RATE) <= RATE // 50
    spectrum = np.abs(np.fft.rfft(resampled * np.hanning(len(resampled))))
    assert np.argmax(spectrum) * RATE / len(resampled) == pytest.approx(440.0, abs=2.0)
    assert np.max(np.abs(resampled[2000:-2000])) == pytest.approx(8000.0, rel=0.02)


@given(st.lists(st.integers(1, 900), min_size=1, max_size=12), st.sampled_from([8000, 22050, 44100, 48000]))
def test_blocks_of_any_length_leave_no_seams(lengths: list[int], rate: int) -> None:
    samples = tone(rate, sum(lengths) / rate + 1.0)[: sum(lengths)]
    whole = Resampler(rate).feed(samples)
    stream = Resampler(rate)
    pieces, first = [], 0
    for length in lengths:
        pieces.append(stream.feed(samples[first : first + length]))
        first += length
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_a_wav_file_of_any_sample_size_and_two_channels_is_read(width: int, tmp_path: Path) -> None:
    values = tone(RATE, 0.2).astype(np.int64)
    both = np.repeat(values, 2)
    if width == 1:
        data = ((both >> 8) + 128).astype(np.uint8).tobytes()
    else:
        data = b"".join(int(v << 8 * (width - 2)).to_bytes(width, "little", signed=True) for v in both)
    samples = read_wav(write(tmp_path / "tone.wav", data, channels=2, width=width))
    np.testing.assert_allclose(samples, values, atol=0 if width > 1 else 256)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_wav(tmp_path / "tone.wav", tone(RATE, 0.1))
    np.testing.assert_array_equal(read_wav(tmp_path / "tone.wav"), tone(RATE, 0.1))


def test_a_file_that_cannot_be_used_is_refused_with_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="cannot read .*nothing.wav: No such file"):
        read_wav(tmp_path / "nothing.wav")
    (tmp_path / "empty.wav").write_bytes(b"")
    with pytest.raises(AudioError, match="empty or cut off.*a RIFF wav file"):
        read_wav(tmp_path / "empty.wav")
    (tmp_path / "song.mp3").write_bytes(b"ID3\x04 and so on, for more than a header" * 10)
    with pytest.raises(AudioError, match="no wav file that can be read"):
        read_wav(tmp_path / "song.mp3")
    with pytest.raises(AudioError, match="has no samples"):
        read_wav(write(tmp_path / "silent.wav", b""))
    with pytest.raises(AudioError, match=r"4000 Hz cannot be used: 8000 \.\. 192000 Hz"):
        read_wav(write(tmp_path / "dull.wav", b"\0\0" * 100, rate=4000))


def test_channels_that_do_not_divide_are_refused() -> None:
    np.testing.assert_array_equal(mono(np.array([100, 300, 5, 7], np.int16), 2), [200, 6])
    with pytest.raises(AudioError, match="3 samples do not divide into 2 channels"):
        mono(np.zeros(3, np.int16), 2)


def test_the_level_of_full_scale_is_zero_and_silence_has_a_floor() -> None:
    assert level_db(np.full(100, 32767, np.int16)) == pytest.approx(0.0, abs=0.01)
    assert level_db(np.zeros(100, np.int16)) == level_db(np.zeros(0, np.int16)) == -100.0
