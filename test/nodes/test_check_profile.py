# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""check_profile on a live graph, and the clocks of two machines."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import String

from instructvla_ros.checking.findings import Level
from instructvla_ros.checking.judge import judge
from instructvla_ros.msg import ActionChunk, SafetyStatus
from instructvla_ros.nodes import messages, qos
from instructvla_ros.nodes.graph_look import GraphLook
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.safety import SafetyLimits
from instructvla_ros.srv import TellTime

ROOT = Path(__file__).resolve().parents[2]
RELIABLE = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def check(graph, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "instructvla_ros.nodes.check_profile", *arguments]
    environment = {**os.environ, **graph.environment}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90, check=False)


def test_the_simulated_arm_passes_and_a_profile_with_faults_does_not(graph, tmp_path: Path) -> None:
    statuses = graph.collect(SafetyStatus, "safety_status", LATCHED)
    graph.start("sim_arm_node", image_width=64, image_height=48, image_rate=10.0)
    graph.start("safety_filter_node", robot="sim")
    graph.wait_until(
        lambda: statuses and statuses[-1].state == SafetyStatus.STATE_HOLDING, "arm and filter to be ready"
    )
    done = check(graph, "sim", "--live", "--seconds", "4", "--checkpoint", "models/tabletop")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing stands in the way" in done.stdout
    assert "/safety_filter_node: its clock is" in done.stdout

    text = (ROOT / "config" / "robots" / "sim.yaml").read_text(encoding="utf-8")
    wrong = text.replace("shoulder", "shoulder_pan", 1).replace("{topic: image}", "{topic: camera/image}")
    assert wrong.count("shoulder_pan") == 1 and wrong != text
    (tmp_path / "mine.yaml").write_text(wrong, encoding="utf-8")
    done = check(graph, str(tmp_path / "mine.yaml"), "--live", "--seconds", "3")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "no joint 'shoulder_pan' (do you mean 'shoulder'?)" in done.stdout
    assert "/camera/image: nobody publishes" in done.stdout and "/image" in done.stdout
    assert "-> " in done.stdout


def test_planted_faults_of_a_live_graph_are_found_and_each_says_what_to_do(graph, tmp_path: Path) -> None:
    """Swapped cameras, a missing URDF, slow joint states, and a filter's clock that is ahead, all at once."""

    def tell(_: TellTime.Request, response: TellTime.Response) -> TellTime.Response:
        response.stamp = messages.time_message(messages.ros_now(graph.node) + 0.8)
        return response

    graph.node.create_service(TellTime, "safety_filter_node/tell_time", tell)
    graph.start("sim_arm_node", image_width=64, image_height=48, image_rate=10.0, joint_state_rate=2.0)
    text = (ROOT / "config" / "robots" / "sim.yaml").read_text(encoding="utf-8")
    swapped = text.replace("{topic: image}", "{topic: HERE}").replace("{topic: wrist_image}", "{topic: image}")
    wrong = swapped.replace("{topic: HERE}", "{topic: wrist_image}")
    wrong += "\nrobot_description: {from: topic, topic: nowhere/robot_description}\n"
    (tmp_path / "mine.yaml").write_text(wrong, encoding="utf-8")
    done = check(graph, str(tmp_path / "mine.yaml"), "--live", "--seconds", "4")
    assert done.returncode == 1, done.stdout + done.stderr
    for said, to_do in (
        ("primary and wrist look swapped", "exchange the topics"),
        ("/nowhere/robot_description: no URDF came", "robot_state_publisher"),
        ("/joint_states: comes at ", "raise the driver's rate"),
        ("/safety_filter_node: its clock is ", "chrony"),
    ):
        assert said in done.stdout and to_do in done.stdout.split(said)[1].split("->")[1].splitlines()[0], done.stdout


def test_without_a_live_graph_it_says_the_profile_in_words(graph) -> None:
    done = check(graph, "widowx")
    assert done.returncode == 0 and "arm:=true" in done.stdout and "waist" in done.stdout
    done = check(graph, "widow")
    assert done.returncode == 2 and "known: " in done.stderr


def test_an_empty_graph_is_all_faults_and_no_crash(domain: int) -> None:
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)
    node = rclpy.create_node("check_profile", context=context)
    try:
        profile = RobotProfile.load("sim")
        seen = GraphLook(node, profile).look(1.0)
        findings = judge(profile, SafetyLimits.load("sim"), seen)
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)
    assert findings and all(finding.level is not Level.GOOD for finding in findings)


@pytest.mark.parametrize("ahead", [-0.5, 0.5])
def test_a_policy_whose_clock_is_not_the_filter_s_does_not_act_and_says_why(
    graph, untrained_checkpoint: Path, ahead: float
) -> None:
    """The test plays the clock of a filter on another machine; arm and pictures are stamped by this one's."""
    offset = [0.0]

    def tell(_: TellTime.Request, response: TellTime.Response) -> TellTime.Response:
        told: Time = messages.time_message(messages.ros_now(graph.node) + offset[0])
        response.stamp = told
        return response

    graph.node.create_service(TellTime, "safety_filter_node/tell_time", tell)
    chunks = graph.collect(ActionChunk, "action_chunk", RELIABLE)
    lines = graph.collect(DiagnosticArray, "/diagnostics", RELIABLE)
    instruction = graph.node.create_publisher(String, "instruction", qos.LATCHED)
    graph.start("sim_arm_node", image_width=64, image_height=48, image_rate=10.0)
    graph.start("policy_node", robot="sim", checkpoint=str(untrained_checkpoint), autostart=True, device="cpu", seed=1)
    instruction.publish(String(data="pick up the red cube"))
    graph.wait_until(lambda: any(chunk.actions for chunk in chunks), "chunks while the clocks agree")

    def told() -> str:
        texts = [each.message for line in lines for each in line.status if each.name == "policy_node"]
        return texts[-1] if texts else ""

    offset[0] = ahead
    graph.wait_until(lambda: "ages cannot be trusted" in told(), "the refusal in the diagnostics")
    said = re.search(r"is ([\d.]+) s (ahead of|behind) this machine's", told())
    assert said and float(said[1]) == pytest.approx(abs(ahead), abs=0.1)
    assert said[2] == ("ahead of" if ahead > 0 else "behind")
    count, lines_then = len(chunks), len(lines)
    graph.wait_until(lambda: len(lines) > lines_then + 3, "three more diagnostics")
    assert len(chunks) - count <= 1, "no chunk goes out while the clocks are apart"
    offset[0] = 0.0
    graph.wait_until(lambda: len(chunks) > count + 3, "chunks again once the clocks agree")
