# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Goals of an action of control_msgs, each replacing the one before; nobody waits for their results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rclpy.node import Node


class ActionGoals:
    """Sends goals as setpoints.

    Args:
        node: whose client it is.
        kind: name of the action's type in control_msgs.
        name: of the action.

    Raises:
        ImportError: control_msgs is not installed; the message says how to.
    """

    def __init__(self, node: Node, kind: str, name: str) -> None:
        try:
            from control_msgs import action
        except ImportError as error:
            raise ImportError(
                f"the action {name} ({kind}) needs control_msgs, which is not installed: "
                "apt install ros-$ROS_DISTRO-control-msgs, or choose a kind of output that is a topic"
            ) from error
        from rclpy.action import ActionClient

        self._kind = getattr(action, kind)
        self._client = ActionClient(node, self._kind, name)

    def goal(self, **fields: Any) -> Any:
        """A goal with these fields."""
        return self._kind.Goal(**fields)

    def send(self, goal: Any) -> bool:
        """Sends a goal if there is somebody to take it; whether there is."""
        if not self._client.server_is_ready():
            return False
        self._client.send_goal_async(goal)
        return True
