# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The precision of matrix products that this machine trains quickest in."""

import time

import torch
from torch.nn import functional

_ROWS, _WIDTH = 512, 256
_TRIES = 3


def quickest_precision(device: torch.device) -> torch.dtype:
    """bfloat16 or float32.

    A GPU has bfloat16. A processor without its instructions computes it too, but a layer's gradients fifty times slower
    than in float32; so a layer is timed in both.

    Args:
        device: that is to compute.
    """
    if device.type == "cuda":
        return torch.bfloat16
    times = {kind: _layer_time(kind) for kind in (torch.float32, torch.bfloat16)}
    return min(times, key=times.__getitem__)


def _layer_time(kind: torch.dtype) -> float:
    """Shortest time of a layer's output and gradients [s]."""
    rows = torch.ones(_ROWS, _WIDTH, dtype=kind, requires_grad=True)
    weights = torch.ones(_WIDTH, _WIDTH, dtype=kind, requires_grad=True)
    times = []
    for _ in range(_TRIES + 1):
        begun = time.perf_counter()
        functional.linear(rows, weights).sum().backward()
        times.append(time.perf_counter() - begun)
    return min(times[1:])
