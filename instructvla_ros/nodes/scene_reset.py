# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A new scene under a running system: the arm is stopped, put home, and released again.

The joints of the simulated arm jump when it is put home. To the safety filter that is an arm that was moved by hand:
allowed while it is stopped, and at the reset it goes on from where the arm is then.
"""

from __future__ import annotations

from collections.abc import Callable

from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.task import Future
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from instructvla_ros.msg import SafetyStatus
from instructvla_ros.nodes import qos
from instructvla_ros.safety import SafetyState

_JOINT_STATES = 5  # from the new scene, until the filter surely has one of them
_AT_REST = (SafetyState.STOPPED, SafetyState.FAULT)


class SceneReset:
    """Does the steps one after the other, in the callbacks of a node; none of them waits.

    Args:
        node: whose executor runs it.
        instruction: publisher of instructions; an empty one is sent first.
    """

    def __init__(self, node: Node, instruction: Publisher) -> None:
        self._instruction = instruction
        self._stop = node.create_client(Trigger, "safety_filter_node/stop")
        self._release = node.create_client(Trigger, "safety_filter_node/reset")
        self._choose = node.create_client(SetParameters, "sim_arm_node/set_parameters")
        self._lay = node.create_client(Trigger, "sim_arm_node/reset_scene")
        node.create_subscription(SafetyStatus, "safety_status", self._on_status, qos.LATCHED)
        node.create_subscription(JointState, "joint_states", self._on_joint_state, qos.SENSOR)
        self._run = 0
        self._scene = 0
        self._awaits_rest = False
        self._joint_states_left = 0
        self._on_end: Callable[[str], None] = lambda failure: None

    def absent(self) -> list[str]:
        """Names of the services that are needed and not there, or not discovered yet."""
        clients = (self._stop, self._release, self._choose, self._lay)
        return [client.srv_name for client in clients if not client.service_is_ready()]

    def start(self, scene: int, on_end: Callable[[str], None]) -> None:
        """Begin; what was begun before is given up.

        Args:
            scene: seed of the scene.
            on_end: called with what went wrong, or with an empty text when the arm is free to move again.
        """
        self._run += 1
        self._scene, self._on_end = scene, on_end
        self._awaits_rest, self._joint_states_left = False, 0
        absent = self.absent()
        if absent:
            on_end(f"the scene cannot be laid anew: {', '.join(absent)} is not there")
            return
        self._instruction.publish(String())
        self._then(self._stop.call_async(Trigger.Request()), self._await_rest)

    def _then(self, answer: Future, step: Callable[[], None]) -> None:
        run = self._run

        def on_answer(future: Future) -> None:
            if run != self._run:
                return
            response = future.result()
            if isinstance(response, SetParameters.Response):
                refusals = [result.reason for result in response.results if not result.successful]
            else:
                refusals = [] if response.success else [response.message]
            if refusals:
                self._on_end(f"the scene was not laid anew: {refusals[0]}")
            else:
                step()

        answer.add_done_callback(on_answer)

    def _await_rest(self) -> None:
        self._awaits_rest = True

    def _on_status(self, message: SafetyStatus) -> None:
        if self._awaits_rest and SafetyState(message.state) in _AT_REST:
            self._awaits_rest = False
            value = ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=self._scene)
            request = SetParameters.Request(parameters=[Parameter(name="scene", value=value)])
            self._then(self._choose.call_async(request), self._lay_scene)

    def _lay_scene(self) -> None:
        self._then(self._lay.call_async(Trigger.Request()), self._await_joint_states)

    def _await_joint_states(self) -> None:
        self._joint_states_left = _JOINT_STATES

    def _on_joint_state(self, message: JointState) -> None:
        if self._joint_states_left:
            self._joint_states_left -= 1
            if not self._joint_states_left:
                self._then(self._release.call_async(Trigger.Request()), lambda: self._on_end(""))
