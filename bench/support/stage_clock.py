# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the time of one act goes: methods of a model timed from outside."""

import time
from collections.abc import Callable
from typing import Any

import torch

from instructvla_ros.model import InstructVLA

ENCODE, GATE, READ, LOOK, CONTEXT, FLOW = "picture", "gate pass", "language model", "action vision", "context", "flow"


class StageClock:
    """Times the stages of every act while it is attached; on a GPU each stage is waited for, which costs a little.

    Attributes:
        times: by stage, one number an act [s].
    """

    def __init__(self, model: InstructVLA) -> None:
        self._model = model
        self._now: dict[str, float] = {}
        self.times: dict[str, list[float]] = {}

    def attach(self) -> None:
        """Begin to time."""
        model, decoder = self._model, self._model.language.decoder
        self._wrap(model, "encode_images", lambda _: ENCODE)
        if model.recorded is not None:
            self._wrap(model.recorded, "read", lambda _: f"{GATE} and {READ}")
            self._wrap(model.recorded, "flow", lambda _: f"{LOOK}, {CONTEXT} and {FLOW}")
            return
        is_gated = model.language.gate is not None
        self._wrap(
            decoder, "forward", lambda keywords: GATE if is_gated and keywords.get("mix") is None else READ
        )
        if model.language.gate is not None:
            self._wrap(model.language.gate, "forward", lambda _: GATE)
        self._wrap(model.expert, "look", lambda _: LOOK)
        self._wrap(model.expert, "context", lambda _: CONTEXT)
        self._wrap(model.expert, "sample", lambda _: FLOW)

    def act_done(self) -> None:
        """One act is over: its times are kept."""
        for stage, seconds in self._now.items():
            self.times.setdefault(stage, []).append(seconds)
        self._now = {}

    def _wrap(self, owner: Any, name: str, stage_of: Callable[[dict[str, Any]], str]) -> None:
        function = getattr(owner, name)

        def timed(*arguments: Any, **keywords: Any) -> Any:
            self._wait()
            started = time.perf_counter()
            outcome = function(*arguments, **keywords)
            self._wait()
            stage = stage_of(keywords)
            self._now[stage] = self._now.get(stage, 0.0) + time.perf_counter() - started
            return outcome

        object.__setattr__(owner, name, timed)

    def _wait(self) -> None:
        if self._model.device.type == "cuda":
            torch.cuda.synchronize(self._model.device)
