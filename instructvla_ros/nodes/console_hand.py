# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the operator console can do to the robot: by the interfaces that everybody has, and no others.

``instruction``, ``emergency_stop``, ``safety_filter_node/stop`` and ``/reset``, the parameter ``speed_scale``,
``policy_node/ask``, and the services of recorder, player and voice bridge.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.client import Client
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.task import Future
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger

from instructvla_ros.console.board import Board
from instructvla_ros.console.robot_side import Outcome
from instructvla_ros.nodes import qos
from instructvla_ros.srv import Ask

STOP_ANSWER = 0.3  # [s] a filter that has not answered within this time is told by the topic too
STOP_SEEN = 0.5  # [s] until the status says that it stops
ANSWER = 3.0  # [s]
ASK_ANSWER = 65.0  # [s] longer than the policy itself waits for the model
RESETS = 5  # after an emergency stop was released: the release may come later than the reset
LOOK_PERIOD = 1.0  # [s] between two looks at what can be done

_PRESS = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
    lifespan=Duration(seconds=1),
)
"""Heard by latched subscribers and others, but not long after: a filter that starts anew hears no release of before."""

ACTIONS = {
    "record": ("recorder_node/start_recording", "Record"),
    "end_recording": ("recorder_node/stop_recording", "End the recording"),
    "save_last_minute": ("recorder_node/save_flight", "Save the last minute"),
    "pause": ("player_node/pause", "Pause the replay"),
    "resume": ("player_node/resume", "Resume the replay"),
    "step": ("player_node/step", "Step the replay"),
}
"""Actions of recorder and player: the service of each, and its label on the page."""


ANSWERS = {
    "confirm_heard": ("voice_bridge_node/confirm", "Yes"),
    "cancel_heard": ("voice_bridge_node/cancel", "No"),
}
"""Answers to the voice bridge, likewise; the page offers them while it asks."""

_DEEDS = {**ACTIONS, **ANSWERS}


class ConsoleHand:
    """The console's :class:`~instructvla_ros.console.robot_side.RobotSide`.

    Attributes:
        on_watch: called with what somebody looks at.

    Args:
        node: whose executor hears the answers.
        board: tells the state of the filter, and is told what can be done.
    """

    def __init__(self, node: Node, board: Board) -> None:
        self.on_watch: Callable[[bool, frozenset[str]], None] = lambda watched, cameras: None
        self._board = board
        self._instruction = node.create_publisher(String, "instruction", qos.LATCHED)
        self._emergency = node.create_publisher(Bool, "emergency_stop", _PRESS)
        self._pressed = False
        self._stop = node.create_client(Trigger, "safety_filter_node/stop")
        self._reset = node.create_client(Trigger, "safety_filter_node/reset")
        self._ask = node.create_client(Ask, "policy_node/ask")
        self._set = node.create_client(SetParameters, "safety_filter_node/set_parameters")
        self._get = node.create_client(GetParameters, "safety_filter_node/get_parameters")
        self._acting = {name: node.create_client(Trigger, service) for name, (service, _) in _DEEDS.items()}
        self._has_speed_scale = False
        node.create_timer(LOOK_PERIOD, self._look)

    def watch(self, watched: bool, cameras: frozenset[str]) -> None:
        """See :class:`RobotSide`."""
        self.on_watch(watched, cameras)

    def instruct(self, text: str) -> None:
        """See :class:`RobotSide`."""
        self._instruction.publish(String(data=text))

    async def stop(self) -> Outcome:
        """See :class:`RobotSide`. First by the service, which says that it has heard; then by the topic.

        The topic holds one level for all who publish it. What the console does by the service leaves alone whether a
        button elsewhere is pressed.
        """
        answer = await self._call(self._stop, Trigger.Request(), STOP_ANSWER, patience=0.0)
        self.instruct("")  # so that a reset alone sets nothing in motion
        heard = answer is not None and answer.success
        if heard and await _holds(lambda: self._board.latched, STOP_SEEN):
            return Outcome(True, "the arm stops and stays until a reset")
        if heard and self._board.filter_state == "inactive":
            return Outcome(True, "the filter is inactive and commands nothing; it will start stopped")
        self._pressed = True
        self._emergency.publish(Bool(data=True))
        if await _holds(lambda: self._board.latched, STOP_SEEN):
            return Outcome(True, "the arm stops, by the topic emergency_stop, and stays until a reset")
        why = "does not confirm it" if self._board.filter_state else "is not there"
        return Outcome(False, f"the stop was sent, but the safety filter {why}: use the emergency stop at the robot")

    async def reset(self) -> Outcome:
        """See :class:`RobotSide`."""
        self.instruct("")
        pressed, self._pressed = self._pressed, False
        if pressed:
            self._emergency.publish(Bool(data=False))
        refusal = ""
        for _ in range(RESETS if pressed else 1):
            answer = await self._call(self._reset, Trigger.Request(), ANSWER)
            if answer is None:
                return Outcome(False, "the safety filter is not there, or does not answer: the arm stays stopped")
            if answer.success:
                return Outcome(True, "the arm may move again; it waits for your next instruction")
            refusal = answer.message
            await asyncio.sleep(0.1)
        return Outcome(False, refusal)

    async def ask(self, question: str) -> Outcome:
        """See :class:`RobotSide`."""
        answer = await self._call(self._ask, Ask.Request(question=question), ASK_ANSWER)
        if answer is None:
            return Outcome(False, "the policy is not there, or does not answer")
        return Outcome(answer.success, answer.answer if answer.success else answer.message)

    async def set_speed_scale(self, share: float) -> Outcome:
        """See :class:`RobotSide`."""
        value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=share)
        request = SetParameters.Request(parameters=[Parameter(name="speed_scale", value=value)])
        answer = await self._call(self._set, request, ANSWER)
        if answer is None:
            return Outcome(False, "the safety filter does not answer: the speed limit stays as it is")
        result = answer.results[0]
        return Outcome(result.successful, f"speed limit {share:.0%}" if result.successful else result.reason)

    async def act(self, action: str) -> Outcome:
        """See :class:`RobotSide`."""
        if action not in _DEEDS:
            return Outcome(False, f"there is no action {action!r}")
        service, label = _DEEDS[action]
        answer = await self._call(self._acting[action], Trigger.Request(), ANSWER)
        if answer is None:
            return Outcome(False, f"{service} is not there, or does not answer")
        return Outcome(answer.success, answer.message or f"done: {label.lower()}")

    async def _call(self, client: Client, request: object, timeout: float, patience: float = 0.5) -> Any | None:
        """A service's answer; None where it is not there within the patience, or says nothing in time [s]."""
        if not await _holds(client.service_is_ready, patience):
            return None
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Any] = loop.create_future()

        def settle(answer: Any) -> None:
            if not waiting.done():
                waiting.set_result(answer)

        def on_answer(future: Future) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(settle, future.result())

        call = client.call_async(request)
        call.add_done_callback(on_answer)
        try:
            return await asyncio.wait_for(waiting, timeout)
        except asyncio.TimeoutError:
            client.remove_pending_request(call)
            return None

    def _look(self) -> None:
        """Find out what there is to be done."""
        if not self._get.service_is_ready():
            self._has_speed_scale = False
        elif not self._has_speed_scale:
            request = GetParameters.Request(names=["speed_scale"])
            self._get.call_async(request).add_done_callback(self._on_speed_scale)
        idle = "record" if self._board.records else "end_recording"
        ready = [
            (name, label)
            for name, (_, label) in ACTIONS.items()
            if name != idle and self._acting[name].service_is_ready()
        ]
        self._board.put_abilities(self._has_speed_scale, ready)

    def _on_speed_scale(self, future: Future) -> None:
        values = future.result().values
        self._has_speed_scale = bool(values) and values[0].type == ParameterType.PARAMETER_DOUBLE


async def _holds(condition: Callable[[], bool], patience: float) -> bool:
    """Whether a condition comes to hold within a time [s]."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(0.01)
    return True
