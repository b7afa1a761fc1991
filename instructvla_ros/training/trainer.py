# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One stage of training: the loop over steps, with progress, checkpoints to go on from, and curves.

Everything that is drawn at a step follows from seed, step and process, so that a stage that is interrupted and goes on
ends as if it had not been.
"""

import contextlib
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from instructvla_ros.model.instructvla import InstructVLA
from instructvla_ros.training.compose import Composer
from instructvla_ros.training.extras import import_extra
from instructvla_ros.training.objectives import Batch, GroundingHeads, Parts, Weights, loss_parts
from instructvla_ros.training.processes import Processes
from instructvla_ros.training.recipe import parameter_groups
from instructvla_ros.training.seeing import SightBatch, SightComposer, sight_parts

_DECAY = 0.01
_BETAS = (0.9, 0.98)
_LARGEST_GRADIENT = 1.0
_WARM_UP = 60  # steps
_LOWEST_RATE = 0.02  # of the learning rate, at the end
_MEASURED = 12  # steps that tell how long one takes, the first ones
_REMEMBERED = 48  # steps that tell it later
_LOG_EVERY, _WATCH_EVERY, _VALIDATE_EVERY = 10, 20, 200  # steps
_SAVE_EVERY = 120.0  # [s]


class TrainingModule(nn.Module):
    """Model and heads as one module, so that several processes can share its gradients."""

    def __init__(self, model: InstructVLA, heads: GroundingHeads | None, weights: Weights) -> None:
        super().__init__()
        self.model = model
        self.heads = heads
        self.weights = weights

    def forward(self, batch: Batch | SightBatch, flow_times: int, watch: bool = False) -> tuple[Tensor, Parts]:
        """The total loss of a batch and its parts."""
        parts = self.parts(batch, flow_times, watch)
        return parts.total(self.weights), parts

    def parts(self, batch: Batch | SightBatch, flow_times: int, watch: bool = False) -> Parts:
        """The parts of the loss of a batch."""
        if isinstance(batch, SightBatch):
            if self.heads is None:
                raise ValueError("towers learn to see with grounding heads, and there are none")
            return sight_parts(self.model, self.heads, batch, watch)
        return loss_parts(self.model, self.heads, batch, flow_times, watch)


@dataclass
class StageState:
    """Where a stage stands.

    Attributes:
        step: steps made.
        steps: steps in all; 0 while they are not known.
        spent: time that the steps took [s].
    """

    step: int = 0
    steps: int = 0
    spent: float = 0.0


class Stage:
    """Trains what has gradients in a module.

    Args:
        name: of the stage.
        module: model and heads, moved to where they are trained.
        composer: makes the batches.
        processes: how many there are, and which this is.
        folder: for checkpoints, logs and pictures.
        learning_rate: at its highest.
        flow_times: of an observation.
        seed: of noise and dropout.
        precision: of the matrix products.
        steps: of the stage; 0 if they are fitted to the minutes.
        minutes: of the stage, if its steps are not given.
        validate: makes figures by name, now and then; they are logged.
    """

    def __init__(
        self,
        name: str,
        module: TrainingModule,
        composer: Composer | SightComposer,
        processes: Processes,
        folder: Path,
        *,
        learning_rate: float,
        flow_times: int,
        seed: int,
        precision: torch.dtype = torch.float32,
        steps: int = 0,
        minutes: float = 1.0,
        validate: Callable[[], dict[str, float]] | None = None,
    ) -> None:
        self.name, self._composer, self._processes = name, composer, processes
        self._folder, self._rate, self._flow_times, self._seed = folder, learning_rate, flow_times, seed
        self._precision, self._minutes, self._validate = precision, minutes, validate
        self._optimizer = torch.optim.AdamW(parameter_groups(module, _DECAY), learning_rate, _BETAS)
        self._plain = module
        self._module, self._optimizer = processes.prepare(module, self._optimizer)
        self.state = StageState(steps=steps)
        self._fits = not steps
        self.log: list[dict[str, Any]] = []

    @property
    def file(self) -> Path:
        """The checkpoint that this stage goes on from."""
        return self._folder / f"{self.name}.pt"

    def resume(self) -> bool:
        """Go on from the stage's checkpoint, if there is one; says whether there was."""
        if not self.file.is_file():
            return False
        content = torch.load(self.file, map_location="cpu", weights_only=True)
        self._plain.load_state_dict(content["module"])
        if content["optimizer"] is not None:
            self._optimizer.load_state_dict(content["optimizer"])
        self.state = StageState(content["step"], content["steps"], content["spent"])
        self.log = content["log"]
        return True

    @property
    def is_finished(self) -> bool:
        """Whether all steps are made."""
        return 0 < self.state.steps <= self.state.step

    def run(self, stop_after: int | None = None) -> None:
        """Train until the stage is finished.

        Args:
            stop_after: stop, with a checkpoint, after so many steps of this run; None goes to the end.
        """
        self._plain.train()
        started = saved = time.monotonic()
        tqdm = import_extra("tqdm", "to show progress").tqdm
        bar = tqdm(
            total=self.state.steps or None,
            initial=self.state.step,
            desc=self.name,
            unit="step",
            disable=not self._shows,
        )
        made = 0
        times: list[float] = []
        while not self.is_finished and (stop_after is None or made < stop_after):
            begun = time.monotonic()
            self._step(bar)
            times.append(time.monotonic() - begun)
            self.state.spent += times[-1]
            made += 1
            # until the rate falls the number of steps may still change: other work may come and go on the machine
            if self._fits and made % _MEASURED == 0 and 2 * self.state.step <= (self.state.steps or math.inf):
                self._fit_steps(times[2:][-_REMEMBERED:])
                bar.total = self.state.steps
            if time.monotonic() - saved > _SAVE_EVERY:
                self.save()
                saved = time.monotonic()
        bar.close()
        self._elapsed = time.monotonic() - started
        self._processes.wait()
        self.save()

    def save(self) -> None:
        """Write the checkpoint that this stage goes on from."""
        if not self._processes.is_first:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        content = {
            "module": self._plain.state_dict(),
            "optimizer": None if self.is_finished else self._optimizer.state_dict(),
            "step": self.state.step,
            "steps": self.state.steps,
            "spent": self.state.spent,
            "log": self.log,
        }
        partial = self.file.with_suffix(".partial")
        torch.save(content, partial)
        os.replace(partial, self.file)
        lines = "".join(json.dumps(row) + "\n" for row in self.log)
        (self._folder / f"{self.name}.jsonl").write_text(lines, encoding="utf-8")

    def _step(self, bar: Any) -> None:
        step = self.state.step
        batch = self._composer.batch(step, self._processes.rank).to(self._plain.model.device)
        torch.manual_seed(hash((self._seed, step, self._processes.rank)) % 2**63)
        watch = step % _WATCH_EVERY == 0
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate * self._schedule()
        with self._cast():
            loss, parts = self._module(batch, self._flow_times, watch)
        if not torch.isfinite(loss):
            values = ", ".join(f"{name} {float(value.detach()):.3g}" for name, value in parts.losses.items())
            raise FloatingPointError(
                f"the loss is not finite at step {step} of stage {self.name} ({values}): lower the learning rate"
            )
        self._optimizer.zero_grad(set_to_none=True)
        self._processes.backward(loss)
        trained = [parameter for group in self._optimizer.param_groups for parameter in group["params"]]
        nn.utils.clip_grad_norm_(trained, _LARGEST_GRADIENT)
        self._optimizer.step()
        self.state.step += 1
        bar.update()
        if watch or step % _LOG_EVERY == 0:
            losses = {name: round(float(value.detach()), 4) for name, value in parts.losses.items()}
            figures = {name: round(value, 4) for name, value in parts.figures.items()}
            self.log.append({"step": step, **losses, **figures})
            bar.set_postfix({**losses, **figures}, refresh=False)
        if self._validate is not None and step and step % _VALIDATE_EVERY == 0:
            self._plain.eval()
            self.log.append({"step": step, **{f"held_out_{k}": round(v, 4) for k, v in self._validate().items()}})
            self._plain.train()

    def _schedule(self) -> float:
        """Share of the learning rate: a warm-up, a plateau, a cosine down over the second half."""
        step, steps = self.state.step, self.state.steps
        warm = min(1.0, (step + 1) / min(_WARM_UP, max(1, steps // 10) if steps else _WARM_UP))
        if not steps:
            return warm
        late = min(max(2.0 * step / steps - 1.0, 0.0), 1.0)
        return warm * (_LOWEST_RATE + (1.0 - _LOWEST_RATE) * 0.5 * (1.0 + math.cos(math.pi * late)))

    def _fit_steps(self, times: list[float]) -> None:
        left = 60.0 * self._minutes - self.state.spent
        usual = sum(times) / len(times)
        self.state.steps = self._processes.agree(self.state.step + max(1, int(left / usual)))

    @contextlib.contextmanager
    def _cast(self) -> Iterator[None]:
        device = self._plain.model.device.type
        with torch.autocast(device, self._precision, enabled=self._precision is not torch.float32):
            yield

    @property
    def _shows(self) -> bool:
        return self._processes.is_first
