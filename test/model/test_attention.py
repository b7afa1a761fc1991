# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Attention under bfloat16 on a CPU, where it is computed in another way."""

import pytest
import torch
from torch import Tensor

from instructvla_ros.model.attention import attend

_TOLERANCE = 0.03  # bfloat16 keeps eight bits


def _outcome(heads: list[Tensor], mask: Tensor | None, causal: bool, reduced: bool) -> tuple[Tensor, list[Tensor]]:
    inputs = [head.clone().requires_grad_() for head in heads]
    with torch.autocast("cpu", torch.bfloat16, enabled=reduced):
        mixed = attend(*inputs, mask=mask, causal=causal, grouped=heads[0].shape[1] != heads[1].shape[1])
    return mixed.float(), list(torch.autograd.grad(mixed.float().square().sum(), inputs))


@pytest.mark.parametrize("key_heads", [4, 2])
@pytest.mark.parametrize("kind", ["all", "causal", "seen", "added"])
def test_outcome_and_gradients_in_bfloat16_are_those_in_float32_but_for_rounding(kind: str, key_heads: int) -> None:
    torch.manual_seed(0)
    heads = [torch.randn(3, count, 37, 16) for count in (4, key_heads, key_heads)]
    seen = torch.rand(3, 1, 37, 37) < 0.6
    seen |= torch.eye(37, dtype=torch.bool)
    mask = {"all": None, "causal": None, "seen": seen, "added": torch.randn(37, 37)}[kind]
    mixed, gradients = _outcome(heads, mask, kind == "causal", reduced=True)
    wanted, wanted_gradients = _outcome(heads, mask, kind == "causal", reduced=False)
    assert float((mixed - wanted).abs().max()) < _TOLERANCE
    for gradient, one in zip(gradients, wanted_gradients, strict=True):
        assert float((gradient - one).norm() / one.norm()) < _TOLERANCE
