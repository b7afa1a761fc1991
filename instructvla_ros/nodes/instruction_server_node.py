# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""instruction_server_node: the action ``execute_instruction``, for behaviour trees and programs.

In: ``action_chunk``, ``reasoning``, ``safety_status``, ``/diagnostics``. Out: ``instruction``; it calls
``safety_filter_node/stop`` where a policy does not let go. It gives instructions as a person would, and tells from what
policy and filter publish what becomes of them; when that is over is decided in
:class:`instructvla_ros.instruction_goal.InstructionGoal`.
"""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import String
from std_srvs.srv import Trigger

from instructvla_ros.action import ExecuteInstruction
from instructvla_ros.declaring import declare
from instructvla_ros.instruction_goal import Ending, GoalError, GoalSettings, InstructionGoal, Outcome, Phase, Wants
from instructvla_ros.msg import ActionChunk, Reasoning, SafetyStatus
from instructvla_ros.nodes import messages, qos
from instructvla_ros.nodes.diagnostics import status_name
from instructvla_ros.nodes.running import RunnableNode, run_node
from instructvla_ros.parameters import INSTRUCTION_SERVER_NODE
from instructvla_ros.safety import SafetyState

LOOK_PERIOD = 0.05  # [s] between two looks at whether the goal is over
FEEDBACK_PERIOD = 0.2  # [s]; sooner when the phase changes
_CANCEL_PATIENCE = 1.0  # [s] for rclpy to note a cancel that it has asked about
# deeper than qos.LATCHED: an instruction that follows its own clearing at once must not overwrite it on the way
_INSTRUCTION = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@dataclass(eq=False)
class _Run:
    """A goal that is pursued, and who waits for its end."""

    handle: ServerGoalHandle
    goal: InstructionGoal
    done: Future[Ending] = field(default_factory=Future)
    did: Wants = Wants.NOTHING
    told: Phase | None = None
    feedback_due: float = 0.0


class InstructionServerNode(RunnableNode):
    """Pursues one goal at a time."""

    def __init__(self) -> None:
        """Serve the action.

        Raises:
            ParameterError: a parameter is wrong.
        """
        super().__init__("instruction_server_node")
        self._settings = GoalSettings(**vars(declare(self, INSTRUCTION_SERVER_NODE)))
        self._lock = threading.RLock()
        self._run: _Run | None = None
        self._endings: dict[bytes, Future[Ending]] = {}
        self._newest_epoch = self._floor = 0
        self._policy = status_name(self, "policy_node")
        self._instruction = self.create_publisher(String, "instruction", _INSTRUCTION)
        self._stop = self.create_client(Trigger, "safety_filter_node/stop")
        self.create_subscription(ActionChunk, "action_chunk", self._on_chunk, qos.TEXT)
        self.create_subscription(Reasoning, "reasoning", self._on_reasoning, qos.TEXT)
        self.create_subscription(SafetyStatus, "safety_status", self._on_status, qos.LATCHED)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.TEXT)
        self.create_timer(LOOK_PERIOD, self._look)
        self._server = ActionServer(
            self,
            ExecuteInstruction,
            "execute_instruction",
            self._execute,
            handle_accepted_callback=self._accept,
            cancel_callback=self._cancel,
            callback_group=ReentrantCallbackGroup(),  # a goal waits for its end in a callback of its own
        )

    def stop_working(self) -> None:
        """End the goal in progress: nobody would see the arm come to rest."""
        with self._lock:
            if self._run is not None:
                self._run.goal.close(time.monotonic())
                self._follow(self._run)

    def _accept(self, handle: ServerGoalHandle) -> None:
        now, wanted = time.monotonic(), handle.request
        with self._lock:
            try:
                goal = InstructionGoal(wanted.instruction, wanted.timeout, self._settings, now, self._floor)
            except GoalError as error:
                refused: Future[Ending] = Future()
                refused.set_result(Ending(Outcome.REFUSED, False, str(error), 0.0))
                self._endings[bytes(handle.goal_id.uuid)] = refused
            else:
                if self._run is not None:
                    self._run.goal.preempt(now)
                    self._follow(self._run)
                self._run = _Run(handle, goal)
                self._endings[bytes(handle.goal_id.uuid)] = self._run.done
                self._instruction.publish(String(data=goal.instruction))
                self.get_logger().info(f'goal: "{goal.instruction}"')
        handle.execute()

    def _execute(self, handle: ServerGoalHandle) -> ExecuteInstruction.Result:
        """Wait for the end of a goal, on a thread of the executor, and tell it."""
        ending = self._endings.pop(bytes(handle.goal_id.uuid)).result()
        self.get_logger().info(f"{ending.outcome.name.lower()} after {ending.duration:.1f} s: {ending.message}")
        if ending.outcome is Outcome.CANCELED:
            deadline = time.monotonic() + _CANCEL_PATIENCE
            while not handle.is_cancel_requested and time.monotonic() < deadline and self.exit_code is None:
                time.sleep(0.01)
        if ending.outcome is Outcome.CANCELED and handle.is_cancel_requested:
            handle.canceled()
        elif ending.success:
            handle.succeed()
        else:
            handle.abort()
        return ExecuteInstruction.Result(
            success=ending.success, outcome=int(ending.outcome), message=ending.message, duration=ending.duration
        )

    def _cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        with self._lock:
            if self._run is None or self._run.handle.goal_id != handle.goal_id:
                return CancelResponse.REJECT  # it is over already
            self._run.goal.cancel(time.monotonic())
            self._follow(self._run)
        return CancelResponse.ACCEPT

    def _look(self) -> None:
        with self._lock:
            if self._run is not None:
                self._run.goal.tick(time.monotonic())
                self._follow(self._run)

    def _follow(self, run: _Run) -> None:
        """Do what the goal wants done, tell its phase, and let it end where it has ended."""
        goal, now = run.goal, time.monotonic()
        if goal.wants is not Wants.NOTHING and run.did is Wants.NOTHING:
            self._floor = self._newest_epoch
            self._instruction.publish(String())
        if goal.wants is Wants.STOPPED and run.did is not Wants.STOPPED:
            self.get_logger().error(
                "the policy goes on without an instruction: the filter is told to stop"
            )
            self._stop.call_async(Trigger.Request())
        run.did = goal.wants
        if goal.ending is not None:
            self._run = None
            run.done.set_result(goal.ending)
        elif now >= run.feedback_due or goal.phase is not run.told:
            run.feedback_due, run.told = now + FEEDBACK_PERIOD, goal.phase
            reasoning, final = goal.reasoning
            run.handle.publish_feedback(
                ExecuteInstruction.Feedback(
                    phase=int(goal.phase),
                    message=goal.message,
                    reasoning=reasoning,
                    reasoning_final=final,
                    elapsed=goal.elapsed(now),
                )
            )

    def _on_chunk(self, message: ActionChunk) -> None:
        try:
            age = messages.ros_now(self) - messages.seconds(message.header.stamp)
            chunk = messages.chunk_from_message(message, time.monotonic() - age)
        except ValueError:
            return  # the filter refuses it too, and says why
        with self._lock:
            self._newest_epoch = max(self._newest_epoch, chunk.epoch)
            if self._run is not None:
                self._run.goal.see_chunk(time.monotonic(), chunk)

    def _on_reasoning(self, message: Reasoning) -> None:
        with self._lock:
            if self._run is not None:
                self._run.goal.see_reasoning(message.instruction, message.text, message.final)

    def _on_status(self, message: SafetyStatus) -> None:
        with self._lock:
            if self._run is not None:
                self._run.goal.see_status(time.monotonic(), SafetyState(message.state), message.reason)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        with self._lock:
            for status in message.status:
                if self._run is not None and status.name == self._policy:
                    self._run.goal.see_policy(status.message)


def main() -> int:
    """Run the node until it is told to stop."""
    return run_node(InstructionServerNode, threads=4)


if __name__ == "__main__":
    sys.exit(main())
