# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Attention, the one operation that all transformers here share."""

import torch
from torch import Tensor
from torch.nn import functional


def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, causal: bool = False, grouped: bool = False
) -> Tensor:
    """Mix values by how well their keys fit the queries.

    Args:
        query: ``(B, heads, T, head width)``.
        key: ``(B, key heads, S, head width)``.
        value: likewise.
        mask: broadcastable to ``(B, heads, T, S)``, boolean (True is seen) or added to the scores.
        causal: whether each token sees only those before it.
        grouped: whether several query heads share a key head.

    Returns:
        ``(B, heads, T, head width)``.
    """
    if query.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
        # the CPU's fused kernel is slower in bfloat16 than in float32, its gradient up to tenfold; two products are not
        return _attend_in_two_products(query, key, value, mask, causal)
    return functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=causal, enable_gqa=grouped
    )


def _attend_in_two_products(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    scores = torch.matmul(query * query.shape[-1] ** -0.5, key.transpose(-2, -1))  # (B, heads, T, S)
    if causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else scores + mask
    return torch.matmul(scores.softmax(dim=-1), value)
