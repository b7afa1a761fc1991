# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The action execute_instruction on a live graph."""

import time
from pathlib import Path

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.action import ActionClient
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from instructvla_ros.action import ExecuteInstruction
from instructvla_ros.msg import ActionChunk, EndEffectorAction, Reasoning, SafetyStatus
from instructvla_ros.nodes import qos

Feedback, Result = ExecuteInstruction.Feedback, ExecuteInstruction.Result


class Goal:
    """A goal that was sent, and what comes back."""

    def __init__(self, graph, client: ActionClient, instruction: str, timeout: float = 60.0) -> None:
        self._graph = graph
        self.feedback: list = []
        goal = ExecuteInstruction.Goal(instruction=instruction, timeout=timeout)
        sent = client.send_goal_async(goal, feedback_callback=lambda message: self.feedback.append(message.feedback))
        graph.wait_until(sent.done, "the goal's acceptance")
        self.handle = sent.result()
        assert self.handle.accepted
        self._result = self.handle.get_result_async()

    def wait(self):
        """Its status and result."""
        self._graph.wait_until(self._result.done, "the goal's result")
        answer = self._result.result()
        return answer.status, answer.result

    def await_phase(self, phase: int) -> None:
        self._graph.wait_until(lambda: any(f.phase == phase for f in self.feedback), f"phase {phase}")


@pytest.fixture
def client(graph, request):
    """A client of a server that takes half a second without progress for the end, or what the test says [s]."""
    client = ActionClient(graph.node, ExecuteInstruction, "execute_instruction")
    graph.start(
        "instruction_server_node", settle_time=getattr(request, "param", 0.5), start_timeout=8.0, default_timeout=20.0
    )
    assert client.wait_for_server(60.0), "the action server did not appear"
    yield client
    client.destroy()


class PlayedRobot:
    """Policy and filter as far as the server sees them: chunks of whatever instruction there is, and a status."""

    def __init__(self, graph) -> None:
        self.graph = graph
        self.instructions: list[str] = []
        self.state, self.reason = SafetyStatus.STATE_HOLDING, "waiting for an action chunk"
        self.step = 0.03  # [m]
        self._epoch = time.time_ns()
        self._chunks = graph.node.create_publisher(ActionChunk, "action_chunk", qos.LEASED_COMMAND)
        self._reasonings = graph.node.create_publisher(Reasoning, "reasoning", qos.TEXT)
        self._statuses = graph.node.create_publisher(SafetyStatus, "safety_status", qos.LATCHED)
        self._diagnostics = graph.node.create_publisher(DiagnosticArray, "/diagnostics", qos.TEXT)
        graph.node.create_subscription(String, "instruction", self._on_instruction, qos.LATCHED)
        graph.node.create_timer(0.05, self._publish)

    @property
    def instruction(self) -> str:
        return self.instructions[-1] if self.instructions else ""

    def _on_instruction(self, message: String) -> None:
        self.instructions.append(message.data)
        self._epoch += 1
        self._chunks.publish(ActionChunk(epoch=self._epoch, period=0.2, instruction=message.data))

    def _publish(self) -> None:
        stamp = self.graph.node.get_clock().now().to_msg()
        status = SafetyStatus(state=self.state, reason=self.reason)
        status.header.stamp = stamp
        self._statuses.publish(status)
        line = DiagnosticStatus(name="policy_node", message="not acting: no image from the primary camera yet")
        self._diagnostics.publish(DiagnosticArray(status=[line]))
        if self.instruction and self.step >= 0.0:
            step = EndEffectorAction(gripper=1.0)
            step.translation.x = self.step
            chunk = ActionChunk(epoch=self._epoch, sequence=1, period=0.2, instruction=self.instruction)
            chunk.header.stamp = stamp
            chunk.actions = [step] * 4
            self._chunks.publish(chunk)
            words = Reasoning(epoch=self._epoch, instruction=self.instruction, text="It is on the left.", final=True)
            self._reasonings.publish(words)


def test_a_policy_that_settles_is_a_success_with_its_words_as_feedback(graph, client) -> None:
    robot = PlayedRobot(graph)
    goal = Goal(graph, client, "pick up the red cube")
    goal.await_phase(Feedback.PHASE_ACTING)
    graph.wait_until(lambda: goal.feedback[-1].elapsed > 2.0, "a way that leads somewhere")
    robot.step = 0.0
    status, result = goal.wait()
    assert (status, result.outcome) == (GoalStatus.STATUS_SUCCEEDED, Result.OUTCOME_SETTLED), result.message
    assert result.success and result.duration > 0.5
    assert goal.feedback[-1].reasoning == "It is on the left." and goal.feedback[-1].reasoning_final
    graph.wait_until(lambda: robot.instructions[-1] == "", "the instruction taken back")
    assert robot.instructions == ["pick up the red cube", ""]


def test_a_wrong_goal_is_refused_in_words_and_disturbs_no_other(graph, client) -> None:
    PlayedRobot(graph)
    running = Goal(graph, client, "pick up the red cube")
    for text, timeout, said in ((" ", 1.0, "blank"), ("go", -3.0, "timeout is -3.0")):
        status, result = Goal(graph, client, text, timeout).wait()
        assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, Result.OUTCOME_REFUSED)
        assert said in result.message
    running.await_phase(Feedback.PHASE_ACTING)


def test_without_a_filter_or_a_policy_the_goal_says_who_is_missing(graph, client) -> None:
    status, result = Goal(graph, client, "pick up the red cube").wait()
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, Result.OUTCOME_STOPPED)
    assert "safety_filter_node" in result.message
    PlayedRobot(graph).step = -1.0  # never a chunk
    goal = Goal(graph, client, "pick up the red cube", timeout=2.0)
    status, result = goal.wait()
    assert result.outcome == Result.OUTCOME_TIMEOUT and "no image from the primary camera" in result.message
    assert goal.feedback[-2].message, "while it waits, the feedback says for what"


@pytest.mark.parametrize("client", [30.0], indirect=True)
def test_goals_move_the_arm_and_every_end_brings_it_to_rest(graph, client, untrained_checkpoint: Path) -> None:
    statuses = graph.collect(SafetyStatus, "safety_status", qos.LATCHED)
    joints = graph.collect(JointState, "joint_states", qos.SENSOR)
    lines = graph.collect(DiagnosticArray, "/diagnostics", qos.TEXT)

    def state() -> int:
        return statuses[-1].state if statuses else -1

    def assert_at_rest() -> None:
        # the result may overtake the filter's status on its way here
        graph.wait_until(lambda: state() == SafetyStatus.STATE_HOLDING, "the filter's status")
        before, count = np.array(joints[-1].position), len(joints)
        graph.wait_until(lambda: len(joints) > count + 25, "joint states after the end")
        assert np.abs(np.array(joints[-1].position) - before).max() < 0.01

    graph.start("sim_arm_node", image_width=64, image_height=48, image_rate=10.0)
    graph.start("safety_filter_node", robot="sim")
    graph.start("policy_node", robot="sim", checkpoint=str(untrained_checkpoint), autostart=True, device="cpu", seed=1)
    graph.wait_until(lambda: state() == SafetyStatus.STATE_HOLDING, "the filter to be ready")
    graph.wait_until(
        lambda: any("no instruction" in each.message for line in lines for each in line.status),
        "the policy to be ready",
    )
    first = Goal(graph, client, "pick up the red cube")
    graph.wait_until(lambda: state() == SafetyStatus.STATE_MOVING, "motion")
    cancel = first.handle.cancel_goal_async()
    graph.wait_until(cancel.done, "the answer to the cancel")
    status, result = first.wait()
    assert (status, result.outcome) == (GoalStatus.STATUS_CANCELED, Result.OUTCOME_CANCELED), result.message
    assert_at_rest()

    second = Goal(graph, client, "push the blue ball")
    second.await_phase(Feedback.PHASE_ACTING)
    third = Goal(graph, client, "lift the yellow cube", timeout=4.0)
    status, result = second.wait()
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, Result.OUTCOME_PREEMPTED)
    third.await_phase(Feedback.PHASE_ACTING)
    status, result = third.wait()
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, Result.OUTCOME_TIMEOUT)
    assert_at_rest()

    fourth = Goal(graph, client, "lift the yellow cube")
    fourth.await_phase(Feedback.PHASE_ACTING)
    assert graph.call(Trigger, "safety_filter_node/stop", Trigger.Request()).success
    status, result = fourth.wait()
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, Result.OUTCOME_STOPPED)
    assert "stop" in result.message
    graph.wait_until(lambda: state() == SafetyStatus.STATE_STOPPED, "the arm stopped")
    assert graph.call(Trigger, "safety_filter_node/reset", Trigger.Request()).success
    graph.wait_until(lambda: state() == SafetyStatus.STATE_HOLDING, "the filter after the reset")
    assert_at_rest()
    for process in graph.processes:
        assert process.stop() == 0 and "Traceback" not in process.output, process.output
