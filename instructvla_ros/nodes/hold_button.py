# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The topic of the button that must be held for the arm to move."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sensor_msgs.msg import Joy
from std_msgs.msg import Bool

from instructvla_ros.nodes import qos
from instructvla_ros.safety.hold_to_run import HoldToRun

if TYPE_CHECKING:
    from rclpy.node import Node


def hold_button(node: Node, kind: str, button: int, timeout: float) -> HoldToRun | None:
    """Listens to the button.

    Args:
        node: whose subscription it is.
        kind: ``bool``, ``joy``, or ``off``.
        button: number of the button of a joystick, from 0.
        timeout: how long it counts as held after a message [s].

    Returns:
        what remembers it; None where it is off.
    """
    if kind == "off":
        return None
    topic = "hold_to_run" if kind == "bool" else "joy"
    hold = HoldToRun(timeout, topic)

    def on_bool(message: Bool) -> None:
        hold.put(message.data, time.monotonic())

    def on_joy(message: Joy) -> None:
        hold.put(button < len(message.buttons) and bool(message.buttons[button]), time.monotonic())

    # Best effort: a button that comes late is worse than one that is lost, and joins publishers of either kind.
    if kind == "bool":
        node.create_subscription(Bool, topic, on_bool, qos.SENSOR)
    else:
        node.create_subscription(Joy, topic, on_joy, qos.SENSOR)
    return hold
