# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Start policy and safety filter for a robot, and the simulated arm where that is the robot.

    ros2 launch instructvla_ros bringup.launch.py robot:=sim checkpoint:=/path/of/run
"""

import os

from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration

from instructvla_ros.bringup import MACHINES, PASSED_ON, bringup_processes, network_environment
from instructvla_ros.declaring import Parameter
from instructvla_ros.launching import SWITCH, declared, node_action, voice_arguments
from instructvla_ros.parameters import CONSOLE_NODE, POLICY_NODE

DESCRIPTIONS = {parameter.name: parameter.description for parameter in POLICY_NODE}
CONSOLE = {parameter.name: parameter for parameter in CONSOLE_NODE}


def value_of(parameter: Parameter, text: str) -> bool | int | float | str:
    """A launch argument as its node takes it."""
    return text == "true" if isinstance(parameter.default, bool) else type(parameter.default)(text)


def start_nodes(context: LaunchContext) -> list[Action]:
    """The nodes that the arguments ask for."""

    def argument(name: str) -> str:
        return context.perform_substitution(LaunchConfiguration(name))

    simulate = argument("sim")
    given = {name: value_of(parameter, argument(name)) for name, parameter in PASSED_ON.items()}
    if not given["arm"]:
        del given["arm"]  # the simulated arm is armed where it is started here
    processes = bringup_processes(
        argument("robot"),
        argument("checkpoint"),
        simulate=None if simulate == "auto" else simulate == "true",
        namespace=argument("namespace"),
        use_sim_time=argument("use_sim_time") == "true",
        autostart=argument("autostart") == "true",
        record=argument("record"),
        flight_recorder=argument("flight_recorder") == "true",
        voice=argument("voice"),
        listen=argument("listen"),
        auto_confirm=argument("auto_confirm") == "true",
        markers=argument("markers") == "true",
        instruction_server=argument("instruction_server") == "true",
        console=argument("console") == "true",
        console_address=argument("console_address"),
        stop_on_disconnect=argument("stop_on_disconnect") == "true",
        machine=argument("machine"),
        **given,
    )
    return [node_action(process) for process in processes]


def generate_launch_description() -> LaunchDescription:
    """Arguments, Fast DDS settings and nodes."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("robot", description=DESCRIPTIONS["robot"]),
            DeclareLaunchArgument("checkpoint", description=DESCRIPTIONS["checkpoint"]),
            *(declared(parameter) for parameter in PASSED_ON.values()),
            DeclareLaunchArgument(
                "sim",
                default_value="auto",
                choices=("auto", *SWITCH),
                description="Whether to start the simulated arm; auto: where the robot is `sim`.",
            ),
            DeclareLaunchArgument("namespace", default_value="", description="Namespace of all nodes."),
            DeclareLaunchArgument(
                "use_sim_time", default_value="false", choices=SWITCH, description="Whether /clock is the time."
            ),
            DeclareLaunchArgument(
                "autostart", default_value="true", choices=SWITCH, description=DESCRIPTIONS["autostart"]
            ),
            DeclareLaunchArgument("record", default_value="", description="Folder of the bag to record into."),
            DeclareLaunchArgument(
                "flight_recorder",
                default_value="true",
                choices=SWITCH,
                description="Whether the last minute is kept in memory and written after an incident.",
            ),
            DeclareLaunchArgument(
                "markers",
                default_value="false",
                choices=SWITCH,
                description="Whether plan and limits are drawn for RViz and Foxglove.",
            ),
            DeclareLaunchArgument(
                "instruction_server",
                default_value="false",
                choices=SWITCH,
                description="Whether instructions are taken as goals of the action execute_instruction too.",
            ),
            DeclareLaunchArgument(
                "console", default_value="false", choices=SWITCH, description="Whether the operator console is served."
            ),
            DeclareLaunchArgument(
                "console_address",
                default_value=str(CONSOLE["address"].default),
                description=CONSOLE["address"].description,
            ),
            declared(CONSOLE["stop_on_disconnect"]),
            DeclareLaunchArgument(
                "machine",
                default_value=MACHINES[0],
                choices=MACHINES,
                description="Which processes to start: all; robot: all but the policy; policy: that alone.",
            ),
            *voice_arguments(),
            *(SetEnvironmentVariable(*item) for item in network_environment(os.environ, alone=False).items()),
            OpaqueFunction(function=start_nodes),
        ]
    )
