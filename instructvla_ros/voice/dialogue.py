# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What becomes of what was heard: who was meant, what is asked back, and when an instruction goes to the robot.

Nothing here waits or knows the time by itself; every call says what time it is.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from instructvla_ros.voice.engines import Hypothesis
from instructvla_ros.voice.vocabulary import Meaning, Vocabulary

STOP_WORDS = frozenset({"stop", "halt", "freeze"})
ATTENTION = 8.0  # how long the robot listens after it was called [s]


class Mode(enum.Enum):
    """When words are for the robot."""

    PUSH_TO_TALK = "push_to_talk"
    WAKE_PHRASE = "wake_phrase"
    ALWAYS = "always"


class Outcome(enum.IntEnum):
    """What became of an utterance; the numbers are those of Heard.msg."""

    NOT_UNDERSTOOD = 0
    NOT_ADDRESSED = 1
    AWAITING_CONFIRMATION = 2
    SENT = 3
    CANCELLED = 4
    REFUSED = 5
    STOPPED = 6
    CALLED = 7


@dataclass(frozen=True)
class Reply:
    """What to do now.

    Attributes:
        outcome: what became of what was heard.
        text: the words it is about.
        confidence: of the words.
        reason: why, for people.
        instruction: goes to the robot; empty: nothing does.
        stop: the arm has to stop, at once.
        say: to be spoken; empty: nothing.
    """

    outcome: Outcome
    text: str
    confidence: float
    reason: str
    instruction: str = ""
    stop: bool = False
    say: str = ""


class Dialogue:
    """Takes in what was heard and what people press, and says what follows from it.

    Args:
        vocabulary: what words mean.
        mode: when words are for the robot.
        auto_confirm: whether commands go to the robot without a question.
        minimum_confidence: below it nothing is believed.
        stop_confidence: the same for a stop; less, because a stop too many costs less than one too few.
        confirm_timeout: how long an answer is awaited [s].
        free_text: whether commands may be in any words.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        mode: Mode,
        *,
        auto_confirm: bool = False,
        minimum_confidence: float = 0.5,
        stop_confidence: float = 0.1,
        confirm_timeout: float = 15.0,
        free_text: bool = False,
    ) -> None:
        self._vocabulary, self._mode, self._auto_confirm = vocabulary, mode, auto_confirm
        self._least, self._least_for_stop = minimum_confidence, min(stop_confidence, minimum_confidence)
        self._confirm_timeout, self._free_text = confirm_timeout, free_text
        self._pending: tuple[str, float] | None = None
        self._pending_until = self._attentive_until = -float("inf")
        self.stopped_because = ""

    @property
    def pending(self) -> str:
        """The instruction that awaits a confirmation; empty: none does."""
        return self._pending[0] if self._pending else ""

    def hear(self, heard: Hypothesis, now: float, *, addressed: bool = False) -> Reply:
        """Judge an utterance.

        Args:
            heard: what the engine made of it.
            now: monotonic time [s].
            addressed: whether the talk button was held.
        """
        text, confidence = heard.text, heard.confidence
        if self.would_stop(heard):
            return self._stop(text, confidence)
        meaning = self._vocabulary.meaning(text) or (self._free_meaning(text) if self._free_text else None)
        if meaning is None:
            why = "these are no words for the robot" if text else "no words were found"
            return Reply(Outcome.NOT_UNDERSTOOD, text, confidence, why)
        if confidence < self._least:
            why = f"confidence {confidence:.2f} is under {self._least:.2f}"
            return Reply(Outcome.NOT_UNDERSTOOD, text, confidence, why)
        if meaning.kind in ("confirm", "cancel"):
            return self._answer(meaning, heard, now)
        if meaning.kind == "wake":
            self._attentive_until = now + ATTENTION
            return Reply(Outcome.CALLED, text, confidence, f"listening for {ATTENTION:g} s", say="yes?")
        meant = {
            Mode.ALWAYS: True,
            Mode.PUSH_TO_TALK: addressed,
            Mode.WAKE_PHRASE: addressed or meaning.called or now < self._attentive_until,
        }[self._mode]
        if not meant:
            how = f'say "{self._vocabulary.wake[0]}" first' if self._mode is Mode.WAKE_PHRASE else "press to talk"
            return Reply(Outcome.NOT_ADDRESSED, text, confidence, f"the robot was not addressed: {how}")
        self._attentive_until = -float("inf")
        return self._command(meaning.instruction, confidence, now)

    def would_stop(self, heard: Hypothesis) -> bool:
        """Whether an utterance stops the arm, whoever was addressed."""
        meaning = self._vocabulary.meaning(heard.text)
        is_stop = (meaning is not None and meaning.kind == "stop") or (self._free_text and _says_stop(heard.text))
        return is_stop and heard.confidence >= self._least_for_stop

    def confirm(self, now: float) -> Reply:
        """The pending instruction is right."""
        self.look(now)
        if self._pending is None:
            return Reply(Outcome.REFUSED, "", 0.0, "nothing awaits a confirmation")
        (text, confidence), self._pending = self._pending, None
        return self._send(text, confidence, "confirmed")

    def cancel(self, now: float) -> Reply:
        """The pending instruction is wrong."""
        self.look(now)
        if self._pending is None:
            return Reply(Outcome.REFUSED, "", 0.0, "nothing awaits a confirmation")
        (text, confidence), self._pending = self._pending, None
        return Reply(Outcome.CANCELLED, text, confidence, "cancelled", say="cancelled")

    def look(self, now: float) -> Reply | None:
        """Whether the wait for an answer has ended."""
        if self._pending is None or now < self._pending_until:
            return None
        (text, confidence), self._pending = self._pending, None
        return Reply(Outcome.CANCELLED, text, confidence, f"no answer within {self._confirm_timeout:g} s")

    def _free_meaning(self, text: str) -> Meaning | None:
        """Any words are a command, where the engine writes any words."""
        called = False
        for phrase in sorted(self._vocabulary.wake, key=len, reverse=True):
            if text.startswith(f"{phrase} "):
                text, called = text[len(phrase) :].strip(), True
                break
        return Meaning("command", called, text) if text else None

    def _stop(self, text: str, confidence: float) -> Reply:
        self._pending = None
        self._attentive_until = -float("inf")
        return Reply(Outcome.STOPPED, text, confidence, "the arm was told to stop", stop=True, say="stopped")

    def _answer(self, meaning: Meaning, heard: Hypothesis, now: float) -> Reply:
        self.look(now)
        if self._pending is None:
            why = f'"{heard.text}" answers no question'
            return Reply(Outcome.NOT_ADDRESSED, heard.text, heard.confidence, why)
        return self.confirm(now) if meaning.kind == "confirm" else self.cancel(now)

    def _command(self, text: str, confidence: float, now: float) -> Reply:
        if self.stopped_because:
            return self._refused(text, confidence)
        if self._auto_confirm:
            self._pending = None
            return self._send(text, confidence, "understood")
        self._pending, self._pending_until = (text, confidence), now + self._confirm_timeout
        question = f"{text}. {self._vocabulary.confirm[0]} or {self._vocabulary.cancel[0]}?"
        return Reply(Outcome.AWAITING_CONFIRMATION, text, confidence, "say or press whether it is right", say=question)

    def _send(self, text: str, confidence: float, why: str) -> Reply:
        if self.stopped_because:
            return self._refused(text, confidence)
        return Reply(Outcome.SENT, text, confidence, why, instruction=text)

    def _refused(self, text: str, confidence: float) -> Reply:
        why = f"not sent, the arm is stopped: {self.stopped_because}; reset it first"
        return Reply(Outcome.REFUSED, text, confidence, why, say="the arm is stopped")


def _says_stop(text: str) -> bool:
    """Whether free text begins or ends with a stop; in doubt it stops."""
    words = re.findall(r"[a-z']+", text)
    return bool(words) and (words[0] in STOP_WORDS or words[-1] in STOP_WORDS)
