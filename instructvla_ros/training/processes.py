# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One process, or several that accelerate has started, each with its own GPU."""

import os
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from instructvla_ros.training.extras import import_extra


class Processes(Protocol):
    """What training needs to know of the processes that share it."""

    rank: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this one writes files and shows progress."""

    def prepare(self, module: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[Any, Any]:
        """Module and optimiser as they are to be used."""

    def backward(self, loss: Tensor) -> None:
        """Compute gradients, of all processes together."""

    def agree(self, number: int) -> int:
        """The first process's number."""

    def wait(self) -> None:
        """Wait for all others."""


class OneProcess:
    """The only process."""

    def __init__(self, device: torch.device) -> None:
        self.rank = 0
        self.device = device
        self.is_first = True

    def prepare(self, module: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[Any, Any]:
        """Leaves both as they are."""
        return module, optimizer

    def backward(self, loss: Tensor) -> None:
        """Compute gradients."""
        loss.backward()

    def agree(self, number: int) -> int:
        """The number."""
        return number

    def wait(self) -> None:
        """Nobody to wait for."""


class ManyProcesses:
    """One of several, started by ``accelerate launch``."""

    def __init__(self, device: str) -> None:
        accelerate = import_extra("accelerate", "to train with several processes")
        # which parts of the loss a batch has differs, and with it which parameters get gradients
        kwargs = accelerate.DistributedDataParallelKwargs(find_unused_parameters=True)
        self._accelerator = accelerate.Accelerator(cpu=device == "cpu", kwargs_handlers=[kwargs])
        self._broadcast = import_extra("accelerate.utils", "to train with several processes").broadcast
        self.rank = self._accelerator.process_index
        self.device = self._accelerator.device
        self.is_first = self._accelerator.is_main_process

    def prepare(self, module: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[Any, Any]:
        """Wraps both so that gradients are shared."""
        return self._accelerator.prepare(module, optimizer)

    def backward(self, loss: Tensor) -> None:
        """Compute gradients and average them."""
        self._accelerator.backward(loss)

    def agree(self, number: int) -> int:
        """The first process's number."""
        return int(self._broadcast(torch.tensor(number, device=self.device)))

    def wait(self) -> None:
        """Wait for all others."""
        self._accelerator.wait_for_everyone()


def start_processes(device: str) -> Processes:
    """One process, unless accelerate (or torchrun) has started several.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return ManyProcesses(device)
    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    return OneProcess(torch.device(chosen))
