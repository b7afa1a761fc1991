# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""voice_bridge_node: speech in, instructions out.

In: a microphone, a wav file or ``audio``; ``push_to_talk``, ``reasoning``, ``safety_status``; services ``~/confirm``,
``~/cancel``, ``~/push_to_talk``. Out: ``heard``, ``instruction``, ``emergency_stop``, ``/diagnostics``.

Sound is worked on in the thread of :class:`instructvla_ros.voice.listener.Listener`; callbacks only pass it on. A
spoken stop is a convenience and never the stop to rely on: it is not heard in noise, nor while the robot speaks.
"""

from __future__ import annotations

import importlib
import sys
import threading
import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import Bool, Header, Int16MultiArray, String
from std_srvs.srv import SetBool, Trigger

from instructvla_ros.declaring import declare
from instructvla_ros.msg import Heard, Reasoning, SafetyStatus
from instructvla_ros.nodes import qos
from instructvla_ros.nodes.diagnostics import diagnostic
from instructvla_ros.nodes.running import RunnableNode, run_node
from instructvla_ros.parameters import VOICE_BRIDGE_NODE
from instructvla_ros.safety import LATCHED_STATES
from instructvla_ros.voice.activity import UtteranceDetector
from instructvla_ros.voice.dialogue import Dialogue, Mode, Outcome, Reply
from instructvla_ros.voice.engines import make_engine
from instructvla_ros.voice.listener import LONGEST, Listener
from instructvla_ros.voice.sources import AudioSource, MicrophoneSource, PushedSource, WavSource
from instructvla_ros.voice.speaking import Speaker
from instructvla_ros.voice.vocabulary import Vocabulary

RELEASE_AFTER = 0.5  # how long the emergency stop is held down [s]: the filter latches it at once
_AUDIO = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)  # every frame counts, and they come often


class VoiceBridgeNode(RunnableNode):
    """Passes sound on to the listener, and its replies to the topics."""

    def __init__(self) -> None:
        """Load vocabulary and engine, and begin to listen.

        Raises:
            ParameterError, YamlError, AudioError, EngineError: a parameter or the vocabulary is wrong, or a package or
                weights are missing.
        """
        super().__init__("voice_bridge_node")
        given = self._given = declare(self, VOICE_BRIDGE_NODE)
        vocabulary = Vocabulary.load(given.vocabulary)
        if given.things.strip():
            vocabulary = vocabulary.only(thing for thing in given.things.split(",") if thing.strip())
        engine = make_engine(given.engine, vocabulary, given.whisper_model, given.device)
        stop_only = None if engine.quick else make_engine("pocketsphinx", vocabulary, "", "")
        dialogue = Dialogue(
            vocabulary,
            Mode(given.listen),
            auto_confirm=given.auto_confirm,
            minimum_confidence=engine.threshold if given.minimum_confidence < 0.0 else given.minimum_confidence,
            confirm_timeout=given.confirm_timeout,
            free_text=engine.free_text,
        )
        self._pushed: PushedSource | None = None
        self._speaker = Speaker(given.voice, given.speaking_rate, command=[] if given.speak == "nothing" else None)
        self._listener = Listener(
            self._make_source(),
            engine,
            dialogue,
            self._on_reply,
            detector=UtteranceDetector(given.speech_threshold, given.trailing_silence, LONGEST),
            muted=lambda: self._speaker.speaking,
            stop_only=stop_only,
            on_trouble=self._on_trouble,
        )
        self._button = False
        self._spoken_epoch: int | None = None
        self._stop_lock = threading.Lock()
        self._release_at: float | None = None
        self._mine: list[bool] = []  # levels of emergency_stop that were published here and not heard again yet
        self._pressed_elsewhere = False
        self._counts = dict.fromkeys(Outcome, 0)

        self._heard = self.create_publisher(Heard, "heard", qos.TEXT)
        self._instruction = self.create_publisher(String, "instruction", qos.LATCHED)
        self._emergency = self.create_publisher(Bool, "emergency_stop", qos.TEXT)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", qos.TEXT)
        if self._pushed is not None:
            self._subscribe_audio()
        qos.subscribe_latched_or_not(self, Bool, "emergency_stop", self._on_emergency_stop)
        self.create_subscription(Bool, "push_to_talk", self._on_push_to_talk, qos.TEXT)
        self.create_subscription(Reasoning, "reasoning", self._on_reasoning, qos.TEXT)
        self.create_subscription(SafetyStatus, "safety_status", self._on_status, qos.LATCHED)
        self.create_service(Trigger, "~/confirm", self._on_confirm)
        self.create_service(Trigger, "~/cancel", self._on_cancel)
        self.create_service(SetBool, "~/push_to_talk", self._on_push_service)
        self.create_timer(0.1, self._release)
        self.create_timer(1.0, self._publish_diagnostics)
        if self._speaker.trouble:
            self.get_logger().warning(self._speaker.trouble)
        how = {
            Mode.PUSH_TO_TALK: "while push_to_talk is true",
            Mode.WAKE_PHRASE: f'after "{vocabulary.wake[0]}"',
            Mode.ALWAYS: "always: whoever speaks is obeyed",
        }[Mode(given.listen)]
        self.get_logger().info(
            f"{given.engine} listens to {self._listener.state.source} {how}; "
            f"{'commands are sent at once' if given.auto_confirm else 'each command is asked back'}. "
            "A spoken stop is a convenience: keep the emergency stop at hand"
        )
        self._listener.start()

    def stop_working(self) -> None:
        """End the listening thread before its publishers go."""
        self._listener.stop()
        self._release(at_once=True)
        self._speaker.hush()

    def _make_source(self) -> AudioSource:
        given = self._given
        if given.source == "microphone":
            return MicrophoneSource(given.microphone)
        if given.source == "topic":
            name = f"topic {self.resolve_topic_name('audio')}"
            self._pushed = PushedSource(name, given.audio_rate, given.audio_channels)
            return self._pushed
        return WavSource(given.source)

    def _subscribe_audio(self) -> None:
        if self._given.audio_message == "int16":
            self.create_subscription(Int16MultiArray, "audio", self._on_audio, _AUDIO)
            return
        try:
            audio_data = importlib.import_module("audio_common_msgs.msg").AudioData
        except ImportError as error:
            raise ImportError(
                f"audio_message:=audio_data needs the package audio_common_msgs of your ROS distribution ({error})"
            ) from error
        self.create_subscription(audio_data, "audio", self._on_audio_data, _AUDIO)

    def _on_audio(self, message: Int16MultiArray) -> None:
        assert self._pushed is not None
        self._pushed.push(np.asarray(message.data, dtype=np.int16))

    def _on_audio_data(self, message: object) -> None:
        assert self._pushed is not None
        data = bytes(message.data)  # type: ignore[attr-defined]
        if len(data) % 2:
            self._pushed.refuse(f"{len(data)} bytes are no samples of 16 bits: publish raw PCM (S16LE), not mp3 or wav")
            return
        self._pushed.push(np.frombuffer(data, "<i2").astype(np.int16))

    def _on_push_to_talk(self, message: Bool) -> None:
        self._push(message.data)

    def _on_push_service(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._push(request.data)
        response.success = True
        response.message = "listening" if request.data else "heard"
        return response

    def _push(self, pressed: bool) -> None:
        if pressed == self._button:
            return  # a button that is told again and again is pressed once
        self._button = pressed
        if pressed:
            self._speaker.hush()
        self._listener.talk(pressed)

    def _on_confirm(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return _answer(self._listener.confirm(), response)

    def _on_cancel(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return _answer(self._listener.cancel(), response)

    def _on_reasoning(self, message: Reasoning) -> None:
        if self._given.speak == "all" and message.final and message.epoch != self._spoken_epoch:
            self._spoken_epoch = message.epoch  # the model goes on speaking while it acts; once is enough for the ear
            self._say(message.text)

    def _on_status(self, message: SafetyStatus) -> None:
        latched = message.state in LATCHED_STATES
        self._listener.set_stopped((message.reason or "see safety_status") if latched else "")

    def _on_emergency_stop(self, message: Bool) -> None:
        with self._stop_lock:
            if message.data in self._mine:
                self._mine.remove(message.data)
            else:
                self._pressed_elsewhere = message.data

    def _on_reply(self, reply: Reply) -> None:
        """Called in the listening thread, and in a service's callback."""
        if reply.stop:
            self._press()
        if reply.instruction:
            self._instruction.publish(String(data=reply.instruction))
        self._counts[reply.outcome] += 1
        self._heard.publish(
            Heard(
                header=Header(stamp=self.get_clock().now().to_msg()),
                text=reply.text,
                confidence=reply.confidence,
                outcome=int(reply.outcome),
                reason=reply.reason,
            )
        )
        name = reply.outcome.name.lower().replace("_", " ")
        self.get_logger().info(f'"{reply.text}" ({reply.confidence:.2f}): {name}; {reply.reason}')
        if reply.say:
            self._say(reply.say)

    def _say(self, text: str) -> None:
        if not self._button:  # the microphone is muted while the robot speaks
            self._speaker.say(text)

    def _press(self) -> None:
        """Press the emergency stop at once, and clear the instruction, so that a reset alone sets nothing in motion."""
        with self._stop_lock:
            self._mine.append(True)
            self._release_at = time.monotonic() + RELEASE_AFTER
        self._emergency.publish(Bool(data=True))
        self._instruction.publish(String())

    def _release(self, at_once: bool = False) -> None:
        """Let the pressed stop go, so that a reset is possible; not where somebody else holds one down too."""
        with self._stop_lock:
            if self._release_at is None or not at_once and time.monotonic() < self._release_at:
                return
            self._release_at = None
            if self._pressed_elsewhere:
                return
            self._mine.append(False)
        self._emergency.publish(Bool(data=False))

    def _on_trouble(self, text: str) -> None:
        # two call sites, because rclpy refuses one that changes its severity
        if text:
            self.get_logger().error(f"nothing is heard: {text}")
        else:
            self.get_logger().info(f"listening to {self._listener.state.source}")

    def _publish_diagnostics(self) -> None:
        state = self._listener.state
        level, summary = DiagnosticStatus.OK, f"listening to {state.source}"
        if state.trouble:
            level, summary = DiagnosticStatus.ERROR, f"nothing is heard: {state.trouble}"
        elif self._pushed is not None and not state.blocks:
            level, summary = DiagnosticStatus.WARN, f"no audio has come on {state.source} yet"
        elif state.too_long and state.too_long == state.utterances:
            level = DiagnosticStatus.WARN
            summary = f"it is too loud to hear words: each sound lasts longer than {LONGEST:g} s"
        self._diagnostics.publish(
            diagnostic(
                self,
                level,
                summary,
                {
                    "level [dB of full scale]": f"{state.level:.0f}",
                    "utterances": state.utterances,
                    "cut because too long": state.too_long,
                    "lost sound [s]": f"{self._listener.lost:.1f}",
                    "recognition p50, p95 [s]": _percentiles(list(state.recognition_times)),
                    "from end of speech to reply p50, p95 [s]": _percentiles(list(state.delays)),
                    "awaits confirmation": self._listener.pending or "nothing",
                    "speech": self._speaker.trouble or self._given.speak,
                    **{outcome.name.lower().replace("_", " "): count for outcome, count in self._counts.items()},
                },
            )
        )


def _answer(reply: Reply, response: Trigger.Response) -> Trigger.Response:
    response.success = reply.outcome in (Outcome.SENT, Outcome.CANCELLED)
    response.message = f"{reply.text}: {reply.reason}" if reply.text else reply.reason
    return response


def _percentiles(values: list[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in np.percentile(values, (50, 95))) if values else "none"


def main() -> int:
    """Run the node until it is told to stop."""
    return run_node(VoiceBridgeNode)


if __name__ == "__main__":
    sys.exit(main())
