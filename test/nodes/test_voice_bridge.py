# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Speech becomes instructions on a live graph; what cannot be heard is said, and sets nothing in motion."""

import os
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Bool, Int16MultiArray, String
from std_srvs.srv import SetBool, Trigger

pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed: pip install -r requirements/voice.txt")

from bench.support.speech import WHY_NOT, can_speak, in_noise, spoken  # noqa: E402
from instructvla_ros.msg import Heard, Reasoning, SafetyStatus  # noqa: E402
from instructvla_ros.nodes import qos  # noqa: E402
from instructvla_ros.voice.audio import RATE, write_wav  # noqa: E402

EVERYTHING = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
needs_voices = pytest.mark.skipif(not can_speak(), reason=WHY_NOT)
BLOCK = 1600


@pytest.fixture
def ears(graph):
    """A graph that collects what the voice bridge publishes."""
    graph.heard = graph.collect(Heard, "heard", EVERYTHING)
    graph.instructions = graph.collect(String, "instruction", LATCHED)
    graph.stops = graph.collect(Bool, "emergency_stop", EVERYTHING)
    graph.diagnostics = graph.collect(DiagnosticArray, "/diagnostics", EVERYTHING)
    graph.audio = graph.node.create_publisher(Int16MultiArray, "audio", EVERYTHING)
    return graph


def said(text: str) -> np.ndarray:
    return in_noise(spoken(text), 25.0, np.random.default_rng(0), before=0.8, after=0.8)


def say(graph, sound: np.ndarray) -> None:
    """Publish sound as fast as the node takes it."""
    graph.wait_until(lambda: graph.audio.get_subscription_count() > 0, "a listener to audio")
    for first in range(0, len(sound), BLOCK):
        graph.audio.publish(Int16MultiArray(data=sound[first : first + BLOCK].tolist()))


def start(graph, **parameters: object):
    given = {"source": "topic", "listen": "always", "speak": "nothing", **parameters}
    return graph.start("voice_bridge_node", **given)


def outcomes(graph) -> list[int]:
    return [message.outcome for message in graph.heard]


def status(graph) -> DiagnosticStatus | None:
    found = [one for array in graph.diagnostics for one in array.status if one.name.endswith("voice_bridge_node")]
    return found[-1] if found else None


@needs_voices
def test_a_speech_file_becomes_an_instruction(ears, tmp_path: Path) -> None:
    write_wav(tmp_path / "said.wav", said("please pick up the red cube"))
    process = start(ears, source=str(tmp_path / "said.wav"), auto_confirm=True)
    ears.wait_until(lambda: ears.instructions, "an instruction")
    assert [message.data for message in ears.instructions] == ["pick up the red cube"]
    ears.wait_until(lambda: ears.heard, "what was heard")
    heard = ears.heard[0]
    assert heard.outcome == Heard.OUTCOME_SENT and heard.text == "pick up the red cube"
    assert 0.5 <= heard.confidence <= 1.0 and heard.header.stamp.sec > 0
    assert process.stop() == 0, process.output


@needs_voices
def test_speech_on_a_topic_waits_for_a_confirmation(ears) -> None:
    start(ears)
    say(ears, said("push the green cone to the left"))
    ears.wait_until(lambda: Heard.OUTCOME_AWAITING_CONFIRMATION in outcomes(ears), "a command that waits")
    assert not ears.instructions, "nothing is sent unasked"
    answer = ears.call(Trigger, "voice_bridge_node/confirm", Trigger.Request())
    assert answer.success, answer.message
    ears.wait_until(lambda: ears.instructions, "an instruction")
    assert ears.instructions[-1].data == "push the green cone to the left"
    again = ears.call(Trigger, "voice_bridge_node/confirm", Trigger.Request())
    assert not again.success and "nothing awaits a confirmation" in again.message


@needs_voices
def test_a_spoken_stop_presses_the_emergency_stop_lets_it_go_and_clears_the_instruction(ears) -> None:
    start(ears, listen="push_to_talk")
    say(ears, said("stop"))
    ears.wait_until(lambda: len(ears.stops) == 2, "the stop pressed and let go")
    assert [message.data for message in ears.stops] == [True, False]
    assert [message.data for message in ears.instructions] == [""]
    assert outcomes(ears) == [Heard.OUTCOME_STOPPED]


@needs_voices
def test_a_stop_that_somebody_else_holds_down_is_not_let_go(ears) -> None:
    button = ears.node.create_publisher(Bool, "emergency_stop", EVERYTHING)
    start(ears)
    ears.wait_until(lambda: button.get_subscription_count() >= 2, "the bridge hears the button")
    button.publish(Bool(data=True))
    say(ears, said("stop"))
    ears.wait_until(lambda: len(ears.stops) == 2, "both have pressed")
    count = len(ears.diagnostics)
    ears.wait_until(lambda: len(ears.diagnostics) >= count + 3, "two more seconds")
    assert [message.data for message in ears.stops] == [True, True]


@needs_voices
def test_with_a_talk_button_only_what_is_said_meanwhile_counts(ears) -> None:
    start(ears, listen="push_to_talk", auto_confirm=True)
    say(ears, said("pick up the red cube"))
    ears.wait_until(lambda: outcomes(ears) == [Heard.OUTCOME_NOT_ADDRESSED], "words that were for nobody")
    assert ears.call(SetBool, "voice_bridge_node/push_to_talk", SetBool.Request(data=True)).success
    say(ears, said("pick up the blue ball"))
    count = len(ears.diagnostics)
    ears.wait_until(lambda: len(ears.diagnostics) > count + 1, "the sound to be taken in")
    assert ears.call(SetBool, "voice_bridge_node/push_to_talk", SetBool.Request(data=False)).success
    say(ears, np.zeros(BLOCK, np.int16))
    ears.wait_until(lambda: ears.instructions, "an instruction")
    assert [message.data for message in ears.instructions] == ["pick up the blue ball"]


@needs_voices
def test_while_the_arm_is_stopped_no_instruction_is_sent(ears) -> None:
    statuses = ears.node.create_publisher(SafetyStatus, "safety_status", qos.LATCHED)
    statuses.publish(SafetyStatus(state=SafetyStatus.STATE_STOPPED, reason="a stop was asked for"))
    start(ears, auto_confirm=True)
    ears.wait_until(lambda: statuses.get_subscription_count() > 0, "the bridge hears the filter")
    say(ears, said("pick up the red cube"))
    ears.wait_until(lambda: outcomes(ears) == [Heard.OUTCOME_REFUSED], "a refusal")
    assert "a stop was asked for; reset it first" in ears.heard[0].reason and not ears.instructions


@needs_voices
def test_other_sentences_and_noise_are_told_and_set_nothing_in_motion(ears) -> None:
    start(ears, auto_confirm=True)
    say(ears, said("good morning everybody"))
    ears.wait_until(lambda: outcomes(ears) == [Heard.OUTCOME_NOT_UNDERSTOOD], "words that are not understood")
    say(ears, np.random.default_rng(0).normal(0.0, 3000.0, 5 * RATE).astype(np.int16))
    count = len(ears.diagnostics)
    ears.wait_until(lambda: len(ears.diagnostics) > count + 1, "the noise to be taken in")
    assert not ears.stops and not ears.instructions
    say(ears, said("pick up the red cube"))
    ears.wait_until(lambda: Heard.OUTCOME_SENT in outcomes(ears), "a command after it")


def test_sound_at_another_rate_than_declared_is_said_in_diagnostics(ears) -> None:
    start(ears, audio_rate=8000)
    ears.wait_until(lambda: ears.audio.get_subscription_count() > 0, "a listener to audio")
    block = Int16MultiArray(data=[0] * 1600)
    timer = ears.node.create_timer(0.1, lambda: ears.audio.publish(block))  # 16 kHz
    try:
        ears.wait_until(lambda: (status(ears) or DiagnosticStatus()).level == DiagnosticStatus.ERROR, "an error")
        assert "samples a second come, but the rate is declared as 8000 Hz" in status(ears).message
    finally:
        ears.node.destroy_timer(timer)
    assert not ears.heard and not ears.instructions


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"source": "/nowhere/said.wav"}, "cannot read /nowhere/said.wav"),
        ({"source": "microphone", "microphone": "none of that name"}, "microphone"),
    ],
)
def test_a_source_that_is_not_there_is_said_and_the_node_lives_on(ears, parameters: dict, told: str) -> None:
    process = start(ears, **parameters)
    ears.wait_until(lambda: (status(ears) or DiagnosticStatus()).level == DiagnosticStatus.ERROR, "an error")
    assert "nothing is heard" in status(ears).message and told in status(ears).message
    assert process.alive and not ears.heard


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"vocabulary": "kitchen"}, "unknown vocabulary 'kitchen'; known: tabletop"),
        ({"things": "red cube, spoon"}, "things: spoon; the vocabulary knows"),
        ({"engine": "whisper"}, "whisper_model is empty"),
        ({"audio_rate": 100}, "audio_rate"),
        ({"audio_message": "audio_data"}, "audio_common_msgs"),
    ],
)
def test_a_wrong_parameter_ends_the_node_with_one_line(ears, parameters: dict, told: str) -> None:
    process = start(ears, **parameters)
    process.may_end = True
    ears.wait_until(lambda: not process.alive, "the end of the node")
    assert process.process.returncode == 2
    assert "cannot start: " in process.output and told in process.output


def test_reasoning_is_read_aloud_once_an_instruction(ears, tmp_path: Path) -> None:
    program, said_aloud = tmp_path / "espeak-ng", tmp_path / "said"
    program.write_text(f"#!/bin/sh\ncat >> {said_aloud}\necho >> {said_aloud}\n", encoding="utf-8")
    program.chmod(0o755)
    ears.environment["PATH"] = f"{tmp_path}:{os.environ['PATH']}"
    start(ears, speak="all")
    reasoning = ears.node.create_publisher(Reasoning, "reasoning", EVERYTHING)
    ears.wait_until(lambda: reasoning.get_subscription_count() > 0, "the bridge hears the model")

    def lines() -> list[str]:
        return said_aloud.read_text(encoding="utf-8").split("\n") if said_aloud.is_file() else []

    for epoch, text, final in ((1, "move", False), (1, "move right.", True), (1, "move right again.", True)):
        reasoning.publish(Reasoning(epoch=epoch, text=text, final=final))
    ears.wait_until(lambda: "move right." in lines(), "the first reasoning spoken")
    reasoning.publish(Reasoning(epoch=2, text="move left.", final=True))
    ears.wait_until(lambda: "move left." in lines(), "the next instruction's reasoning spoken")
    assert [line for line in lines() if line] == ["move right.", "move left."]
