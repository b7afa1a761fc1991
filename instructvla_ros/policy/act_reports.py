# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the act loop tells: the outcome of a tick, pieces of reasoning, figures for diagnostics."""

from dataclasses import dataclass
from enum import Enum

from instructvla_ros.policy.inputs import InputAges
from instructvla_ros.robot.action_chunk import ActionChunk


class TickStatus(Enum):
    """What a tick came to."""

    ACTED = "acted"  # a chunk was made
    REASONING = "reasoning"  # the model has not spoken about the instruction yet; it acts when it has
    FOLLOWING = "following"  # the last chunk still has steps to be executed before the next is due
    IDLE = "idle"  # there is no instruction
    HOLDING = "holding"  # there is an instruction, but something forbids acting


@dataclass(frozen=True, eq=False)
class TickResult:
    """What a tick came to.

    Attributes:
        status: in one word.
        reason: why no chunk was made, for people; empty if one was.
        chunk: the chunk, if one was made.
        epoch: the running epoch; a result with a new epoch voids the chunks of older ones, chunk or none.
        ages: ages of the inputs at the tick.
        inference_time: how long the model took [s]; 0 if it was not asked.
    """

    status: TickStatus
    reason: str
    chunk: ActionChunk | None
    epoch: int
    ages: InputAges
    inference_time: float = 0.0


@dataclass(frozen=True)
class Answer:
    """The answer to a free question.

    Attributes:
        text: the model's words.
        stamp: of the primary frame that it speaks of [s].
        inference_time: how long the model took [s].
    """

    text: str
    stamp: float
    inference_time: float


@dataclass(frozen=True)
class ReasoningUpdate:
    """What the model says, as it says it.

    Attributes:
        stamp: of the observation it speaks of [s].
        epoch: of the instruction.
        instruction: the instruction.
        text: the whole text so far.
        final: whether the text is complete. A text that a new instruction cuts short never becomes final.
    """

    stamp: float
    epoch: int
    instruction: str
    text: str
    final: bool


@dataclass(frozen=True)
class ActLoopStatistics:
    """Figures since the start, for diagnostics.

    Attributes:
        chunks: chunks made.
        holds: ticks that held although there was an instruction.
        reasonings: texts completed.
        answers: questions answered.
        failures: times that the model or the policy raised an exception.
        chunk_rate: chunks a second lately [Hz].
        act_percentiles: 50th, 95th and 99th percentile of the time to make a chunk [s]; NaN before the first.
        reasoning_percentiles: the same of the time to reason [s].
        last: the last tick; None before the first.
    """

    chunks: int
    holds: int
    reasonings: int
    answers: int
    failures: int
    chunk_rate: float
    act_percentiles: tuple[float, ...]
    reasoning_percentiles: tuple[float, ...]
    last: TickResult | None
