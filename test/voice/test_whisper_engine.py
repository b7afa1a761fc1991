# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whisper's weights are loaded from a local folder and give words with a confidence; a tiny untrained one shows it."""

from pathlib import Path

import numpy as np
import pytest

transformers = pytest.importorskip("transformers", reason="transformers is not installed: pip install transformers")

from instructvla_ros.voice.audio import RATE  # noqa: E402
from instructvla_ros.voice.engines import NOTHING_HEARD, EngineError  # noqa: E402
from instructvla_ros.voice.whisper_engine import WhisperEngine, plain_words  # noqa: E402

SPECIAL = ("<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as transformers writes it, with random weights and an alphabet for a vocabulary."""
    folder = tmp_path_factory.mktemp("whisper")
    words = [*SPECIAL, *"abcdefghijklmnopqrstuvwxyz", "\u0120"]  # the last one is how a space is written
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = transformers.WhisperTokenizer(vocab=vocabulary, merges=[], unk_token=SPECIAL[0])
    config = transformers.WhisperConfig(
        vocab_size=len(tokenizer), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, num_mel_bins=80, pad_token_id=0,
        bos_token_id=0, eos_token_id=0, decoder_start_token_id=1, suppress_tokens=[], begin_suppress_tokens=[],
    )  # fmt: skip
    model = transformers.WhisperForConditionalGeneration(config)
    model.generation_config.no_timestamps_token_id = 2
    model.generation_config.is_multilingual = False
    model.save_pretrained(folder)
    transformers.WhisperProcessor(transformers.WhisperFeatureExtractor(), tokenizer).save_pretrained(folder)
    return folder


def test_an_utterance_becomes_words_with_a_confidence(weights: Path) -> None:
    engine = WhisperEngine(str(weights), "cpu")
    heard = engine.recognise(np.random.default_rng(0).normal(0.0, 2000.0, RATE).astype(np.int16))
    assert 0.0 < heard.confidence < 1.0
    assert heard.text and heard.text == plain_words(heard.text)
    assert engine.free_text and not engine.quick


def test_next_to_nothing_is_nothing(weights: Path) -> None:
    assert WhisperEngine(str(weights), "cpu").recognise(np.zeros(100, np.int16)) == NOTHING_HEARD


def test_weights_that_are_not_there_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(EngineError, match="no weights at .*nothing"):
        WhisperEngine(str(tmp_path / "nothing"), "cpu")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EngineError, match="no weights at .*empty"):
        WhisperEngine(str(tmp_path / "empty"), "cpu")


def test_punctuation_and_capitals_are_left_out() -> None:
    assert plain_words(" Hey, Robot: pick up the red cube!") == "hey robot pick up the red cube"
