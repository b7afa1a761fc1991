# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bad input of every kind: a clear message, no motion, no crash."""

import shutil
from array import array
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String

from instructvla_ros.msg import ActionChunk, SafetyStatus
from instructvla_ros.nodes import qos
from instructvla_ros.nodes.image_decoding import to_message
from instructvla_ros.sim.arm_model import urdf

EVERYTHING = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
JOINTS = ["waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate", "left_finger"]


class Robot:
    """A robot played by the test: publishes what it is told to, at 20 Hz, and hears what the nodes say."""

    def __init__(self, graph) -> None:
        self.graph = graph
        node = graph.node
        self.picture: np.ndarray | None = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        self.message: Image | None = None
        self.names, self.positions = list(JOINTS), [0.0, -0.6, 0.8, 0.0, 1.2, 0.0, 0.02]
        self.chunks = graph.collect(ActionChunk, "action_chunk", EVERYTHING)
        self.statuses = graph.collect(SafetyStatus, "safety_status", LATCHED)
        self.diagnostics = graph.collect(DiagnosticArray, "/diagnostics", EVERYTHING)
        self._images = node.create_publisher(Image, "image", qos.SENSOR)
        self._joints = node.create_publisher(JointState, "joint_states", qos.SENSOR)
        self._latched = [node.create_publisher(String, name, LATCHED) for name in ("robot_description", "instruction")]
        self._latched[0].publish(String(data=urdf()))
        self.instruct("pick up the red cube")
        node.create_timer(0.05, self._publish)

    def instruct(self, text: str) -> None:
        self._latched[1].publish(String(data=text))

    def _publish(self) -> None:
        stamp = self.graph.node.get_clock().now().to_msg()
        message = self.message
        if message is None and self.picture is not None:
            message = to_message(self.picture)
        if message is not None:
            message.header.stamp = stamp
            self._images.publish(message)
        joints = JointState(name=self.names, position=self.positions)
        joints.header.stamp = stamp
        self._joints.publish(joints)

    def says(self, node: str, *words: str) -> bool:
        for message in reversed(self.diagnostics):
            for status in message.status:
                if status.name.endswith(node):
                    return all(word in status.message for word in words)
        return False

    def await_diagnosis(self, node: str, *words: str) -> None:
        self.graph.wait_until(lambda: self.says(node, *words), f"{node} to say {words}")

    def await_chunks_to_flow(self) -> None:
        count = len(self.chunks)
        self.graph.wait_until(lambda: len(self.chunks) > count + 1, "chunks")

    def no_chunk_comes(self) -> bool:
        """Whether two more reports of the policy come without a chunk."""
        reports = len(self.diagnostics)
        self.graph.wait_until(lambda: len(self.diagnostics) > reports + 1, "diagnostics")  # a chunk may be on its way
        count = len(self.chunks)
        self.graph.wait_until(lambda: len(self.diagnostics) > reports + 3, "diagnostics")
        return len(self.chunks) == count


@pytest.fixture
def robot(graph, untrained_checkpoint) -> Robot:
    robot = Robot(graph)
    graph.start(
        "policy_node",
        robot="sim",
        checkpoint=str(untrained_checkpoint),
        autostart=True,
        device="cpu",
        reasoning="never",
    )
    return robot


def assert_all_alive(graph) -> None:
    for process in graph.processes:
        assert process.alive, f"{process.name} died:\n{process.output}"
        assert "Traceback" not in process.output, process.output


def test_without_a_camera_the_policy_holds_and_says_so(robot, graph) -> None:
    robot.picture = None
    robot.await_diagnosis("policy_node", "no image from the primary camera")
    assert robot.no_chunk_comes()
    assert_all_alive(graph)


def test_a_camera_that_stops_makes_the_policy_hold_until_it_returns(robot, graph) -> None:
    robot.await_chunks_to_flow()
    robot.picture, kept = None, robot.picture
    robot.await_diagnosis("policy_node", "primary image is", "old")
    assert robot.no_chunk_comes()
    robot.picture = kept
    robot.await_chunks_to_flow()
    assert_all_alive(graph)


def test_a_grey_frame_is_no_picture_to_act_on(robot, graph) -> None:
    robot.await_chunks_to_flow()
    robot.picture = np.full((48, 64, 3), 128, np.uint8)
    robot.await_diagnosis("policy_node", "primary image cannot be used")
    assert robot.no_chunk_comes()
    assert_all_alive(graph)


def test_a_wrong_encoding_is_named_and_the_policy_acts_again_on_a_right_one(robot, graph) -> None:
    for encoding in ("holographic", "16UC1"):
        robot.message = None
        robot.await_chunks_to_flow()
        robot.message = Image(height=2, width=2, encoding=encoding, step=4, data=array("B", bytes(8)))
        robot.await_diagnosis("policy_node", encoding)
        assert robot.no_chunk_comes()
    assert_all_alive(graph)


@pytest.mark.parametrize(
    ("fault", "words"),
    [("missing", ("lacks elbow",)), ("nan", ("not finite", "elbow")), ("short", ("7 names",))],
)
def test_a_malformed_joint_state_makes_policy_and_filter_hold(robot, graph, fault: str, words: tuple) -> None:
    graph.start("safety_filter_node", robot="sim")
    robot.await_chunks_to_flow()
    graph.wait_until(lambda: bool(robot.statuses), "a safety status")
    if fault == "missing":
        index = JOINTS.index("elbow")
        robot.names, robot.positions = (
            [*values[:index], *values[index + 1 :]] for values in (robot.names, robot.positions)
        )
    elif fault == "nan":
        robot.positions = [*robot.positions[:2], float("nan"), *robot.positions[3:]]
    else:
        robot.positions = robot.positions[:3]
    robot.await_diagnosis("policy_node", *words)
    graph.wait_until(
        lambda: robot.statuses[-1].state != SafetyStatus.STATE_MOVING and words[-1] in robot.statuses[-1].reason,
        "the filter to rest and say why",
    )
    assert robot.no_chunk_comes()
    assert_all_alive(graph)


def test_an_unknown_robot_is_refused_with_the_known_ones(graph) -> None:
    for executable in ("policy_node", "safety_filter_node"):
        process = graph.start(executable, robot="r2d2")
        assert process.wait() == 2
        assert "r2d2" in process.output and "widowx" in process.output
        assert "Traceback" not in process.output


def test_a_parameter_out_of_range_is_refused_in_one_line(graph) -> None:
    process = graph.start("safety_filter_node", robot="sim", rate=1.0)
    assert process.wait() == 2
    assert "rate" in process.output and "10 .. 1000 Hz" in process.output
    assert "Traceback" not in process.output


def error_of_policy(graph, device: str = "cpu", **parameters: object) -> str:
    """Start a policy that cannot load and return what its diagnostics say."""
    diagnostics = graph.collect(DiagnosticArray, "/diagnostics", EVERYTHING)
    process = graph.start("policy_node", robot="sim", autostart=True, device=device, **parameters)

    def errors() -> list[str]:
        return [s.message for array_ in diagnostics for s in array_.status if s.level == DiagnosticStatus.ERROR]

    graph.wait_until(lambda: bool(errors()), "an error in the diagnostics")
    assert process.alive
    assert "Traceback" not in process.output
    assert process.stop() == 0
    return errors()[-1]


def test_no_checkpoint_is_an_error_that_says_what_to_give(graph) -> None:
    assert "checkpoint is empty" in error_of_policy(graph)


def test_a_missing_checkpoint_is_named(graph) -> None:
    assert "/no/such/run" in error_of_policy(graph, checkpoint="/no/such/run")


def test_a_corrupt_checkpoint_is_named(graph, untrained_checkpoint: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(untrained_checkpoint, run)
    weights = next(run.glob("checkpoints/*.pt"))
    weights.write_bytes(weights.read_bytes()[:1000])
    assert weights.name in error_of_policy(graph, checkpoint=str(run))


def test_a_wrong_statistics_key_is_refused_with_the_known_ones(graph, untrained_checkpoint: Path) -> None:
    message = error_of_policy(graph, checkpoint=str(untrained_checkpoint), dataset="mars_rover")
    assert "mars_rover" in message and "sim" in message


def test_a_gpu_that_is_not_there_is_an_error_that_says_what_to_do(graph, untrained_checkpoint: Path) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert "sees no GPU" in error_of_policy(graph, checkpoint=str(untrained_checkpoint), device="cuda:0")


def test_an_unknown_device_is_named(graph, untrained_checkpoint: Path) -> None:
    assert "abacus" in error_of_policy(graph, checkpoint=str(untrained_checkpoint), device="abacus")


def test_an_endless_instruction_makes_the_policy_hold_and_a_short_one_act_again(robot, graph) -> None:
    robot.await_chunks_to_flow()
    robot.instruct("pick " * 2000)
    robot.await_diagnosis("policy_node", "acting failed", "characters long")
    assert robot.no_chunk_comes()
    robot.instruct("<|im_end|><new_token_3>\n\N{ROBOT FACE}")
    robot.await_chunks_to_flow()
    assert_all_alive(graph)


def test_a_robot_description_that_does_not_fit_is_told_in_status_and_diagnostics(graph) -> None:
    statuses = graph.collect(SafetyStatus, "safety_status", LATCHED)
    diagnostics = graph.collect(DiagnosticArray, "/diagnostics", EVERYTHING)
    process = graph.start("safety_filter_node", robot="sim")
    urdf_of_another = "<robot name='other'><link name='somewhere_else'/></robot>"
    graph.node.create_publisher(String, "robot_description", LATCHED).publish(String(data=urdf_of_another))
    graph.wait_until(lambda: bool(statuses) and "does not fit robot sim" in statuses[-1].reason, "the reason in status")
    assert statuses[-1].state == SafetyStatus.STATE_INACTIVE
    graph.wait_until(
        lambda: any("does not fit" in status.message for array_ in diagnostics[-1:] for status in array_.status),
        "the reason in the diagnostics",
    )
    assert process.stop() == 0 and "Traceback" not in process.output, process.output
