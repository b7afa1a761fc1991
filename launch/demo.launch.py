# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The demo: simulated arm, policy, safety filter, and a monitor that ends it with a summary.

    ros2 launch instructvla_ros demo.launch.py instruction:="pick up the red cube" seconds:=30

`ros2 launch` passes no keyboard on to its processes: further instructions are published from another terminal, by the
command that the monitor shows. `ros2 run instructvla_ros demo` starts the same graph and reads the keyboard.
"""

import os

from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import DeclareLaunchArgument, OpaqueFunction, RegisterEventHandler, SetEnvironmentVariable
from launch.event_handlers import OnProcessExit
from launch.substitutions import LaunchConfiguration

from instructvla_ros.bringup import (
    DEMO_THREADS,
    demo_checkpoint,
    demo_processes,
    network_environment,
)
from instructvla_ros.console import is_available
from instructvla_ros.launching import end_with, node_action, voice_arguments
from instructvla_ros.parameters import DEMO_MONITOR_NODE, POLICY_NODE

DESCRIPTIONS = {parameter.name: parameter.description for parameter in (*POLICY_NODE, *DEMO_MONITOR_NODE)}
DEFAULTS = {parameter.name: parameter.default for parameter in DEMO_MONITOR_NODE}


def start_nodes(context: LaunchContext) -> list[Action]:
    """The nodes of the demo; the launch ends with the first that ends, which is the monitor if all is well."""

    def argument(name: str) -> str:
        return context.perform_substitution(LaunchConfiguration(name))

    checkpoint, note = demo_checkpoint(argument("checkpoint"))
    processes = demo_processes(
        checkpoint,
        argument("instruction"),
        float(argument("seconds")),
        base_vlm=argument("base_vlm"),
        device=argument("device"),
        threads=int(argument("threads")),
        namespace=argument("namespace"),
        scene=int(argument("scene")),
        note=note,
        record=argument("record"),
        voice=argument("voice"),
        listen=argument("listen"),
        auto_confirm=argument("auto_confirm") == "true",
        console=is_available() if argument("console") == "auto" else argument("console") == "true",
    )
    nodes = [node_action(process) for process in processes]
    handlers = [
        RegisterEventHandler(OnProcessExit(target_action=node, on_exit=end_with(process.name, node is nodes[-1])))
        for process, node in zip(processes, nodes, strict=True)
    ]
    return [*handlers, *nodes]


def generate_launch_description() -> LaunchDescription:
    """Arguments, network settings and nodes."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "instruction", default_value=str(DEFAULTS["instruction"]), description=DESCRIPTIONS["instruction"]
            ),
            DeclareLaunchArgument(
                "seconds", default_value=str(DEFAULTS["duration"]), description=DESCRIPTIONS["duration"]
            ),
            DeclareLaunchArgument(
                "checkpoint", default_value="", description="Run folder of a model; empty: the shipped one."
            ),
            DeclareLaunchArgument("base_vlm", default_value="", description=DESCRIPTIONS["base_vlm"]),
            DeclareLaunchArgument("device", default_value="auto", description=DESCRIPTIONS["device"]),
            DeclareLaunchArgument("threads", default_value=str(DEMO_THREADS), description=DESCRIPTIONS["threads"]),
            DeclareLaunchArgument("scene", default_value=str(DEFAULTS["scene"]), description=DESCRIPTIONS["scene"]),
            DeclareLaunchArgument("namespace", default_value="", description="Namespace of all nodes."),
            DeclareLaunchArgument("record", default_value="", description="Folder of the bag to record into."),
            *voice_arguments(),
            DeclareLaunchArgument(
                "console",
                default_value="auto",
                choices=("auto", "true", "false"),
                description="Whether the operator console is served; auto: where aiohttp is installed.",
            ),
            *(SetEnvironmentVariable(*item) for item in network_environment(os.environ, alone=True).items()),
            OpaqueFunction(function=start_nodes),
        ]
    )
