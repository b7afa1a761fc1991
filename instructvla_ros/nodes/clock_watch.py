# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Watches how far the safety filter's clock is from ours, where the two run on different machines."""

from __future__ import annotations

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.task import Future

from instructvla_ros.clock_offset import Offset, OffsetMeter, refusal
from instructvla_ros.nodes import messages
from instructvla_ros.srv import TellTime

PERIOD = 1.0  # [s] between two questions
SERVICE = "safety_filter_node/tell_time"


class ClockWatch:
    """Asks the filter for its time again and again; no answer is no fault.

    Args:
        node: whose executor and clock it uses.
        bound: how far apart the clocks may be [s].
        group: callback group of its timer and answers.
    """

    def __init__(self, node: Node, bound: float, group: CallbackGroup | None = None) -> None:
        self._node, self._bound = node, bound
        self._meter = OffsetMeter()
        self._client = node.create_client(TellTime, SERVICE, callback_group=group)
        self._asked: Future | None = None
        node.create_timer(PERIOD, self._ask, callback_group=group)

    @property
    def offset(self) -> Offset | None:
        """How far the filter's clock is ahead of ours; None where it has not answered."""
        return self._meter.offset

    @property
    def refusal(self) -> str:
        """Why nothing may be acted on; empty where the clocks may be in step."""
        return refusal(self.offset, self._bound, "the safety filter's machine")

    @property
    def is_close(self) -> bool:
        """Whether the clocks are within half of the bound, or it is not known."""
        offset = self.offset
        return offset is None or not offset.surely_beyond(0.5 * self._bound)

    def _ask(self) -> None:
        if not self._client.service_is_ready():
            self._meter = OffsetMeter()  # another filter may come, on another machine
            return
        if self._asked is not None:
            self._client.remove_pending_request(self._asked)  # a filter that hangs must not fill our memory
        sent = messages.ros_now(self._node)

        def on_answer(future: Future) -> None:
            answer = future.result()
            if answer is not None:
                self._meter.add(sent, messages.seconds(answer.stamp), messages.ros_now(self._node))

        self._asked = self._client.call_async(TellTime.Request())
        self._asked.add_done_callback(on_answer)
