# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The decoder-only transformer that the language model (Qwen2) and the action expert (Llama) share.

RMS norms, rotary positions, grouped-query attention and a gated MLP; linear layers may carry low-rank adapters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from instructvla_ros.model.attention import attend

AdapterMix = Sequence[Tensor | float]
"""How much each adapter counts: per adapter one number or a ``(B, T, 1)`` tensor."""


@dataclass(frozen=True)
class AdapterSizes:
    """Low-rank adapters on some linear layers of every block.

    Attributes:
        ranks: rank of each adapter; as many as there are adapters.
        alpha: adapter i is scaled by ``alpha / ranks[i]``.
        targets: names of the adapted layers, of q, k, v, o, gate, up, down.
    """

    ranks: tuple[int, ...]
    alpha: float
    targets: frozenset[str]


@dataclass(frozen=True)
class DecoderSizes:
    """Widths and constants of a decoder.

    Attributes:
        width: channels of a token.
        depth: blocks.
        heads: query heads.
        key_heads: key and value heads.
        head_width: channels of a head.
        mlp_width: hidden channels of the MLP.
        rope_theta: base of the rotary frequencies.
        norm_eps: epsilon of the RMS norms.
        qkv_bias: whether the query, key and value projections have a bias.
        adapters: low-rank adapters, None without.
    """

    width: int
    depth: int
    heads: int
    key_heads: int
    head_width: int
    mlp_width: int
    rope_theta: float
    norm_eps: float
    qkv_bias: bool
    adapters: AdapterSizes | None = None


class KeyValueCache:
    """Keys and values of the tokens seen so far, in memory that is reserved once.

    Attributes:
        length: tokens held; may be set back to forget the newest.
    """

    def __init__(self, sizes: DecoderSizes, capacity: int, like: Tensor) -> None:
        """Reserve room for ``capacity`` tokens, with the batch size, type and device of ``like`` ``(B, T, width)``."""
        shape = (sizes.depth, 2, like.shape[0], sizes.key_heads, capacity, sizes.head_width)
        self._store = like.new_empty(shape)
        self.length = 0

    def append(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Add a layer's ``(B, key_heads, T, head_width)`` and return all of the layer's keys and values so far.

        The length grows only when the decoder has passed all layers.
        """
        end = self.length + key.shape[2]
        if end > self._store.shape[4]:
            raise RuntimeError(f"the key/value cache has room for {self._store.shape[4]} tokens, not for {end}")
        self._store[layer, 0, :, :, self.length : end] = key
        self._store[layer, 1, :, :, self.length : end] = value
        return self._store[layer, 0, :, :, :end], self._store[layer, 1, :, :, :end]


class AdaptedLinear(nn.Linear):
    """A linear layer ``W x + b`` with low-rank adapters: ``+ sum_i mix_i alpha / r_i B_i A_i x``."""

    def __init__(self, inputs: int, outputs: int, bias: bool, adapters: AdapterSizes | None) -> None:
        super().__init__(inputs, outputs, bias=bias)
        ranks = adapters.ranks if adapters else ()
        self.scales = tuple(adapters.alpha / rank for rank in ranks) if adapters else ()
        self.lora_a = nn.ParameterList(torch.zeros(rank, inputs) for rank in ranks)
        self.lora_b = nn.ParameterList(torch.zeros(outputs, rank) for rank in ranks)

    def forward(self, inputs: Tensor, mix: AdapterMix | None = None) -> Tensor:
        """Apply to ``(B, T, inputs)``; without a mix the adapters are off."""
        outputs = functional.linear(inputs, self.weight, self.bias)
        if mix is not None:
            for share, scale, down, up in zip(mix, self.scales, self.lora_a, self.lora_b, strict=False):
                outputs = outputs + functional.linear(functional.linear(inputs, down) * (share * scale), up)
        return outputs


class DecoderLayer(nn.Module):
    """One block: attention, then the gated MLP."""

    def __init__(self, sizes: DecoderSizes) -> None:
        super().__init__()
        self.sizes = sizes

        def linear(name: str, inputs: int, outputs: int, bias: bool = False) -> AdaptedLinear:
            adapted = sizes.adapters is not None and name in sizes.adapters.targets
            return AdaptedLinear(inputs, outputs, bias, sizes.adapters if adapted else None)

        queries, keys = sizes.heads * sizes.head_width, sizes.key_heads * sizes.head_width
        self.norm1 = nn.RMSNorm(sizes.width, eps=sizes.norm_eps)
        self.q = linear("q", sizes.width, queries, sizes.qkv_bias)
        self.k = linear("k", sizes.width, keys, sizes.qkv_bias)
        self.v = linear("v", sizes.width, keys, sizes.qkv_bias)
        self.o = linear("o", queries, sizes.width)
        self.norm2 = nn.RMSNorm(sizes.width, eps=sizes.norm_eps)
        self.gate = linear("gate", sizes.width, sizes.mlp_width)
        self.up = linear("up", sizes.width, sizes.mlp_width)
        self.down = linear("down", sizes.mlp_width, sizes.width)

    def forward(
        self,
        hidden: Tensor,
        rotation: tuple[Tensor, Tensor],
        mask: Tensor | None,
        causal: bool,
        mix: AdapterMix | None,
        cache: KeyValueCache | None,
        index: int,
    ) -> Tensor:
        """Transform ``(B, T, width)``; see ``Decoder.forward`` for the arguments."""
        batch, count, _ = hidden.shape
        normed = self.norm1(hidden)

        def heads_of(projected: Tensor) -> Tensor:
            return projected.view(batch, count, -1, self.sizes.head_width).transpose(1, 2)  # (B, heads, T, head width)

        query = rotate(heads_of(self.q(normed, mix)), *rotation)
        key = rotate(heads_of(self.k(normed, mix)), *rotation)
        value = heads_of(self.v(normed, mix))
        if cache is not None:
            key, value = cache.append(index, key, value)
        mixed = attend(query, key, value, mask, causal, grouped=self.sizes.heads != self.sizes.key_heads)
        hidden = hidden + self.o(mixed.transpose(1, 2).reshape(batch, count, -1), mix)
        normed = self.norm2(hidden)
        return hidden + self.down(functional.silu(self.gate(normed, mix)) * self.up(normed, mix), mix)


class Decoder(nn.Module):
    """All blocks and the final norm, from embeddings to hidden states."""

    def __init__(self, sizes: DecoderSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.layers = nn.ModuleList(DecoderLayer(sizes) for _ in range(sizes.depth))
        self.norm = nn.RMSNorm(sizes.width, eps=sizes.norm_eps)

    def forward(
        self,
        hidden: Tensor,
        *,
        causal: bool = True,
        mask: Tensor | None = None,
        mix: AdapterMix | None = None,
        cache: KeyValueCache | None = None,
        positions: Tensor | None = None,
    ) -> Tensor:
        """Compute the hidden states after the final norm.

        Args:
            hidden: embeddings ``(B, T, width)``.
            causal: whether each token sees only those before it; otherwise all, as far as ``mask`` lets it.
            mask: without ``causal``: ``(T, S)`` or ``(B, 1, T, S)`` for S keys, boolean (True is seen) or added to the
                scores.
            mix: how much each adapter counts; None turns adapters off.
            cache: keys and values of the tokens before; grows by the T tokens given. Not for training.
            positions: ``(B, T)`` or ``(1, T)`` rotary position of each token; counted on from the cache if None.

        Returns:
            ``(B, T, width)``.
        """
        start = cache.length if cache is not None else 0
        count = hidden.shape[1]
        if positions is None:
            positions = torch.arange(start, start + count, device=hidden.device)[None]
        rotation = rotary_table(positions, self.sizes.head_width, self.sizes.rope_theta, hidden)
        if causal and start and count > 1:
            mask = torch.ones(count, start + count, dtype=torch.bool, device=hidden.device).tril(start)
        lower_triangle = causal and not start and count > 1
        weighed = self.weigh(mix, hidden)
        for index, layer in enumerate(self.layers):
            hidden = layer(hidden, rotation, mask, lower_triangle, weighed, cache, index)
        if cache is not None:
            cache.length += count
        return self.norm(hidden)

    def weigh(self, mix: AdapterMix | None, hidden: Tensor) -> Any:
        """How much each adapter counts, as the blocks take it, for ``(B, T, width)`` embeddings."""
        return mix


def rotary_table(positions: Tensor, head_width: int, theta: float, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines ``(B, 1, T, head_width)`` of the rotary angles at positions ``(B, T)``."""
    half = torch.arange(0, head_width, 2, device=like.device, dtype=torch.float32) / head_width
    angles = positions.to(torch.float32)[..., None] * (1.0 / theta**half)  # (B, T, head_width / 2)
    angles = angles.repeat(1, 1, 2).unsqueeze(1)  # (B, 1, T, head_width)
    return angles.cos().to(like.dtype), angles.sin().to(like.dtype)


def rotate(heads: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Turn ``(B, heads, T, head_width)`` by the angles of its positions; channel i pairs with i + half."""
    first, second = heads.chunk(2, dim=-1)
    return heads * cosines + torch.cat((-second, first), dim=-1) * sines
