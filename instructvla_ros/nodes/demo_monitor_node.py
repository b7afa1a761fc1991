# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""demo_monitor_node: sends the demo's instruction, shows a line a second and ends with a summary.

It only watches and speaks: nothing it publishes but ``instruction`` is heard by anyone. Its exit code is 0 only if
images, joint states, chunks and commands flowed and the gripper moved.
"""

from __future__ import annotations

import os
import sys
import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from sensor_msgs.msg import Image
from sensor_msgs.msg import JointState as JointStateMessage
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from instructvla_ros.demo_report import HEADING, DemoReport
from instructvla_ros.msg import ActionChunk, Reasoning, SafetyStatus
from instructvla_ros.nodes import messages, qos
from instructvla_ros.nodes.running import RunnableNode, run_node
from instructvla_ros.parameters import DEMO_MONITOR_NODE, declare
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.robot.joint_state import JointStateError
from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.safety import SafetyState


class DemoMonitorNode(RunnableNode):
    """Counts what flows through the graph of a demo."""

    def __init__(self) -> None:
        """Subscribe to everything and send the instruction."""
        super().__init__("demo_monitor_node")
        self.parameters = declare(self, DEMO_MONITOR_NODE)
        self.report = DemoReport()
        self.first_chunk: float | None = None
        self._profile = RobotProfile.load(self.parameters.robot)
        self._chain: KinematicChain | None = None
        self._trouble = ""
        self._summarised = False
        self._lines = 0
        self._last_line = time.monotonic()
        self._started = time.monotonic()

        self.create_subscription(Image, "image", self._on_image, qos.SENSOR, raw=True)
        self.create_subscription(JointStateMessage, "joint_states", self._on_joint_state, qos.SENSOR)
        self.create_subscription(String, "robot_description", self._on_robot_description, qos.LATCHED)
        self.create_subscription(ActionChunk, "action_chunk", self._on_chunk, qos.TEXT)
        self.create_subscription(Reasoning, "reasoning", self._on_reasoning, qos.TEXT)
        self.create_subscription(JointTrajectory, "joint_trajectory", self._on_command, qos.TEXT, raw=True)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.TEXT)
        self.create_subscription(SafetyStatus, "safety_status", self._on_status, qos.LATCHED)
        self._instruction = self.create_publisher(String, "instruction", qos.LATCHED)
        if self.parameters.note:
            print(self.parameters.note, flush=True)
        domain = os.environ.get("ROS_DOMAIN_ID", "0")
        print(f"to look at it from another terminal: ROS_DOMAIN_ID={domain} ros2 topic list", flush=True)
        print(f'instruction: "{self.parameters.instruction}"', flush=True)
        self._instruction.publish(String(data=self.parameters.instruction))
        self.create_timer(1.0, self._show_line)
        self.create_timer(0.1, self._end_when_due)

    @property
    def elapsed(self) -> float:
        """Time since the first chunk [s]; 0 before it."""
        return 0.0 if self.first_chunk is None else time.monotonic() - self.first_chunk

    def stop_working(self) -> None:
        """Close with the summary, however the demo ended."""
        if self._summarised:
            return
        self._summarised = True
        print(self.report.summary(self.elapsed), flush=True)
        self.exit_code = 1 if self.report.missing() else 0

    def _end_when_due(self) -> None:
        """End when the demo has run its time, waits too long for its first chunk, or a node cannot start."""
        if self.first_chunk is not None:
            due = 0.0 < self.parameters.duration <= self.elapsed
        elif self._trouble:
            print(self._trouble, flush=True)
            due = True
        else:
            due = time.monotonic() - self._started > self.parameters.startup_timeout
        if due:
            self.exit_code = 1 if self.report.missing() else 0

    def _on_image(self, _: bytes) -> None:
        self.report.images += 1

    def _on_joint_state(self, message: JointStateMessage) -> None:
        self.report.joint_states += 1
        if self._chain is None:
            return
        joint_state = messages.joint_state_from_message(message, 0.0)
        try:
            positions, _ = joint_state.select(self._chain.joint_names)
        except JointStateError:
            return
        self.report.add_gripper(np.array(self._chain.forward(positions)[:3, 3]))

    def _on_robot_description(self, message: String) -> None:
        try:
            self._chain = KinematicChain.from_urdf(message.data, self._profile.base_frame, self._profile.tip_frame)
        except ValueError as error:
            self._trouble = f"robot_description does not fit robot {self._profile.name}: {error}"

    def _on_chunk(self, message: ActionChunk) -> None:
        if self.first_chunk is None:
            self.first_chunk = self._last_line = time.monotonic()
        now = messages.ros_now(self)
        self.report.frame_age = now - messages.seconds(message.header.stamp)
        self.report.inference_times.append(message.inference_time)

    def _on_reasoning(self, message: Reasoning) -> None:
        self.report.reasoning = message.text

    def _on_command(self, _: bytes) -> None:
        self.report.commands += 1

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.level == DiagnosticStatus.ERROR:
                self._trouble = f"{status.name}: {status.message}"

    def _on_status(self, message: SafetyStatus) -> None:
        self.report.state = SafetyState(message.state).name.lower()
        for intervention in message.interventions:
            self.report.add_intervention(
                intervention.limit, intervention.asked, intervention.allowed, intervention.unit
            )

    def _show_line(self) -> None:
        now = time.monotonic()
        if self.first_chunk is None:
            print(f"{now - self._started:4.0f} s | waiting for the first action chunk", flush=True)
            return
        if self._lines % 20 == 0:
            print(HEADING, flush=True)
        self._lines += 1
        print(self.report.line(self.elapsed, now - self._last_line), flush=True)
        self._last_line = now


def main() -> int:
    """Watch a demo until its time is over or Ctrl-C; exit code 0 if everything flowed, 1 if not."""
    return run_node(DemoMonitorNode)


if __name__ == "__main__":
    sys.exit(main())
