# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""demo_monitor_node: sends the demo's instruction, shows what happens and ends with a summary.

It tells what the model says and what came of each instruction, whoever gave it, from the simulator's truth. Where it is
given a keyboard, it publishes typed lines as instructions. Its exit code is 0 only if images, joint states, chunks and
commands flowed and the gripper moved where it had to.
"""

from __future__ import annotations

import math
import os
import sys
import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from sensor_msgs.msg import Image, MultiDOFJointState
from sensor_msgs.msg import JointState as JointStateMessage
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from instructvla_ros.declaring import declare
from instructvla_ros.demo_dialogue import Keyboard
from instructvla_ros.demo_outcome import Outcome
from instructvla_ros.demo_report import HEADING, DemoReport, shortened
from instructvla_ros.msg import ActionChunk, Reasoning, SafetyStatus
from instructvla_ros.nodes import messages, qos
from instructvla_ros.nodes.demo_talk import DemoTalk
from instructvla_ros.nodes.running import RunnableNode, run_node
from instructvla_ros.nodes.table_truth import state_from_message
from instructvla_ros.parameters import DEMO_MONITOR_NODE
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.robot.joint_state import JointStateError
from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.safety import SafetyState
from instructvla_ros.sim.task_sampling import numbered_scene

LINE_PERIOD = 1.0  # [s]
LINE_PERIOD_WITH_KEYBOARD = 5.0  # [s] so that there is time to type between the lines
STANDARD_INPUT = 0  # descriptor


class DemoMonitorNode(RunnableNode):
    """Counts what flows through the graph of a demo."""

    def __init__(self) -> None:
        """Subscribe to everything and send the instruction."""
        super().__init__("demo_monitor_node")
        self.parameters = declare(self, DEMO_MONITOR_NODE)
        self.report = DemoReport(must_move=bool(self.parameters.note))
        self.first_chunk: float | None = None
        self._profile = RobotProfile.load(self.parameters.robot)
        self._chain: KinematicChain | None = None
        self._things = numbered_scene(self.parameters.scene).things
        self._outcome: Outcome | None = None
        self._opening = 1.0
        self._said: tuple[int, str] = (0, "")
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
        self.create_subscription(MultiDOFJointState, "sim_arm_node/truth", self._on_truth, qos.SENSOR)
        qos.subscribe_latched_or_not(self, String, "instruction", self._on_instruction)
        instruction = self._instruction = self.create_publisher(String, "instruction", qos.LATCHED)
        if self.parameters.note:
            self._say(self.parameters.note)
        domain = f"ROS_DOMAIN_ID={os.environ.get('ROS_DOMAIN_ID', '0')}"
        self._say(f"to look at it from another terminal: {domain} ros2 topic list")
        self._talk: DemoTalk | None = None
        if self.parameters.keyboard:
            keyboard = Keyboard(STANDARD_INPUT)
            self._talk = DemoTalk(self, keyboard, instruction, self.parameters.scene, self._say)
        else:
            command = f'{domain} ros2 topic pub --once {instruction.topic_name} std_msgs/msg/String "data: touch it"'
            self._say(f"no keyboard is read here; a further instruction from another terminal: {command}")
        instruction.publish(String(data=self.parameters.instruction))
        self._start_outcome(self.parameters.instruction)
        self.create_timer(LINE_PERIOD_WITH_KEYBOARD if self._talk else LINE_PERIOD, self._show_line)
        self.create_timer(0.1, self._look)

    @property
    def elapsed(self) -> float:
        """Time since the first chunk [s]; 0 before it."""
        return 0.0 if self.first_chunk is None else time.monotonic() - self.first_chunk

    def stop_working(self) -> None:
        """Close with the summary, however the demo ended."""
        if self._summarised:
            return
        self._summarised = True
        self._end_outcome()
        self._say(self.report.summary(self.elapsed))
        self.exit_code = 1 if self.report.missing() else 0

    def _look(self) -> None:
        """Obey what was typed; end when told to, after its time, or where the first chunk does not come."""
        if self._talk is not None:
            self._talk.poll()
        if self._talk is not None and self._talk.quit:
            due = True
        elif self.first_chunk is not None:
            since = max(self.first_chunk, self._talk.heard_at if self._talk else 0.0)
            due = 0.0 < self.parameters.duration <= time.monotonic() - since
        elif self._trouble:
            self._say(self._trouble)
            due = True
        else:
            due = time.monotonic() - self._started > self.parameters.startup_timeout
        if due:
            self.exit_code = 1 if self.report.missing() else 0

    def _say(self, text: str) -> None:
        print(text, flush=True)

    def _on_instruction(self, message: String) -> None:
        text = message.data.strip()
        if self._outcome is None or text != self._outcome.instruction:
            self._end_outcome()
            if text:
                self._start_outcome(text)

    def _start_outcome(self, instruction: str) -> None:
        self._say(f'instruction: "{instruction}"')
        self._outcome = Outcome(instruction, self._things)
        self.report.must_move |= self._outcome.possible

    def _end_outcome(self) -> None:
        """Keep what came of the instruction so far."""
        outcome, self._outcome = self._outcome, None
        if outcome is not None:
            self.report.outcomes.append((outcome.instruction, outcome.sentence()))
            if not self._summarised:
                self._say(f'"{outcome.instruction}": {outcome.sentence()}')

    def _on_truth(self, message: MultiDOFJointState) -> None:
        if self._outcome is None or self.first_chunk is None:
            return  # before its first chunk the policy may not have heard the instruction
        try:
            state = state_from_message(message, self._opening)
        except ValueError as error:
            self.get_logger().warning(f"truth refused: {error}", throttle_duration_sec=5.0)
            return
        if set(state.objects) == set(self._things) and self._outcome.see(state):
            self._end_outcome()
            self._instruction.publish(String())  # else the model goes on with what is done, and wanders off

    def _on_image(self, _: bytes) -> None:
        self.report.images += 1

    def _on_joint_state(self, message: JointStateMessage) -> None:
        self.report.joint_states += 1
        gripper = self._profile.gripper
        if gripper.joint in message.name:
            position = message.position[list(message.name).index(gripper.joint)]
            if math.isfinite(position):
                self._opening = gripper.opening(position)
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
            self._chain = self._profile.chain(message.data)
        except ValueError as error:
            self._trouble = f"robot_description does not fit robot {self._profile.name}: {error}"

    def _on_chunk(self, message: ActionChunk) -> None:
        if self.first_chunk is None:
            self.first_chunk = self._last_line = time.monotonic()
        if not message.actions:
            return  # it only opens an epoch
        now = messages.ros_now(self)
        self.report.frame_age = now - messages.seconds(message.header.stamp)
        self.report.inference_times.append(message.inference_time)

    def _on_reasoning(self, message: Reasoning) -> None:
        self.report.reasoning = message.text
        if message.final and message.text.strip() and (message.epoch, message.text) != self._said:
            self._said = (message.epoch, message.text)
            self._say(f"the model: {shortened(message.text)}")

    def _on_command(self, _: bytes) -> None:
        self.report.commands += 1

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            stopped = self._talk is not None and self._talk.stopped  # by whoever sits at the keyboard
            if status.level == DiagnosticStatus.ERROR and not stopped:
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
            self._say(f"{now - self._started:4.0f} s | waiting for the first action chunk")
            return
        if self._lines % 20 == 0:
            self._say(HEADING)
        self._lines += 1
        self._say(self.report.line(self.elapsed, now - self._last_line))
        self._last_line = now


def main() -> int:
    """Watch a demo until its time is over or Ctrl-C; exit code 0 if everything flowed, 1 if not."""
    return run_node(DemoMonitorNode)


if __name__ == "__main__":
    sys.exit(main())
