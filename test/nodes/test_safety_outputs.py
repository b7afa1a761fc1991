# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Each kind of command on a live graph, dry runs, and the button that must be held."""

from __future__ import annotations

import time

import numpy as np
import pytest
import yaml
from geometry_msgs.msg import PoseStamped, TwistStamped
from sensor_msgs.msg import JointState, Joy
from std_msgs.msg import Bool, Float64MultiArray, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from bench.support.stand_ins import StandInPolicy
from instructvla_ros.msg import SafetyStatus
from instructvla_ros.nodes import messages, qos
from instructvla_ros.policy.profile import ROBOTS_FOLDER, RobotProfile
from instructvla_ros.robot.poses import rotation_of
from instructvla_ros.shared_files import shared_folder
from instructvla_ros.sim.arm_model import ARM_JOINTS, GRIPPER_JOINT, HOME, urdf

PERIOD = 0.01
SUBSCRIBED = {
    "joint_trajectory": (JointTrajectory, "joint_trajectory"),
    "joint_position": (Float64MultiArray, "joint_position_command"),
    "joint_velocity": (Float64MultiArray, "joint_velocity_command"),
    "twist": (TwistStamped, "twist_command"),
    "pose": (PoseStamped, "pose_command"),
}


class Driver:
    """A driver of any kind of command that follows at once, with joint states of the simulated arm."""

    def __init__(self, graph, kind: str) -> None:
        self.graph, self.kind = graph, kind
        self.positions = np.array(HOME, dtype=float)
        self.velocities = np.zeros(len(HOME))
        self.chain = RobotProfile.load("sim").chain(urdf())
        self.commands: list[tuple[float, object]] = []
        self._updated = time.monotonic()
        self.statuses = graph.collect(SafetyStatus, "safety_status", qos.LATCHED)
        message_type, topic = SUBSCRIBED[kind]
        graph.listen(message_type, topic, qos.COMMAND, self._on_command)
        self._states = graph.node.create_publisher(JointState, "joint_states", qos.SENSOR)
        graph.node.create_publisher(String, "robot_description", qos.LATCHED).publish(String(data=urdf()))
        graph.node.create_timer(PERIOD, self._publish)

    def _on_command(self, message) -> None:
        self._advance()
        self.commands.append((time.monotonic(), message))
        if self.kind == "joint_trajectory":
            self.positions = np.array(message.points[0].positions)
        elif self.kind == "joint_position":
            self.positions = np.array(message.data)
        elif self.kind == "joint_velocity":
            self.velocities = np.array(message.data)
        elif self.kind == "twist":
            twist = [getattr(part, axis) for part in (message.twist.linear, message.twist.angular) for axis in "xyz"]
            self.velocities = np.linalg.solve(self.chain.jacobian(self.positions), twist)
        else:
            target = np.eye(4)
            pose = message.pose
            target[:3, 3] = [pose.position.x, pose.position.y, pose.position.z]
            turned = pose.orientation
            target[:3, :3] = rotation_of(np.array([turned.x, turned.y, turned.z, turned.w]))
            found = self.chain.inverse(target, self.positions)
            assert found.converged, "a pose that the arm cannot reach"
            self.positions = found.positions

    def _advance(self) -> None:
        now = time.monotonic()
        if self.kind in ("joint_velocity", "twist"):
            self.positions = self.positions + (now - self._updated) * self.velocities
        self._updated = now

    def _publish(self) -> None:
        self._advance()
        message = JointState(name=[GRIPPER_JOINT, *ARM_JOINTS], position=[0.02, *self.positions.tolist()])
        message.header.stamp = self.graph.node.get_clock().now().to_msg()
        self._states.publish(message)

    @property
    def state(self) -> int:
        return self.statuses[-1].state if self.statuses else -1

    @property
    def reason(self) -> str:
        return self.statuses[-1].reason if self.statuses else ""

    def moved(self) -> float:
        return float(np.abs(self.positions - HOME).max())


@pytest.fixture
def profile_of(tmp_path):
    """A profile of the simulated arm with other keys; its path."""

    def make(**keys) -> str:
        content = yaml.safe_load((shared_folder(ROBOTS_FOLDER) / "sim.yaml").read_text()) | keys
        path = tmp_path / "profile.yaml"
        path.write_text(yaml.safe_dump(content))
        return str(path)

    return make


@pytest.mark.parametrize("kind", sorted(SUBSCRIBED))
def test_every_kind_of_command_moves_the_arm_and_a_stop_rests_it(graph, profile_of, kind) -> None:
    robot = profile_of(output={"kind": kind, "topic": SUBSCRIBED[kind][1], "command_timeout": 0.2})
    driver = Driver(graph, kind)
    graph.start("safety_filter_node", robot=robot)
    StandInPolicy(graph.node, speed=0.08)
    graph.wait_until(lambda: driver.moved() > 0.05, f"the arm to move; {driver.reason}")
    assert driver.state == SafetyStatus.STATE_MOVING, driver.reason
    assert graph.call(Trigger, "safety_filter_node/stop", Trigger.Request()).success
    graph.wait_until(lambda: driver.state == SafetyStatus.STATE_STOPPED, "the stop")
    count = len(driver.commands)
    graph.wait_until(lambda: len(driver.commands) > count + 20, "commands that keep coming at rest")
    last = [message for _, message in driver.commands[-10:]]
    if kind == "joint_velocity":
        assert all(not np.any(message.data) for message in last), "exact zeros"
    elif kind == "twist":
        assert all(message.twist.linear.x == message.twist.angular.z == 0.0 for message in last), "exact zeros"
        assert last[-1].header.frame_id == "base_link" and last[-1].header.stamp.sec > 0
    elif kind == "joint_trajectory":
        assert all(not np.any(point.velocities) for message in last for point in message.points)
    else:
        assert last[0].data == last[-1].data if kind == "joint_position" else last[0].pose == last[-1].pose
    process = graph.processes[-1]
    assert process.stop() == 0, process.output
    if kind in ("joint_velocity", "twist"):
        graph.wait_until(lambda: not driver.velocities.any(), "the last word of the filter to be zero")


def test_a_velocity_driver_without_a_timeout_is_refused(graph, profile_of) -> None:
    robot = profile_of()
    process = graph.start("safety_filter_node", robot=robot, output="joint_velocity")
    assert process.wait() == 2
    assert "output.command_timeout must say" in process.output


def test_a_gripper_that_needs_control_msgs_says_so(graph, profile_of) -> None:
    pytest.importorskip("rclpy")
    try:
        import control_msgs.action  # noqa: F401
    except ImportError:
        robot = profile_of(gripper_output={"kind": "gripper_command", "topic": "/hand/gripper_cmd", "max_effort": 5.0})
        process = graph.start("safety_filter_node", robot=robot)
        assert process.wait() == 2
        assert "control-msgs" in process.output
    else:
        pytest.skip("control_msgs is installed here")


def test_a_dry_run_works_and_reports_and_sends_the_driver_nothing(graph, profile_of) -> None:
    robot = profile_of(simulation=False)
    driver = Driver(graph, "joint_trajectory")
    planned = graph.collect(JointTrajectory, "planned_trajectory", qos.COMMAND)
    graph.start("safety_filter_node", robot=robot)
    StandInPolicy(graph.node, speed=0.08)
    graph.wait_until(lambda: driver.state == SafetyStatus.STATE_MOVING, "the dry run to move")
    assert driver.reason.startswith("dry run: ")
    graph.wait_until(
        lambda: bool(planned) and np.abs(np.array(planned[-1].points[0].positions) - HOME).max() > 0.02, "a planned way"
    )
    count = len(driver.statuses)
    graph.wait_until(lambda: len(driver.statuses) > count + 25, "two seconds and a half")
    assert not driver.commands
    assert graph.node.count_publishers("joint_trajectory") == 0
    assert driver.state != SafetyStatus.STATE_FAULT, driver.reason


@pytest.mark.parametrize("kind", ["bool", "joy"])
def test_the_arm_moves_only_while_the_button_is_held(graph, kind) -> None:
    driver = Driver(graph, "joint_trajectory")
    held = [False]
    if kind == "bool":
        publisher = graph.node.create_publisher(Bool, "hold_to_run", qos.TEXT)
        graph.node.create_timer(0.05, lambda: publisher.publish(Bool(data=True)) if held[0] else None)
    else:
        publisher = graph.node.create_publisher(Joy, "joy", qos.SENSOR)
        graph.node.create_timer(0.05, lambda: publisher.publish(Joy(buttons=[0, 0, int(held[0])])))
    graph.start("safety_filter_node", robot="sim", hold_to_run=kind, hold_button=2)
    StandInPolicy(graph.node, speed=0.08)
    graph.wait_until(lambda: driver.state == SafetyStatus.STATE_HOLDING and "not held" in driver.reason, "a hold")
    assert driver.moved() == 0.0
    held[0] = True
    graph.wait_until(lambda: driver.moved() > 0.05, "motion")
    held[0] = False
    graph.wait_until(lambda: driver.state == SafetyStatus.STATE_HOLDING and "not held" in driver.reason, "rest")
    held[0] = True
    graph.wait_until(lambda: driver.state == SafetyStatus.STATE_MOVING, "motion again, without a reset")


def test_a_stamped_trajectory_says_when_it_begins(graph, profile_of) -> None:
    robot = profile_of(
        output={"kind": "joint_trajectory", "topic": "joint_trajectory", "command_timeout": 0.0, "stamped": True}
    )
    driver = Driver(graph, "joint_trajectory")
    graph.start("safety_filter_node", robot=robot)
    graph.wait_until(lambda: len(driver.commands) > 5, "commands")
    _, message = driver.commands[-1]
    age = messages.ros_now(graph.node) - messages.seconds(message.header.stamp)
    assert 0.0 < age < 1.0
