# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The decoder for inference alone: the numbers of `decoder.Decoder` out of fewer, larger products.

- Query, key and value are one product, gate and up another; both kinds of heads are rotated at once.
- One adapter is merged into the weights. Several are stacked: one product down to all their ranks, where each is
  weighed by its share, and one product up.
- Weights may be kept in 8 bits, see `int8`; adapters are not.
"""

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.nn import functional

from instructvla_ros.model.attention import attend
from instructvla_ros.model.decoder import (
    AdaptedLinear,
    AdapterMix,
    Decoder,
    DecoderLayer,
    KeyValueCache,
    rotate,
)
from instructvla_ros.model.int8 import Int8Linear


class FusedLinear(nn.Module):
    """Several linear layers of one input, with their adapters; outputs stand side by side.

    Args:
        layers: with as many adapters each, or none.
        merged: whether the only adapter becomes part of the weights.
        int8: whether the weights are kept in 8 bits.
    """

    def __init__(self, layers: Sequence[AdaptedLinear], merged: bool, int8: bool = False) -> None:
        super().__init__()
        weight = torch.cat([_merged_weight(layer) if merged else layer.weight for layer in layers])
        biases: list[Tensor] = [layer.bias for layer in layers if layer.bias is not None]
        bias = _fixed(torch.cat(biases)) if biases else None
        self.int8 = Int8Linear(weight, bias) if int8 else None
        self.weight = None if int8 else _fixed(weight)
        self.bias = None if int8 else bias
        adapted = [] if merged else [layer for layer in layers if len(layer.lora_a)]
        self.down = _fixed(torch.cat([down for layer in adapted for down in layer.lora_a])) if adapted else None
        self.ups = nn.ParameterList(
            _fixed(torch.cat([scale * up for scale, up in zip(layer.scales, layer.lora_b, strict=True)], dim=1))
            for layer in adapted
        )  # each (outputs, ranks)
        ends = list(accumulate(layer.out_features for layer in layers))
        self.ranges = [
            (end - layer.out_features, end) for layer, end in zip(layers, ends, strict=True) if len(layer.lora_a)
        ]

    def forward(self, inputs: Tensor, shares: Tensor | None) -> Tensor:
        """Outputs of all layers for ``(B, T, inputs)``; ``shares`` ``(B, T, ranks)`` weigh the adapters."""
        if self.weight is not None:
            outputs = functional.linear(inputs, self.weight, self.bias)
        else:
            assert self.int8 is not None
            outputs = self.int8(inputs)
        if shares is not None and self.down is not None:
            lows = functional.linear(inputs, self.down).unflatten(-1, (len(self.ups), -1))  # (B, T, layers, ranks)
            lows = lows * shares.unsqueeze(-2)
            for place, ((start, end), up) in enumerate(zip(self.ranges, self.ups, strict=True)):
                outputs[..., start:end] += functional.linear(lows[..., place, :], up)
        return outputs


class FusedLayer(nn.Module):
    """One block, as ``decoder.DecoderLayer``."""

    def __init__(self, layer: DecoderLayer, merged: bool, int8: bool) -> None:
        super().__init__()
        self.sizes = layer.sizes
        self.norm1, self.norm2 = layer.norm1, layer.norm2
        self.qkv = FusedLinear((layer.q, layer.k, layer.v), merged, int8)
        self.o = FusedLinear((layer.o,), merged, int8)
        self.gate_up = FusedLinear((layer.gate, layer.up), merged, int8)
        self.down = FusedLinear((layer.down,), merged, int8)

    def forward(
        self,
        hidden: Tensor,
        rotation: tuple[Tensor, Tensor],
        mask: Tensor | None,
        causal: bool,
        shares: Tensor | None,
        cache: KeyValueCache | None,
        index: int,
    ) -> Tensor:
        """Transform ``(B, T, width)``; see ``decoder.Decoder.forward`` for the arguments."""
        sizes = self.sizes
        batch, count, _ = hidden.shape
        heads = self.qkv(self.norm1(hidden), shares).view(batch, count, -1, sizes.head_width).transpose(1, 2)
        turned = rotate(heads[:, : -sizes.key_heads], *rotation)  # (B, heads + key heads, T, head width)
        query, key = turned.split((sizes.heads, sizes.key_heads), dim=1)
        value = heads[:, -sizes.key_heads :]
        if cache is not None:
            key, value = cache.append(index, key, value)
        mixed = attend(query, key, value, mask, causal, grouped=sizes.heads != sizes.key_heads)
        hidden = hidden + self.o(mixed.transpose(1, 2).reshape(batch, count, -1), shares)
        gate, up = self.gate_up(self.norm2(hidden), shares).chunk(2, dim=-1)
        return hidden + self.down(functional.silu(gate) * up, shares)


class FusedDecoder(Decoder):
    """Takes the place of a trained ``Decoder``; cannot be trained or saved.

    Args:
        decoder: whose numbers it computes; it is taken apart block by block, so that memory is needed for one more.
        merged: whether its only adapter becomes part of the weights; it cannot be turned off any more.
        int8: whether the weights of its linear layers are kept in 8 bits.

    Raises:
        ValueError: if there are several adapters to be merged.
    """

    def __init__(self, decoder: Decoder, merged: bool, int8: bool = False) -> None:
        nn.Module.__init__(self)  # blocks of its own are not wanted: they are made of the decoder's
        self.sizes = decoder.sizes
        adapters = decoder.sizes.adapters
        if merged and adapters is not None and len(adapters.ranks) > 1:
            raise ValueError(f"{len(adapters.ranks)} adapters cannot be merged: which counts is told token by token")
        self.ranks = adapters.ranks if adapters is not None and not merged else ()
        self.layers = nn.ModuleList()
        for index, layer in enumerate(decoder.layers):
            self.layers.append(FusedLayer(layer, merged, int8))  # type: ignore[arg-type]
            decoder.layers[index] = nn.Identity()
        self.norm = decoder.norm

    def weigh(self, mix: AdapterMix | None, hidden: Tensor) -> Tensor | None:
        """``(B, T, ranks)``: each adapter's share, once for each of its ranks; None where no adapter counts."""
        if mix is None or not self.ranks:
            return None
        parts = [
            torch.as_tensor(share, dtype=hidden.dtype, device=hidden.device).expand(*hidden.shape[:2], rank)
            for share, rank in zip(mix, self.ranks, strict=True)
        ]
        return torch.cat(parts, dim=-1)


def _fixed(values: Tensor) -> nn.Parameter:
    return nn.Parameter(values.detach(), requires_grad=False)


def _merged_weight(layer: AdaptedLinear) -> Tensor:
    """``W + alpha / r B A``, added in float32 and rounded once."""
    if not len(layer.lora_a):
        return layer.weight
    added = layer.scales[0] * (layer.lora_b[0].float() @ layer.lora_a[0].float())
    return (layer.weight.float() + added).to(layer.weight.dtype)
