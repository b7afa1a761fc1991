# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""bringup.launch.py and demo.launch.py under real `launch`, with the installed executables."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

# The folder launch/ of this checkout can be imported as an empty `launch`, hence the look at a module inside.
pytest.importorskip("launch.actions", reason="launch is not installed: it comes with a ROS 2 distribution")
pytest.importorskip("launch_ros", reason="launch_ros is not installed: it comes with a ROS 2 distribution")
launch_pytest = pytest.importorskip(
    "launch_pytest", reason="launch_pytest is not installed: it comes with a ROS 2 distribution"
)

import rclpy  # noqa: E402
from launch import LaunchContext, LaunchDescription  # noqa: E402
from launch.actions import IncludeLaunchDescription, RegisterEventHandler, SetEnvironmentVariable  # noqa: E402
from launch.event_handlers import OnProcessExit  # noqa: E402
from launch.events.process import ProcessExited  # noqa: E402
from launch.launch_description_sources import PythonLaunchDescriptionSource  # noqa: E402
from launch_ros.actions import Node  # noqa: E402
from launch_ros.utilities import evaluate_parameters  # noqa: E402
from rcl_interfaces.srv import GetParameters  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from std_msgs.msg import String  # noqa: E402
from trajectory_msgs.msg import JointTrajectory  # noqa: E402

from bench.support.domains import own_domain  # noqa: E402
from instructvla_ros.bringup import (  # noqa: E402
    bringup_processes,
    demo_processes,
    network_environment,
    untrained_checkpoint,
)
from instructvla_ros.launching import node_action  # noqa: E402
from instructvla_ros.msg import ActionChunk  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
WAIT = 90.0  # longest wait for anything [s]; costs time only where a test fails
ASK_AGAIN = 10.0  # [s]; Fast DDS drops an answer whose asker the server has not discovered yet
DOMAIN = own_domain()
INSTALLED = any(
    Path(prefix, "lib", "instructvla_ros").is_dir() for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(":")
)
pytestmark = pytest.mark.skipif(not INSTALLED, reason="no colcon build of the package is sourced")


def included(launch_file: str, **arguments: str) -> list:
    source = PythonLaunchDescriptionSource(str(ROOT / "launch" / launch_file))
    return [
        SetEnvironmentVariable("ROS_DOMAIN_ID", str(DOMAIN)),
        SetEnvironmentVariable("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST"),
        IncludeLaunchDescription(source, launch_arguments=arguments.items()),
    ]


class Listener:
    """Counts messages of the running system, and asks its nodes."""

    def __init__(self, namespace: str) -> None:
        # Fast DDS reads its profile when the first participant is made
        os.environ.update(network_environment(os.environ, alone=True))
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=DOMAIN)
        self.node = rclpy.create_node("launch_test", namespace=namespace, context=self.context)
        self.counts = {"action_chunk": 0, "joint_trajectory": 0}
        self.node.create_subscription(ActionChunk, "action_chunk", lambda _: self.count("action_chunk"), 10)
        self.node.create_subscription(JointTrajectory, "joint_trajectory", lambda _: self.count("joint_trajectory"), 10)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.instruction = self.node.create_publisher(String, "instruction", latched)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)

    def count(self, topic: str) -> None:
        self.counts[topic] += 1

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + WAIT
        while not condition():
            assert time.monotonic() < deadline, f"waited {WAIT:.0f} s for {what}; counted {self.counts}"
            self.executor.spin_once(timeout_sec=0.1)

    def parameter(self, node: str, name: str) -> str:
        client = self.node.create_client(GetParameters, f"{node}/get_parameters")
        self.wait_until(client.service_is_ready, f"the parameter service of {node}")
        answers: list[str] = []
        asked = -ASK_AGAIN

        def is_answered() -> bool:
            nonlocal asked
            if time.monotonic() - asked > ASK_AGAIN:
                asked = time.monotonic()
                future = client.call_async(GetParameters.Request(names=[name]))
                future.add_done_callback(lambda done: answers.append(done.result().values[0].string_value))
            return bool(answers)

        self.wait_until(is_answered, f"parameter {name} of {node}")
        return answers[0]

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@dataclass
class Exits:
    """Exit codes by executable, as launch saw them."""

    codes: dict[str, int] = field(default_factory=dict)
    monitor: threading.Event = field(default_factory=threading.Event)

    def handler(self) -> RegisterEventHandler:
        return RegisterEventHandler(OnProcessExit(on_exit=self.note))

    def note(self, event: ProcessExited, context: LaunchContext) -> None:
        executable = Path(event.cmd[0]).name
        self.codes[executable] = event.returncode
        if executable == "demo_monitor_node":
            self.monitor.set()


@launch_pytest.fixture
def bringup() -> tuple[LaunchDescription, Exits]:
    exits = Exits()
    checkpoint = str(untrained_checkpoint())
    actions = included("bringup.launch.py", robot="sim", checkpoint=checkpoint, namespace="left", device="cpu")
    return LaunchDescription([exits.handler(), *actions, launch_pytest.actions.ReadyToTest()]), exits


@pytest.mark.launch(fixture=bringup)
def test_bringup_turns_an_instruction_into_commands_and_ends_cleanly(bringup):
    _, exits = bringup
    nodes = {process.executable: process for process in bringup_processes("sim", "")}
    listener = Listener("left")
    try:
        listener.wait_until(lambda: set(nodes) <= set(listener.node.get_node_names()), "all nodes")
        listener.instruction.publish(String(data="pick up the red cube"))
        listener.wait_until(lambda: all(listener.counts.values()), "an action chunk and a command")
        for node in ("policy_node", "safety_filter_node"):
            assert listener.parameter(node, "robot") == "sim"
    finally:
        listener.close()
    assert exits.codes == {}
    yield
    assert exits.codes == dict.fromkeys(nodes, 0)


@launch_pytest.fixture
def demo() -> tuple[LaunchDescription, Exits]:
    exits = Exits()
    actions = included("demo.launch.py", seconds="4", device="cpu")
    return LaunchDescription([exits.handler(), *actions, launch_pytest.actions.ReadyToTest()]), exits


@pytest.mark.launch(fixture=demo)
def test_the_demo_ends_by_itself_when_everything_has_flowed(demo):
    _, exits = demo
    assert exits.monitor.wait(WAIT), "the monitor did not end"
    yield
    assert exits.codes == dict.fromkeys((process.executable for process in demo_processes("", "", 0.0)), 0)


def ros2_launch(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from ros2cli.cli import main; sys.exit(main(argv=sys.argv[1:]))"
    environment = {**os.environ, "ROS_DOMAIN_ID": str(DOMAIN), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    command = [sys.executable, "-c", code, "launch", "instructvla_ros", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=2 * WAIT, check=False)


def test_ros2_launch_fails_with_the_name_of_a_checkpoint_that_does_not_exist() -> None:
    result = ros2_launch("demo.launch.py", "checkpoint:=/no/such/run")
    assert result.returncode == 1
    assert "/no/such/run" in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("bringup.launch.py", "checkpoint:=run"), "'robot'"),
        (("bringup.launch.py", "robot:=sim"), "'checkpoint'"),
        (("bringup.launch.py", "robot:=sim", "checkpoint:=run", "sim:=maybe"), "maybe"),
        (("demo.launch.py", "seconds:=soon"), "soon"),
    ],
)
def test_wrong_launch_arguments_are_named(arguments: tuple[str, ...], named: str) -> None:
    result = ros2_launch(*arguments)
    assert result.returncode == 1
    assert named in result.stdout + result.stderr


def test_launch_gives_a_node_the_described_values_as_they_are() -> None:
    described = demo_processes("123", 'pick: up "the" cube', 3.0, namespace="left")
    context = LaunchContext()
    for process in described:
        action = node_action(process)
        assert isinstance(action, Node)
        action._perform_substitutions(context)
        assert action.node_executable == process.executable
        assert action.node_name == f"/left/{process.name}"
        values = [evaluate_parameters(context, [parameters]) for parameters in action._Node__parameters or ()]
        merged = {name: value for group in values for each in group for name, value in each.items()}
        assert merged == dict(process.parameters)
