# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Thinking beside acting: the model speaks about an instruction, speaks anew when it is time, and answers questions.

One thread calls :meth:`Thinker.think` again and again. The thread that acts uses the same model; both take turns, and
the model gives way after every word.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from instructvla_ros.policy.act_reports import Answer, ReasoningUpdate
from instructvla_ros.policy.failures import FailureLog
from instructvla_ros.policy.frames import picture_change
from instructvla_ros.policy.inputs import Frame, frames_fault
from instructvla_ros.policy.loop_state import Following, LoopState, Snapshot, Spoken
from instructvla_ros.policy.policy import Policy
from instructvla_ros.policy.profile import REASONING_MODES, ReasoningSettings
from instructvla_ros.policy.turns import Turns
from instructvla_ros.timing import LatencyWindow

_LOGGER = logging.getLogger(__name__)
_MOST_PENDING_QUESTIONS = 16


class QuestionRefused(RuntimeError):
    """A question that cannot be answered; the message says why."""


@dataclass(frozen=True)
class _Question:
    text: str
    answer: Future


class Thinker:
    """Speaks and answers.

    Args:
        policy: whose model speaks; nothing in it changes here.
        state: shared with acting.
        turns: at the model.
        settings: when it speaks.
        clock: monotonic clock [s].
        on_reasoning: called from the thinking thread with each piece of text.

    Raises:
        ValueError: if the reasoning mode is unknown, or a number is negative or none.
    """

    def __init__(
        self,
        policy: Policy,
        state: LoopState,
        turns: Turns,
        settings: ReasoningSettings,
        clock: Callable[[], float] = time.monotonic,
        on_reasoning: Callable[[ReasoningUpdate], None] | None = None,
    ) -> None:
        if settings.mode not in REASONING_MODES:
            raise ValueError(f"reasoning must be one of {', '.join(REASONING_MODES)}, got {settings.mode!r}")
        if not settings.period >= 0.0:
            raise ValueError(f"the reasoning period must be 0 or more seconds, got {settings.period}")
        if not 0.0 <= settings.scene_change <= 1.0:
            raise ValueError(f"the scene change that asks for reasoning is 0 to 1, got {settings.scene_change}")
        self.reasons = policy.reasons_by_default if settings.mode == "auto" else settings.mode == "always"
        """Whether the model speaks before it acts."""
        self._policy, self._state, self._turns, self._settings = policy, state, turns, settings
        self._clock, self._on_reasoning = clock, on_reasoning
        self._lock = threading.Lock()  # guards the questions
        self._questions: deque[_Question] = deque()
        self._reasoned_at = 0.0
        self._reasoned_on: np.ndarray | None = None  # (H, W, 3) the primary frame
        self._fault: tuple[int, str] = (0, "")
        self._failures = FailureLog(state, _LOGGER)
        self.times = LatencyWindow()
        """How long texts took [s]."""

    def ask(self, question: str) -> Future:
        """Queues a question, see ``ActLoop.ask``."""
        entry = _Question(question.strip(), Future())
        with self._lock:
            if not entry.text:
                refusal = "the question is empty"
            elif self._state.closed:
                refusal = "the policy is shutting down"
            elif len(self._questions) >= _MOST_PENDING_QUESTIONS:
                refusal = f"{_MOST_PENDING_QUESTIONS} questions are waiting already; ask again later"
            else:
                self._questions.append(entry)
                self._state.something_to_think.set()
                return entry.answer
        entry.answer.set_exception(QuestionRefused(refusal))
        return entry.answer

    def refuse_questions(self) -> None:
        """Refuses those that wait; the state is closed already."""
        with self._lock:
            waiting = list(self._questions)
            self._questions.clear()
        for entry in waiting:
            if entry.answer.set_running_or_notify_cancel():
                entry.answer.set_exception(QuestionRefused("the policy is shutting down"))

    def fault(self, version: int) -> str:
        """Why the model could not speak about this version of the instruction; empty if it could, or has not tried."""
        of, reason = self._fault
        return reason if of == version else ""

    def think(self, now: float) -> bool:
        """Does what is due: speak about the instruction, or else answer one question. Raises nothing.

        Args:
            now: the present [s], on the clock of the stamps.

        Returns:
            Whether something was done, so that there may be more to do at once.
        """
        self._state.something_to_think.clear()
        here, following = self._state.snapshot(), self._state.following
        if here.closed:
            return False
        image_fault = frames_fault(now, here.frames, self._policy.profile)
        if not image_fault and following.version == here.version and self._is_due(following, here):
            return self._reason(following, _shown(here))
        return self._answer_one(_shown(here), image_fault)

    def _is_due(self, following: Following, here: Snapshot) -> bool:
        if not (self.reasons and following.instruction):
            return False
        if self._state.spoken is None:
            return True
        settings = self._settings
        if settings.period > 0.0 and self._clock() - self._reasoned_at >= settings.period:
            return True
        if settings.scene_change > 0.0 and self._reasoned_on is not None:
            return picture_change(self._reasoned_on, _shown(here)[0].rgb) >= settings.scene_change
        return False

    def _reason(self, following: Following, shown: list[Frame]) -> bool:
        def should_stop() -> bool:
            self._turns.give_way()
            return self._state.is_outdated(following.version)

        def publish(text: str, final: bool = False) -> None:
            update = ReasoningUpdate(shown[0].stamp, following.epoch, following.instruction, text, final)
            if self._on_reasoning is not None:
                try:
                    self._on_reasoning(update)
                except Exception:
                    _LOGGER.exception("the receiver of reasoning failed")

        started = self._clock()
        try:
            with self._turns:
                thought = self._policy.think(
                    [frame.rgb for frame in shown], following.instruction, on_text=publish, should_stop=should_stop
                )
        except Exception as error:
            self._fault = (following.version, self._failures.add("reasoning", error))
            return False
        if not self._state.speak(Spoken(following.version, thought.text, shown[0].stamp)):
            return True
        self._fault = (0, "")
        self._reasoned_at = self._clock()  # counted from the end
        self._reasoned_on = shown[0].rgb
        self.times.add(self._reasoned_at - started)
        self._state.count("reasonings")
        publish(thought.words, final=True)
        return True

    def _answer_one(self, shown: list[Frame], image_fault: str | None) -> bool:
        with self._lock:
            entry = self._questions.popleft() if self._questions else None
        if entry is None:
            return False
        if not entry.answer.set_running_or_notify_cancel():
            return True
        if image_fault:
            entry.answer.set_exception(QuestionRefused(f"cannot look: {image_fault}"))
            return True

        def should_stop() -> bool:
            self._turns.give_way()
            return self._state.closed

        started = self._clock()
        try:
            with self._turns:
                words = self._policy.ask([frame.rgb for frame in shown], entry.text, should_stop=should_stop)
        except Exception as error:
            self._failures.add("answering", error)
            entry.answer.set_exception(error)
            return True
        if self._state.closed:
            entry.answer.set_exception(QuestionRefused("the policy is shutting down"))
            return True
        self._state.count("answers")
        entry.answer.set_result(Answer(words, shown[0].stamp, self._clock() - started))
        return True


def _shown(here: Snapshot) -> list[Frame]:
    return [frame for frame in here.frames.values() if frame is not None]
