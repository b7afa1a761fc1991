# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Play a recording into policy and safety filter; no arm moves unless `drive:=true`.

    ros2 launch instructvla_ros replay.launch.py bag:=my_recording robot:=sim checkpoint:=/path/of/run

It keeps to this machine and to a domain that no robot uses, as the demo does, unless ROS_DOMAIN_ID is set.
"""

import importlib.util
import os
import shutil

from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.event_handlers import OnProcessExit
from launch.substitutions import LaunchConfiguration

from instructvla_ros.bringup import command_topics, network_environment, replay_processes, rosbag2_command
from instructvla_ros.launching import SWITCH, declared, end_with, node_action
from instructvla_ros.parameters import PLAYER_NODE, POLICY_NODE

PARAMETERS = {parameter.name: parameter for parameter in (*POLICY_NODE, *PLAYER_NODE)}


def start_nodes(context: LaunchContext) -> list[Action]:
    """Filter, policy and player; the launch ends with the recording."""

    def argument(name: str) -> str:
        return context.perform_substitution(LaunchConfiguration(name))

    rosbag2 = shutil.which("ros2") is not None and importlib.util.find_spec("ros2bag") is not None
    player = argument("player")
    own_player = player == "own" or (player == "auto" and not rosbag2)
    remaps = [tuple(pair.split(":=", 1)) for pair in argument("remaps").split()]
    rate, start, loop = float(argument("rate")), float(argument("start")), argument("loop") == "true"
    processes = replay_processes(
        argument("robot"),
        argument("checkpoint"),
        bag=argument("bag"),
        rate=rate,
        start=start,
        loop=loop,
        remaps=remaps,
        drive=argument("drive") == "true",
        own_player=own_player,
        device=argument("device"),
        image_transport=argument("image_transport"),
        seed=int(argument("seed")),
    )
    actions: list[Action] = [node_action(process) for process in processes]
    if not own_player:
        commands = command_topics(argument("robot"))
        command = rosbag2_command(argument("bag"), rate, start, loop, remaps, float(argument("delay")), commands)
        actions.append(ExecuteProcess(cmd=command, output="screen"))
    end = OnProcessExit(target_action=actions[-1], on_exit=end_with("the player", True))
    return [RegisterEventHandler(end), *actions]


def generate_launch_description() -> LaunchDescription:
    """Arguments, network settings and nodes."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description=PARAMETERS["bag"].description),
            DeclareLaunchArgument("robot", description=PARAMETERS["robot"].description),
            DeclareLaunchArgument("checkpoint", description=PARAMETERS["checkpoint"].description),
            declared(PARAMETERS["rate"]),
            declared(PARAMETERS["start"]),
            declared(PARAMETERS["loop"]),
            DeclareLaunchArgument(
                "remaps", default_value="", description="Topics of the bag under other names: '/a:=/b /c:=/d'."
            ),
            DeclareLaunchArgument(
                "player",
                default_value="auto",
                choices=("auto", "own", "rosbag2"),
                description="Who plays: player_node, or `ros2 bag play`; auto: the latter where it is installed.",
            ),
            DeclareLaunchArgument(
                "delay",
                default_value="20.0",
                description="How long `ros2 bag play` waits for the model [s]; player_node waits for listeners.",
            ),
            DeclareLaunchArgument(
                "drive",
                default_value="false",
                choices=SWITCH,
                description="Whether commands go to the profile's driver; else under replay/.",
            ),
            declared(PARAMETERS["device"]),
            declared(PARAMETERS["image_transport"]),
            declared(PARAMETERS["seed"]),
            *(SetEnvironmentVariable(*item) for item in network_environment(os.environ, alone=True).items()),
            OpaqueFunction(function=start_nodes),
        ]
    )
