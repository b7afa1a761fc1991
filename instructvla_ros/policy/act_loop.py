# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The act loop: newest inputs in, one tick at a time, a chunk or a reason for none out. No ROS, no thread of its own.

Any thread may put inputs, set the instruction or ask. One thread calls ``tick`` at the control rate, another ``think``
as often as there is something to think about: words never stand in the way of actions for longer than one word.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace

import numpy as np

from instructvla_ros.policy.act_reports import ActLoopStatistics, ReasoningUpdate, TickResult, TickStatus
from instructvla_ros.policy.failures import FailureLog
from instructvla_ros.policy.inputs import InputAges, frames_fault, input_ages, joint_state_fault
from instructvla_ros.policy.loop_state import Following, LoopState, Snapshot
from instructvla_ros.policy.policy import Observation, Policy
from instructvla_ros.policy.thinking import QuestionRefused, Thinker
from instructvla_ros.policy.turns import Turns
from instructvla_ros.robot.action_chunk import ActionChunk
from instructvla_ros.robot.joint_state import JointState
from instructvla_ros.timing import LatencyWindow, RateMeter

__all__ = ["ActLoop", "QuestionRefused"]

_LOGGER = logging.getLogger(__name__)


class ActLoop:
    """Runs a policy on the newest inputs.

    Args:
        policy: the policy; from now on only ``tick`` and ``think`` use it.
        clock: monotonic clock for durations and rates [s]; stamps and ``now`` are on a clock of the caller's.
        reasoning: ``auto``, ``always`` or ``never``; the profile's by default.
        reasoning_period: how often to reason anew while an instruction lasts [s], 0 for once; the profile's by default.
        on_reasoning: called from the thinking thread with each piece of text.
        on_epoch: called from the ticking thread with number and instruction (empty when idle) of each new epoch before
            the model is asked anything under it, so that chunks of the old one can be voided without waiting for it.

    Raises:
        ValueError: if the reasoning mode is unknown or the period negative.
    """

    def __init__(
        self,
        policy: Policy,
        clock: Callable[[], float] = time.monotonic,
        reasoning: str | None = None,
        reasoning_period: float | None = None,
        on_reasoning: Callable[[ReasoningUpdate], None] | None = None,
        on_epoch: Callable[[int, str], None] | None = None,
    ) -> None:
        settings = policy.profile.reasoning
        if reasoning is not None:
            settings = replace(settings, mode=reasoning)
        if reasoning_period is not None:
            settings = replace(settings, period=reasoning_period)
        self._policy = policy
        self._clock = clock
        self._on_epoch = on_epoch
        self._state = LoopState(policy.views)
        self._turns = Turns()
        self._thinker = Thinker(policy, self._state, self._turns, settings, clock, on_reasoning)
        self._failures = FailureLog(self._state, _LOGGER)
        self.act_times = LatencyWindow()
        """How long acts took lately, their wait for the model included [s]."""
        self._chunk_rate = RateMeter(clock=clock)
        self._last: TickResult | None = None

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the cameras that the model takes."""
        return self._policy.views

    def put_image(self, view: str, stamp: float, rgb: np.ndarray) -> None:
        """Replaces a view's newest frame.

        Args:
            view: one of ``views``.
            stamp: when the frame was taken [s].
            rgb: ``(H, W, 3)`` uint8; must not be written to afterwards. A faulty one makes the loop hold and say why.

        Raises:
            ValueError: if the model does not take such a view.
        """
        self._state.put_image(view, stamp, rgb)

    def put_joint_state(self, joint_state: JointState) -> None:
        """Replaces the newest joint state. A faulty one makes the loop hold and say why."""
        self._state.put_joint_state(joint_state)

    def set_instruction(self, text: str) -> None:
        """Sets what to do from the next tick on; blank means nothing. Reasoning on an older instruction is cut short.

        The same instruction again changes nothing, so that it may be published periodically.
        """
        self._state.set_instruction(text)

    def restart(self) -> None:
        """Starts a new epoch of the present instruction at the next tick, also after ``close``."""
        self._state.restart()

    def ask(self, question: str) -> Future:
        """Queues a question about what the cameras see; ``think`` answers it when nothing else is due.

        Returns:
            A future of an :class:`Answer`. It raises ``QuestionRefused`` if there is no question, too many are waiting,
            there is no usable image, or the loop was closed, and the model's own exception if that fails. A future
            cancelled in time is not answered.
        """
        return self._thinker.ask(question)

    def close(self) -> None:
        """Cuts reasoning and answering short, refuses waiting questions; ticks do nothing until ``restart``."""
        self._state.close()
        self._thinker.refuse_questions()

    def ages(self, now: float) -> InputAges:
        """Ages of the newest inputs at the time ``now`` [s], on the clock of the stamps; from any thread."""
        return self._state.ages(now)

    def statistics(self) -> ActLoopStatistics:
        """Figures so far; from any thread."""
        return ActLoopStatistics(
            **self._state.counts(),
            chunk_rate=self._chunk_rate.rate(),
            act_percentiles=self.act_times.percentiles(50, 95, 99),
            reasoning_percentiles=self._thinker.times.percentiles(50, 95, 99),
            last=self._last,
        )

    def think(self, now: float) -> bool:
        """Speaks about the instruction where that is due, or else answers one question; raises nothing.

        Args:
            now: the present [s], on the clock of the stamps.

        Returns:
            Whether something was done, so that there may be more to do at once.
        """
        return self._thinker.think(now)

    def wait_to_think(self, timeout: float) -> None:
        """Waits until there may be something to think about.

        Args:
            timeout: longest wait [s].
        """
        self._state.something_to_think.wait(timeout)

    @property
    def waiting_for_the_model(self) -> int:
        """Threads that wait for another's word or act to end."""
        return self._turns.waiting

    def tick(self, now: float) -> TickResult:
        """Acts, where nothing forbids it. Never raises because of inputs, model or policy.

        Args:
            now: the present [s], on the clock of the stamps.

        Returns:
            What came of it.
        """
        here = self._state.snapshot()
        ages = input_ages(now, here.frames, here.joint_state)
        if here.closed:
            return self._result(TickStatus.IDLE, "the policy is shutting down", ages)
        try:
            result = self._follow(now, here, ages)
        except Exception as error:
            result = self._result(TickStatus.HOLDING, self._failures.add("acting", error), ages)
        self._last = result
        if result.status is TickStatus.HOLDING:
            self._state.count("holds")
        return result

    def _follow(self, now: float, here: Snapshot, ages: InputAges) -> TickResult:
        if here.version != self._state.following.version:
            epoch = self._policy.start_epoch(here.instruction)
            if self._on_epoch is not None:
                self._on_epoch(epoch, here.instruction)
            self._state.follow(Following(here.version, epoch, here.instruction))
        if not here.instruction:
            return self._result(TickStatus.IDLE, "no instruction", ages)
        fault = frames_fault(now, here.frames, self._policy.profile)
        fault = fault or joint_state_fault(now, here.joint_state, self._policy.profile)
        if fault:
            return self._result(TickStatus.HOLDING, fault, ages)
        assert here.joint_state is not None, "joint_state_fault has said so"
        if self._thinker.reasons:
            spoken = self._state.spoken
            if spoken is None:
                fault = self._thinker.fault(here.version)
                status = TickStatus.HOLDING if fault else TickStatus.REASONING
                return self._result(status, fault or "the model has not spoken about the instruction yet", ages)
            self._policy.adopt(spoken.text, spoken.stamp)
        images = [frame for frame in here.frames.values() if frame is not None]
        observation = Observation(images[0].stamp, tuple(frame.rgb for frame in images), here.joint_state)
        if not self._policy.is_due(observation.stamp):
            return self._result(TickStatus.FOLLOWING, "the steps of the last chunk are being executed", ages)
        return self._act(observation, now, ages)

    def _act(self, observation: Observation, now: float, ages: InputAges) -> TickResult:
        started = self._clock()
        with self._turns:
            chunk = self._policy.act(observation, now + self._clock() - started)
        elapsed = self._clock() - started
        self.act_times.add(elapsed)
        self._chunk_rate.add()
        self._state.count("chunks")
        return self._result(TickStatus.ACTED, "", ages, chunk=chunk, inference_time=elapsed)

    def _result(
        self,
        status: TickStatus,
        reason: str,
        ages: InputAges,
        chunk: ActionChunk | None = None,
        inference_time: float = 0.0,
    ) -> TickResult:
        return TickResult(status, reason, chunk, self._policy.epoch, ages, inference_time)
