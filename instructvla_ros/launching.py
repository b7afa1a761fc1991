# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the launch files share: from a described process to an action of `launch`."""

from __future__ import annotations

from collections.abc import Callable

from launch import LaunchContext
from launch.action import Action
from launch.actions import EmitEvent
from launch.events import Shutdown
from launch.events.process import ProcessExited
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from instructvla_ros.bringup import PACKAGE, NodeProcess


def node_action(process: NodeProcess) -> Node:
    """The launch action of a described process.

    Values carry their type, because launch would read a text like `123` or an empty one as another type.
    """
    parameters = {name: ParameterValue(value, value_type=type(value)) for name, value in process.parameters.items()}
    return Node(
        package=PACKAGE,
        executable=process.executable,
        name=process.name,
        namespace=process.namespace,
        parameters=[parameters] if parameters else None,
        remappings=process.remappings or None,
        output="screen",
    )


def end_with(name: str, expected: bool) -> Callable[[ProcessExited, LaunchContext], list[Action] | None]:
    """An exit handler that ends the launch when a process ends.

    Args:
        name: node name, for the message.
        expected: whether this process may end at all; an exit code other than 0 fails in any case.
    """

    def handle(event: ProcessExited, context: LaunchContext) -> list[Action] | None:
        if context.is_shutdown:
            return None
        if event.returncode == 0 and expected:
            return [EmitEvent(event=Shutdown(reason=f"{name} has finished"))]
        # launch has no exit code of its own to set: an exception is what makes `ros2 launch` return 1
        raise RuntimeError(f"{name} ended with exit code {event.returncode}")

    return handle
