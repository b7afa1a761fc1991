# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From speech in a file to motion in the simulator and to a stop: every node a process, the shipped model."""

from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import MultiDOFJointState
from std_msgs.msg import String

pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed: pip install -r requirements/voice.txt")

from bench.support.speech import WHY_NOT, can_speak, in_noise, spoken  # noqa: E402
from instructvla_ros.bringup import SHIPPED_MODEL  # noqa: E402
from instructvla_ros.msg import Heard, SafetyStatus  # noqa: E402
from instructvla_ros.nodes import qos  # noqa: E402
from instructvla_ros.nodes.table_truth import state_from_message  # noqa: E402
from instructvla_ros.voice.audio import write_wav  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
EVERYTHING = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
THING = "red cube"  # lies in the demo's scene, which the simulated arm lays by itself
STEP = 0.06  # how much nearer to it the gripper has to come [m]: no drift and no jitter

pytestmark = [
    pytest.mark.skipif(not can_speak(), reason=WHY_NOT),
    pytest.mark.skipif(not (ROOT / SHIPPED_MODEL).is_dir(), reason=f"no {SHIPPED_MODEL} in this checkout"),
]


def said(*texts: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([in_noise(spoken(text), 25.0, rng, before=1.0, after=1.0) for text in texts])


def test_spoken_words_move_the_arm_to_what_they_name_and_a_spoken_stop_ends_it(graph, tmp_path: Path) -> None:
    heard = graph.collect(Heard, "heard", EVERYTHING)
    instructions = graph.collect(String, "instruction", LATCHED)
    statuses = graph.collect(SafetyStatus, "safety_status", LATCHED)
    truths = graph.collect(MultiDOFJointState, "sim_arm_node/truth", qos.SENSOR)
    diagnostics = graph.collect(DiagnosticArray, "/diagnostics", EVERYTHING)

    def distance() -> float:
        state = state_from_message(truths[-1], 1.0)
        return float(np.linalg.norm(state.gripper[:3, 3] - state.objects[THING][:3, 3]))

    def policy_says(part: str) -> bool:
        texts = [one.message for array in diagnostics for one in array.status if one.name.endswith("policy_node")]
        return bool(texts) and part in texts[-1]

    graph.start("sim_arm_node")
    graph.start("safety_filter_node", robot="sim", arm=True)
    graph.start("policy_node", robot="sim", checkpoint=SHIPPED_MODEL, autostart=True, device="cpu", threads=1, seed=1)
    graph.wait_until(lambda: policy_says("no instruction"), "a policy that waits for an instruction")
    graph.wait_until(lambda: bool(truths), "the truth")
    before = distance()

    write_wav(tmp_path / "command.wav", said(f"hey robot reach for the {THING}", "yes"))
    graph.start("voice_bridge_node", source=str(tmp_path / "command.wav"), speak="nothing")
    graph.wait_until(lambda: bool(instructions) and len(heard) >= 2, "an instruction, and what was heard of it")
    assert [message.data for message in instructions] == [f"reach for the {THING}"]
    assert [message.outcome for message in heard][:2] == [Heard.OUTCOME_AWAITING_CONFIRMATION, Heard.OUTCOME_SENT]
    graph.wait_until(lambda: distance() < before - STEP, f"a gripper that comes nearer to the {THING}")

    write_wav(tmp_path / "stop.wav", said("stop"))
    graph.start("voice_bridge_node", "-r", "__node:=second_ear", source=str(tmp_path / "stop.wav"), speak="nothing")
    graph.wait_until(lambda: statuses[-1].state == SafetyStatus.STATE_STOPPED, "an arm at rest, its stop latched")
    graph.wait_until(lambda: instructions[-1].data == "", "no instruction: a reset alone sets nothing in motion")
