# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the launch files share: from a described process to an action of `launch`."""

from __future__ import annotations

from collections.abc import Callable

from launch import LaunchContext
from launch.action import Action
from launch.actions import DeclareLaunchArgument, EmitEvent
from launch.events import Shutdown
from launch.events.process import ProcessExited
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from instructvla_ros.bringup import PACKAGE, NodeProcess
from instructvla_ros.declaring import Parameter
from instructvla_ros.parameters import VOICE_BRIDGE_NODE

SWITCH = ("true", "false")


def declared(parameter: Parameter) -> DeclareLaunchArgument:
    """A launch argument for a node's parameter."""
    unit = f" [{parameter.unit}]" if parameter.unit else ""
    switch = isinstance(parameter.default, bool)
    return DeclareLaunchArgument(
        parameter.name,
        default_value=str(parameter.default).lower() if switch else str(parameter.default),
        choices=SWITCH if switch else parameter.choices or None,
        description=parameter.description + unit,
    )


def voice_arguments() -> list[DeclareLaunchArgument]:
    """What is spoken to, for every launch file that starts policies."""
    voice = {parameter.name: parameter for parameter in VOICE_BRIDGE_NODE}
    return [
        DeclareLaunchArgument(
            "voice",
            default_value="",
            description="What the voice bridge listens to: microphone, topic, or a wav file; empty: there is none.",
        ),
        declared(voice["listen"]),
        declared(voice["auto_confirm"]),
    ]


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
