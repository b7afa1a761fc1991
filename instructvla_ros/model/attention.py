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
        # of all operations this one is slower in bfloat16 on a CPU, its gradient up to tenfold
        with torch.autocast("cpu", enabled=False):
            query, key, value = query.float(), key.float(), value.float()
            return functional.scaled_dot_product_attention(
                query, key, value, attn_mask=mask, is_causal=causal, enable_gqa=grouped
            )
    return functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=causal, enable_gqa=grouped
    )
