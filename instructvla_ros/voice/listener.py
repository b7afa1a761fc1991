# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The thread that listens: sound in, utterances cut out and recognised, replies out. Nobody else waits for it.

At every short pause the utterance so far is recognised, before it is known that it ends there. So a stop is noticed
about 0.2 s after the word, and the words of a sentence are there when its end is sure.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from instructvla_ros.voice.activity import FRAME, FRAME_TIME, Edge, UtteranceDetector
from instructvla_ros.voice.audio import SILENCE_DB, AudioError, Samples, level_db
from instructvla_ros.voice.dialogue import Dialogue, Reply
from instructvla_ros.voice.engines import Hypothesis, SpeechEngine
from instructvla_ros.voice.sources import AudioSource

READ_TIMEOUT = 0.1  # [s]
RETRY_AFTER = 2.0  # between two tries to open a source that failed [s]
EARLY_PAUSE = 0.2  # of silence, after which the utterance so far is recognised [s]
LONGEST = 10.0  # of an utterance, with the talk button held too [s]


@dataclass
class ListenerState:
    """What there is to tell about it; written by the listening thread only.

    Attributes:
        trouble: why nothing is heard now; empty: all is well.
        source: what is listened to.
        level: of the last second [dB of full scale].
        utterances, too_long: how many were cut out, and how many of them were cut at the longest time.
        recognition_times: how long the last ones took to be recognised [s].
        delays: from the end of speech until a reply was there, for the last ones [s].
        blocks: of sound that were read.
    """

    trouble: str = "not started"
    source: str = ""
    level: float = SILENCE_DB
    utterances: int = 0
    too_long: int = 0
    recognition_times: deque[float] = field(default_factory=lambda: deque(maxlen=100))
    delays: deque[float] = field(default_factory=lambda: deque(maxlen=100))
    blocks: int = 0


class Listener:
    """Listens in a thread of its own.

    Args:
        source: where sound comes from.
        engine: what makes words of it.
        dialogue: what they mean; used under a lock, because people press buttons in other threads.
        on_reply: called with what follows from each utterance, in the listening thread.
        detector: cuts utterances out.
        muted: whether the robot speaks itself; what is heard meanwhile is thrown away.
        stop_only: recognises stops where the engine is not quick enough to be asked at every pause.
        on_trouble: called with each new trouble of the source, and with an empty text when it is over.
        clock: monotonic time [s].
    """

    def __init__(
        self,
        source: AudioSource,
        engine: SpeechEngine,
        dialogue: Dialogue,
        on_reply: Callable[[Reply], None],
        *,
        detector: UtteranceDetector | None = None,
        muted: Callable[[], bool] = lambda: False,
        stop_only: SpeechEngine | None = None,
        on_trouble: Callable[[str], None] = lambda text: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = ListenerState(source=source.name)
        self._source, self._engine, self._dialogue, self._on_reply = source, engine, dialogue, on_reply
        self._detector = detector or UtteranceDetector(longest=LONGEST)
        self._muted, self._stop_only, self._on_trouble, self._clock = muted, stop_only, on_trouble, clock
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listening", daemon=True)
        self._rest = np.zeros(0, np.int16)
        self._utterance: list[Samples] = []
        self._early: Hypothesis | None = None
        self._asked_early = False
        self._stopped_early = False
        self._talking = False
        self._talk_wanted = False
        self._levels: deque[float] = deque(maxlen=50)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no more, and wait for the thread to end."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def talk(self, pressed: bool) -> None:
        """The talk button was pressed or released: what is said between is one utterance, and for the robot."""
        self._talk_wanted = pressed

    def confirm(self) -> Reply:
        """What awaits a confirmation is right; the reply goes to ``on_reply`` too."""
        return self._reply(self._dialogue.confirm)

    def cancel(self) -> Reply:
        """What awaits a confirmation is wrong; the reply goes to ``on_reply`` too."""
        return self._reply(self._dialogue.cancel)

    def set_stopped(self, why: str) -> None:
        """Tell why the arm may not move; empty: it may."""
        with self._lock:
            self._dialogue.stopped_because = why

    @property
    def lost(self) -> float:
        """Sound that was thrown away because nobody read it in time [s]."""
        return self._source.lost

    @property
    def pending(self) -> str:
        """The instruction that awaits a confirmation; empty: none does."""
        with self._lock:
            return self._dialogue.pending

    def _reply(self, ask: Callable[[float], Reply]) -> Reply:
        with self._lock:
            reply = ask(self._clock())
        self._on_reply(reply)
        return reply

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self._source.open()
                self._set_trouble("")
                self._listen()
                while not self._ending.wait(READ_TIMEOUT):
                    self._look()  # somebody may still be asked
            except AudioError as error:
                self._set_trouble(str(error))
                self._forget()
            except Exception as error:  # noqa: BLE001  # else nobody would listen any more, and nobody would know
                self._set_trouble(f"{type(error).__name__}: {error}")
                self._forget()
            self._look()
            self._ending.wait(RETRY_AFTER)

    def _listen(self) -> None:
        try:
            while not self._ending.is_set():
                samples = self._source.read(READ_TIMEOUT)
                self._look()
                if samples is None:
                    self._heed_button()
                    if self._source.ended:
                        self._finish()
                        self._set_trouble(f"{self._source.name} has ended")
                        return
                    continue
                self.state.blocks += 1
                self.state.source = self._source.name
                if self._muted():
                    self._forget()
                    continue
                self.feed(samples)
        finally:
            self._source.close()

    def feed(self, samples: Samples) -> None:
        """Take in sound; called by the thread, and by benches without one."""
        joined = np.concatenate([self._rest, samples])
        whole = len(joined) // FRAME * FRAME
        self._rest = joined[whole:]
        for first in range(0, whole, FRAME):
            self._feed_frame(joined[first : first + FRAME])

    def _feed_frame(self, frame: Samples) -> None:
        self._levels.append(level_db(frame))
        if len(self._levels) == self._levels.maxlen:
            self.state.level = max(self._levels)
            self._levels.clear()
        self._heed_button()
        if self._talking:
            self._utterance.append(frame)
            if self._detector.feed(frame).edge is Edge.BEGIN:
                self._go_on()
            if self._detector.speaking:
                self._recognise_early()
            if len(self._utterance) * FRAME_TIME >= LONGEST:
                self._talk_wanted = False
                self._press(False)
            return
        activity = self._detector.feed(frame)
        if activity.edge is Edge.BEGIN:
            self._begin()
        if len(activity.samples):
            self._utterance.append(activity.samples)
        if self._detector.speaking:
            self._recognise_early()
        elif activity.edge in (Edge.END, Edge.TOO_LONG):
            self.state.too_long += activity.edge is Edge.TOO_LONG
            self._end(self._detector.trailing_silence, addressed=False)

    def _heed_button(self) -> None:
        wanted = self._talk_wanted
        if wanted != self._talking:
            self._press(wanted)

    def _finish(self) -> None:
        """End the utterance in progress: no sound will end it."""
        if self._talking or self._detector.speaking:
            addressed = self._talking
            self._detector.reset()
            self._talking = self._talk_wanted = False
            self._end(0.0, addressed=addressed)

    def _press(self, pressed: bool) -> None:
        self._detector.reset()
        self._talking = pressed
        if pressed:
            self._begin()
        else:
            self._end(0.0, addressed=True)

    def _begin(self) -> None:
        self._utterance, self._stopped_early = [], False
        self._go_on()

    def _go_on(self) -> None:
        """What was recognised at a pause is not all of it."""
        self._early, self._asked_early = None, False

    def _recognise_early(self) -> None:
        """Recognise the utterance so far where a pause begins, and forget that where it goes on."""
        silent = self._detector.silence
        if silent < FRAME_TIME / 2:
            self._go_on()
        elif not self._asked_early and silent >= EARLY_PAUSE - FRAME_TIME / 2:
            engine = self._engine if self._engine.quick else self._stop_only
            if engine is None:
                return
            self._asked_early = True
            heard = self._recognise(engine)
            if self._engine.quick:
                self._early = heard
            if not self._stopped_early and self._is_stop(heard):
                self._stopped_early = True
                self._give(heard, addressed=False, delay=silent)

    def _is_stop(self, heard: Hypothesis) -> bool:
        with self._lock:
            return self._dialogue.would_stop(heard)

    def _end(self, silence: float, *, addressed: bool) -> None:
        self.state.utterances += 1
        started = self._clock()
        heard = self._early if self._early is not None else self._recognise(self._engine)
        if not (self._stopped_early and self._is_stop(heard)):
            self._give(heard, addressed=addressed, delay=silence + self._clock() - started)
        self._utterance = []
        self._go_on()

    def _recognise(self, engine: SpeechEngine) -> Hypothesis:
        samples = np.concatenate(self._utterance) if self._utterance else np.zeros(0, np.int16)
        started = self._clock()
        heard = engine.recognise(samples)
        self.state.recognition_times.append(self._clock() - started)
        return heard

    def _give(self, heard: Hypothesis, *, addressed: bool, delay: float) -> None:
        self.state.delays.append(delay)
        self._reply(lambda now: self._dialogue.hear(heard, now, addressed=addressed))

    def _look(self) -> None:
        with self._lock:
            reply = self._dialogue.look(self._clock())
        if reply is not None:
            self._on_reply(reply)

    def _forget(self) -> None:
        self._detector.reset()
        self._utterance, self._talking = [], False
        self._go_on()
        self._rest = self._rest[:0]

    def _set_trouble(self, text: str) -> None:
        if text != self.state.trouble:
            self.state.trouble = text
            self._on_trouble(text)
