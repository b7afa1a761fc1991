# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The act loop: newest inputs in, one tick at a time, a chunk or a reason for none out. No ROS, no thread of its own.

Any thread may put inputs, set the instruction or ask; one thread calls ``tick`` at the control rate.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from instructvla_ros.policy.act_reports import ActLoopStatistics, Answer, ReasoningUpdate, TickResult, TickStatus
from instructvla_ros.policy.inputs import Frame, InputAges, frames_fault, input_ages, joint_state_fault
from instructvla_ros.policy.policy import Observation, Policy
from instructvla_ros.policy.profile import REASONING_MODES
from instructvla_ros.robot.action_chunk import ActionChunk
from instructvla_ros.robot.joint_state import JointState
from instructvla_ros.timing import LatencyWindow, RateMeter

_LOGGER = logging.getLogger(__name__)
_MOST_PENDING_QUESTIONS = 16


class QuestionRefused(RuntimeError):
    """A question that cannot be answered; the message says why."""


@dataclass(frozen=True)
class _Question:
    text: str
    answer: Future


class ActLoop:
    """Runs a policy on the newest inputs.

    Args:
        policy: the policy; from now on only ``tick`` uses it.
        clock: monotonic clock for durations and rates [s]; stamps and ``now`` are on a clock of the caller's.
        reasoning: ``auto``, ``always`` or ``never``; the profile's by default.
        reasoning_period: how often to reason anew while an instruction lasts [s], 0 for once; the profile's by default.
        on_reasoning: called from the ticking thread with each piece of text.
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
        mode = settings.mode if reasoning is None else reasoning
        if mode not in REASONING_MODES:
            raise ValueError(f"reasoning must be one of {', '.join(REASONING_MODES)}, got {mode!r}")
        self._reasons = policy.reasons_by_default if mode == "auto" else mode == "always"
        self._reasoning_period = settings.period if reasoning_period is None else reasoning_period
        if not self._reasoning_period >= 0.0:
            raise ValueError(f"the reasoning period must be 0 or more seconds, got {self._reasoning_period}")
        self._policy = policy
        self._clock = clock
        self._on_reasoning = on_reasoning
        self._on_epoch = on_epoch

        self._lock = threading.Lock()  # guards what other threads touch: inputs, instruction, questions, statistics
        self._frames: dict[str, Frame | None] = dict.fromkeys(policy.views)
        self._joint_state: JointState | None = None
        self._instruction = ""
        self._instruction_version = 0
        self._questions: deque[_Question] = deque()
        self._closed = False

        self._logged_failure = ""
        self._followed_version = 0
        self._reasoned_at: float | None = None
        self._counts = dict.fromkeys(("chunks", "holds", "reasonings", "answers", "failures"), 0)
        self._act_times = LatencyWindow()
        self._reasoning_times = LatencyWindow()
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
        if view not in self._frames:
            raise ValueError(f"the model takes no view {view!r}; it takes {', '.join(self._frames)}")
        with self._lock:
            self._frames[view] = Frame(stamp, rgb)

    def put_joint_state(self, joint_state: JointState) -> None:
        """Replaces the newest joint state. A faulty one makes the loop hold and say why."""
        with self._lock:
            self._joint_state = joint_state

    def set_instruction(self, text: str) -> None:
        """Sets what to do from the next tick on; blank means nothing. Reasoning on an older instruction is cut short.

        The same instruction again changes nothing, so that it may be published periodically.
        """
        text = text.strip()
        with self._lock:
            if text != self._instruction:
                self._instruction = text
                self._instruction_version += 1

    def restart(self) -> None:
        """Starts a new epoch of the present instruction at the next tick, also after ``close``."""
        with self._lock:
            self._closed = False
            self._instruction_version += 1

    def ask(self, question: str) -> Future:
        """Queues a question about what the cameras see; a later tick answers it, one question a tick.

        Returns:
            A future of an :class:`Answer`. It raises ``QuestionRefused`` if there is no question, too many are waiting,
            there is no usable image, or the loop was closed, and the model's own exception if that fails. A future
            cancelled in time is not answered.
        """
        entry = _Question(question.strip(), Future())
        with self._lock:
            if not entry.text:
                refusal = "the question is empty"
            elif self._closed:
                refusal = "the policy is shutting down"
            elif len(self._questions) >= _MOST_PENDING_QUESTIONS:
                refusal = f"{_MOST_PENDING_QUESTIONS} questions are waiting already; ask again later"
            else:
                self._questions.append(entry)
                return entry.answer
        entry.answer.set_exception(QuestionRefused(refusal))
        return entry.answer

    def close(self) -> None:
        """Cuts reasoning and answering short, refuses waiting questions; ticks do nothing until ``restart``."""
        with self._lock:
            self._closed = True
            waiting = list(self._questions)
            self._questions.clear()
        for entry in waiting:
            if entry.answer.set_running_or_notify_cancel():
                entry.answer.set_exception(QuestionRefused("the policy is shutting down"))

    def ages(self, now: float) -> InputAges:
        """Ages of the newest inputs at the time ``now`` [s], on the clock of the stamps; from any thread."""
        with self._lock:
            frames, joint_state = dict(self._frames), self._joint_state
        return input_ages(now, frames, joint_state)

    def statistics(self) -> ActLoopStatistics:
        """Figures so far; from any thread."""
        with self._lock:
            counts, last = dict(self._counts), self._last
        return ActLoopStatistics(
            **counts,
            chunk_rate=self._chunk_rate.rate(),
            act_percentiles=self._act_times.percentiles(50, 95, 99),
            reasoning_percentiles=self._reasoning_times.percentiles(50, 95, 99),
            last=last,
        )

    def tick(self, now: float) -> TickResult:
        """Does what is due: reason, act, answer one question. Never raises because of inputs, model or policy.

        Args:
            now: the present [s], on the clock of the stamps.

        Returns:
            What came of it.
        """
        with self._lock:
            frames, joint_state = dict(self._frames), self._joint_state
            instruction, version = self._instruction, self._instruction_version
            closed = self._closed
        ages = input_ages(now, frames, joint_state)
        if closed:
            return self._result(TickStatus.IDLE, "the policy is shutting down", ages)
        image_fault = frames_fault(now, frames, self._policy.profile)
        try:
            result = self._follow(now, frames, joint_state, instruction, version, image_fault, ages)
        except Exception as error:
            result = self._fail("acting", error, ages)
        self._answer_one(frames, image_fault)
        with self._lock:
            self._last = result
            if result.status is TickStatus.HOLDING:
                self._counts["holds"] += 1
        return result

    def _follow(
        self,
        now: float,
        frames: dict[str, Frame | None],
        joint_state: JointState | None,
        instruction: str,
        version: int,
        image_fault: str | None,
        ages: InputAges,
    ) -> TickResult:
        if version != self._followed_version:
            epoch = self._policy.start_epoch(instruction)
            self._followed_version = version
            self._reasoned_at = None
            if self._on_epoch is not None:
                self._on_epoch(epoch, instruction)
        if not instruction:
            return self._result(TickStatus.IDLE, "no instruction", ages)
        fault = image_fault or joint_state_fault(now, joint_state, self._policy.profile)
        if fault:
            return self._result(TickStatus.HOLDING, fault, ages)
        assert joint_state is not None, "joint_state_fault has said so"
        images = [frame for frame in frames.values() if frame is not None]
        observation = Observation(images[0].stamp, tuple(frame.rgb for frame in images), joint_state)
        if self._reasoning_is_due():
            return self._reason(observation, version, ages)
        if not self._policy.is_due(observation.stamp):
            return self._result(TickStatus.FOLLOWING, "the steps of the last chunk are being executed", ages)
        return self._act(observation, ages)

    def _act(self, observation: Observation, ages: InputAges) -> TickResult:
        started = self._clock()
        chunk = self._policy.act(observation)
        elapsed = self._clock() - started
        self._act_times.add(elapsed)
        self._chunk_rate.add()
        self._count("chunks")
        return self._result(TickStatus.ACTED, "", ages, chunk=chunk, inference_time=elapsed)

    def _reasoning_is_due(self) -> bool:
        if not self._reasons:
            return False
        if self._reasoned_at is None:
            return True
        return self._reasoning_period > 0.0 and self._clock() - self._reasoned_at >= self._reasoning_period

    def _reason(self, observation: Observation, version: int, ages: InputAges) -> TickResult:
        def is_outdated() -> bool:
            return self._closed or self._instruction_version != version

        def publish(text: str, final: bool = False) -> None:
            update = ReasoningUpdate(observation.stamp, self._policy.epoch, self._policy.instruction, text, final)
            if self._on_reasoning is not None:
                try:
                    self._on_reasoning(update)
                except Exception:
                    _LOGGER.exception("the receiver of reasoning failed")

        started = self._clock()
        try:
            text = self._policy.reason(observation, on_text=publish, should_stop=is_outdated)
        except Exception as error:
            return self._fail("reasoning", error, ages)
        elapsed = self._clock() - started
        if is_outdated():
            return self._result(
                TickStatus.REASONED, "reasoning was cut short by a new instruction", ages, inference_time=elapsed
            )
        self._reasoned_at = self._clock()  # counted from the end, so that acting gets its turn
        self._reasoning_times.add(elapsed)
        self._count("reasonings")
        publish(text, final=True)
        return self._result(
            TickStatus.REASONED, "the model has just spoken and acts at the next tick", ages, inference_time=elapsed
        )

    def _answer_one(self, frames: dict[str, Frame | None], image_fault: str | None) -> None:
        with self._lock:
            entry = self._questions.popleft() if self._questions else None
        if entry is None or not entry.answer.set_running_or_notify_cancel():
            return
        if image_fault:
            entry.answer.set_exception(QuestionRefused(f"cannot look: {image_fault}"))
            return
        shown = [frame for frame in frames.values() if frame is not None]
        started = self._clock()
        try:
            words = self._policy.ask([frame.rgb for frame in shown], entry.text, should_stop=lambda: self._closed)
        except Exception as error:
            _LOGGER.error("answering failed: %s", error, exc_info=None if isinstance(error, ValueError) else error)
            self._count("failures")
            entry.answer.set_exception(error)
            return
        if self._closed:
            entry.answer.set_exception(QuestionRefused("the policy is shutting down"))
            return
        self._count("answers")
        entry.answer.set_result(Answer(words, shown[0].stamp, self._clock() - started))

    def _fail(self, doing: str, error: Exception, ages: InputAges) -> TickResult:
        reason = f"{doing} failed: {type(error).__name__}: {error}"
        if reason != self._logged_failure:  # it may come back at every tick
            # a ValueError is somebody's input, and its message says all there is; others need their traceback
            _LOGGER.error("%s", reason, exc_info=None if isinstance(error, ValueError) else error)
        self._logged_failure = reason
        self._count("failures")
        return self._result(TickStatus.HOLDING, reason, ages)

    def _result(
        self,
        status: TickStatus,
        reason: str,
        ages: InputAges,
        chunk: ActionChunk | None = None,
        inference_time: float = 0.0,
    ) -> TickResult:
        return TickResult(status, reason, chunk, self._policy.epoch, ages, inference_time)

    def _count(self, what: str) -> None:
        with self._lock:
            self._counts[what] += 1
