# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The language model: Qwen2 with one low-rank adapter, or with a per-token mixture of several.

The mixture needs two passes. The base pass runs with the adapters off; a gate turns its hidden states into one share
per adapter and token. The adapted pass then runs with those shares. Both are causal, so each keeps a key/value cache
of its own and the outcome equals recomputing the whole sequence.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from instructvla_ros.model.decoder import AdapterMix, Decoder, DecoderSizes, KeyValueCache

GATE_DROPOUT = 0.2
GATE_STEP = 2  # from one linear layer of the gate to the next: linear, ReLU
GATE_STEP_WITH_DROPOUT = 3  # linear, ReLU, dropout


@dataclass(frozen=True)
class LanguageSizes:
    """Sizes of the language model.

    Attributes:
        decoder: the transformer.
        vocabulary: rows of embedding and output head.
        gate_widths: widths of the gate's linear layers from input to output, None without a gate.
        gate_dropout: whether there is dropout after the gate's hidden layers.
    """

    decoder: DecoderSizes
    vocabulary: int
    gate_widths: tuple[int, ...] | None = None
    gate_dropout: bool = True


@dataclass
class LanguageCaches:
    """The key/value caches of the two passes; ``base`` is None without a gate."""

    base: KeyValueCache | None
    adapted: KeyValueCache

    def shorten(self, length: int) -> None:
        """Forget all but the first tokens."""
        self.adapted.length = length
        if self.base is not None:
            self.base.length = length


class Gate(nn.Module):
    """Hidden states of the base pass in, softmax shares of the adapters out."""

    def __init__(self, widths: tuple[int, ...], dropout: float | None) -> None:
        """Build the gate.

        Args:
            widths: of its linear layers from input to output.
            dropout: after each hidden layer, in training only; None where training had none, which leaves no gaps in
                the numbers of the layers.
        """
        super().__init__()
        parts: list[nn.Module] = []
        for inputs, outputs in zip(widths[:-2], widths[1:-1], strict=True):
            parts += [nn.Linear(inputs, outputs), nn.ReLU()]
            if dropout is not None:
                parts.append(nn.Dropout(dropout))
        self.layers = nn.Sequential(*parts, nn.Linear(widths[-2], widths[-1]))

    def forward(self, hidden: Tensor) -> Tensor:
        """Map ``(B, T, width)`` to shares ``(B, T, adapters)`` that add up to one."""
        return self.layers(hidden).softmax(dim=-1)


class LanguageModel(nn.Module):
    """Embeddings to hidden states to token scores."""

    def __init__(self, sizes: LanguageSizes) -> None:
        super().__init__()
        self.sizes = sizes
        # from zeros, since torch's random start on the meta device costs seconds of imports
        rows = torch.zeros(sizes.vocabulary, sizes.decoder.width)
        self.embedding = nn.Embedding.from_pretrained(rows, freeze=False)
        self.decoder = Decoder(sizes.decoder)
        self.head = nn.Linear(sizes.decoder.width, sizes.vocabulary, bias=False)
        dropout = GATE_DROPOUT if sizes.gate_dropout else None
        self.gate = Gate(sizes.gate_widths, dropout) if sizes.gate_widths else None

    def caches(self, capacity: int, like: Tensor) -> LanguageCaches:
        """Reserve caches for ``capacity`` tokens, with batch size, type and device of ``like`` ``(B, T, width)``."""
        base = KeyValueCache(self.sizes.decoder, capacity, like) if self.gate is not None else None
        return LanguageCaches(base, KeyValueCache(self.sizes.decoder, capacity, like))

    def forward(
        self,
        embeddings: Tensor,
        caches: LanguageCaches | None = None,
        mask: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Run the model on embeddings.

        Args:
            embeddings: ``(B, T, width)``.
            caches: of the tokens before; both grow by T.
            mask: boolean ``(B, 1, T, T)``, which token (row) sees which; None where each sees all before it.
            positions: ``(B, T)`` rotary positions, for tokens that do not simply follow one another.

        Returns:
            The hidden states after the final norm ``(B, T, width)``, and the gate's shares ``(B, T, adapters)``
            (None without a gate).
        """
        shares: Tensor | None = None
        mix: AdapterMix | None = (1.0,) if self.sizes.decoder.adapters else None
        if self.gate is not None:
            # training never sent gradients through the base pass, only through the gate
            with torch.no_grad():
                base = caches.base if caches else None
                base_hidden = self.decoder(embeddings, causal=mask is None, mask=mask, cache=base, positions=positions)
            shares = self.gate(base_hidden)
            mix = shares.split(1, dim=-1)
        cache = caches.adapted if caches else None
        hidden = self.decoder(embeddings, causal=mask is None, mask=mask, mix=mix, cache=cache, positions=positions)
        return hidden, shares
