# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whisper by transformers: free text, where its weights are at hand. Heavy, so imported late and only where chosen."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from instructvla_ros.voice.audio import FULL_SCALE, RATE, Samples
from instructvla_ros.voice.engines import NOTHING_HEARD, EngineError, Hypothesis

MOST_TOKENS = 60  # an instruction is short; more is noise that is heard as a story
SHORTEST = 0.2  # [s]


class WhisperEngine:
    """Recognises an utterance once it has ended.

    Args:
        model: folder, or name on the Hugging Face hub, of the weights.
        device: ``auto``, or as torch names it.

    Raises:
        EngineError: transformers or torch is missing, or the weights cannot be loaded.
    """

    free_text = True
    threshold = 0.6
    quick = False

    def __init__(self, model: str, device: str = "auto") -> None:
        if not model:
            raise EngineError("engine whisper: parameter whisper_model is empty; give a folder with its weights")
        try:
            import torch
            from transformers import AutoProcessor, WhisperForConditionalGeneration
        except ImportError as error:
            raise EngineError(
                f"engine whisper needs transformers and torch: pip install transformers ({error})"
            ) from error
        self._torch = torch
        self._device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        try:
            self._processor: Any = AutoProcessor.from_pretrained(model)
            self._model: Any = WhisperForConditionalGeneration.from_pretrained(model)
            self._model.to(self._device).eval()  # type: ignore[arg-type]  # wrapped without its types
        except (OSError, ValueError, RuntimeError) as error:
            raise EngineError(
                f"engine whisper: no weights at {model!r}, neither as a folder nor on the hub: {_first_line(error)}"
            ) from error
        # English-only models have no languages to choose from
        multilingual = bool(getattr(self._model.generation_config, "is_multilingual", False))
        self._options = {"language": "en", "task": "transcribe"} if multilingual else {}

    def recognise(self, samples: Samples) -> Hypothesis:
        """The words of an utterance; the confidence is the geometric mean of the tokens' probabilities."""
        if len(samples) < SHORTEST * RATE:
            return NOTHING_HEARD
        inputs = self._processor(
            samples.astype(np.float32) / FULL_SCALE, sampling_rate=RATE, return_tensors="pt", return_attention_mask=True
        )
        with self._torch.inference_mode():
            made = self._model.generate(
                inputs.input_features.to(self._device),
                attention_mask=inputs.attention_mask.to(self._device),
                max_new_tokens=MOST_TOKENS,
                return_dict_in_generate=True,
                output_scores=True,
                **self._options,
            )
            scores = self._model.compute_transition_scores(made.sequences, made.scores, normalize_logits=True)[0]
        text = self._processor.batch_decode(made.sequences, skip_special_tokens=True)[0]
        finite = [value for value in scores.tolist() if math.isfinite(value)]
        confidence = math.exp(sum(finite) / len(finite)) if finite else 0.0
        return Hypothesis(plain_words(text), confidence)


def plain_words(text: str) -> str:
    """Words in small letters without punctuation, as grammars and models take them."""
    return " ".join(re.sub(r"[^a-z0-9' -]", " ", text.lower()).split())


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [repr(error)])[0]
