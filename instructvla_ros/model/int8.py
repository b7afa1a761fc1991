# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Linear layers whose weights are kept in 8 bits, for processors with little memory.

Each row of a weight has one scale, so that its largest number becomes 127 (symmetric, rounded to the nearest). Inputs,
sums and outputs keep their type.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

_LARGEST = 127.0
_FEW = 4
"""Rows of inputs up to which the product is made from the 8 bits directly; for more the weight is spread out."""


class Int8Linear(nn.Module):
    """``W x + b`` with ``W`` in 8 bits; for inference alone.

    Args:
        weight: ``(outputs, inputs)``.
        bias: ``(outputs,)``, kept as it is; None without.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        exact = weight.detach().float()
        scales = exact.abs().amax(dim=1).clamp_min(torch.finfo(torch.float32).tiny) / _LARGEST  # (outputs,)
        self.steps: Tensor
        self.register_buffer("steps", torch.round(exact / scales[:, None]).to(torch.int8))
        self.scales: Tensor
        self.register_buffer("scales", scales.to(weight.dtype))
        self.bias = bias

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply to ``(..., inputs)``."""
        rows = inputs.reshape(-1, inputs.shape[-1])
        if len(rows) > _FEW:  # whole numbers up to 127 are exact in all types
            outputs = functional.linear(inputs, self.steps.to(inputs.dtype)).mul_(self.scales)
        else:
            outputs = torch._weight_int8pack_mm(rows, self.steps, self.scales).reshape(*inputs.shape[:-1], -1)
        return outputs if self.bias is None else outputs.add_(self.bias)
