# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The description of the running system that launch files and process starter share."""

import ast
import inspect
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros import bringup, shared_files
from instructvla_ros.bags import OUTPUTS
from instructvla_ros.bringup import (
    PASSED_ON,
    UNTRAINED_NOTE,
    NodeProcess,
    bringup_processes,
    command_topics,
    demo_checkpoint,
    demo_processes,
    network_environment,
    replay_processes,
    rosbag2_command,
)
from instructvla_ros.parameters import DEMO_SCENE, NODES
from instructvla_ros.sim.plain_words import plain_task
from instructvla_ros.sim.splits import HELD_OUT_LAYOUTS
from instructvla_ros.sim.task_sampling import numbered_scene
from instructvla_ros.sim.tasks import feasible_tasks

ROOT = Path(__file__).resolve().parents[2]


def declared_arguments(launch_file: str) -> set[str]:
    tree = ast.parse((ROOT / "launch" / launch_file).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    firsts = [call.args[0] for call in calls if call.func.id in ("DeclareLaunchArgument", "declared")]  # type: ignore[attr-defined]
    # a name, or a node's parameter by its name
    names = [first.slice if isinstance(first, ast.Subscript) else first for first in firsts]
    return {name.value for name in names if isinstance(name, ast.Constant)}


def executables(processes: list[NodeProcess]) -> list[str]:
    return [process.executable for process in processes]


def test_the_simulated_robot_brings_its_arm_and_a_real_one_does_not() -> None:
    assert executables(bringup_processes("sim", "run")) == [
        "sim_arm_node",
        "safety_filter_node",
        "policy_node",
        "recorder_node",
    ]
    bare = bringup_processes("widowx", "run", flight_recorder=False)
    assert executables(bare) == ["safety_filter_node", "policy_node"]
    mine = str(ROOT / "config" / "robots" / "widowx.yaml")
    assert "sim_arm_node" in executables(bringup_processes(mine, "run", simulate=True))
    assert "sim_arm_node" not in executables(bringup_processes("sim", "run", simulate=False))


def test_a_voice_bridge_is_started_where_it_has_something_to_listen_to() -> None:
    assert "voice_bridge_node" not in executables(bringup_processes("sim", "run"))
    bringup_voice = bringup_processes("sim", "run", namespace="left", voice="topic", auto_confirm=True)[-1]
    assert (bringup_voice.executable, bringup_voice.namespace) == ("voice_bridge_node", "left")
    assert bringup_voice.parameters == {"source": "topic", "listen": "wake_phrase", "auto_confirm": True}
    demo_voice = demo_processes("run", "lift", 3, voice="microphone", listen="push_to_talk")[-2]
    assert demo_voice.parameters == {"source": "microphone", "listen": "push_to_talk", "auto_confirm": False}


def test_the_demo_is_the_simulated_system_and_last_the_monitor() -> None:
    processes = demo_processes("run", "lift the cube", 12.0, scene=7)
    arm, *system = bringup_processes("sim", "run", base_vlm="", device="auto", threads=0, flight_recorder=False)
    assert processes[1:-1] == system
    assert processes[0] == replace(arm, parameters={"scene": 7})
    assert processes[-1].parameters["scene"] == 7, "the monitor judges what the arm shows"
    assert processes[-1].executable == "demo_monitor_node"
    assert processes[-1].parameters["instruction"] == "lift the cube"
    assert processes[-1].parameters["duration"] == 12.0


@pytest.mark.parametrize(
    "process",
    [*bringup_processes("sim", "run", namespace="left"), *demo_processes("run", "lift", 3, namespace="left", note="n")],
    ids=lambda process: process.executable,
)
def test_every_parameter_is_one_that_its_node_declares_with_the_same_type(process: NodeProcess) -> None:
    declared = {parameter.name: parameter for parameter in NODES[process.executable]}
    for name, value in process.parameters.items():
        assert type(value) is type(declared[name].default)
        declared[name].check(value)
    assert process.namespace == "left"


def test_no_process_is_given_a_value_that_its_node_does_not_allow() -> None:
    everything = {name: parameter.default for name, parameter in PASSED_ON.items() if parameter.default != ""}
    for process in bringup_processes("sim", "run", markers=True, instruction_server=True, record="bag", **everything):
        allowed = {parameter.name: parameter for parameter in NODES[process.executable]}
        for name, value in process.parameters.items():
            if name != "use_sim_time":
                allowed[name].check(value)


def test_safety_filter_and_policy_serve_the_same_robot() -> None:
    processes = bringup_processes("widowx", "run")
    assert {process.parameters["robot"] for process in processes} == {"widowx"}


def test_the_demo_runs_what_is_given_else_what_is_shipped_else_an_untrained_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bringup, "untrained_checkpoint", lambda: tmp_path / "untrained")
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    monkeypatch.setattr(shared_files, "__file__", str(tmp_path / "source" / "instructvla_ros" / "shared_files.py"))
    assert demo_checkpoint("my/run") == ("my/run", "")
    assert demo_checkpoint() == (str(tmp_path / "untrained"), UNTRAINED_NOTE)
    shipped = tmp_path / "share" / "instructvla_ros" / "models" / "tabletop"
    shipped.mkdir(parents=True)
    assert demo_checkpoint() == (str(shipped), "")
    assert demo_checkpoint("my/run") == ("my/run", "")


def test_the_demo_s_scene_has_what_its_instruction_names_and_training_never_saw_it() -> None:
    instruction = next(p.default for p in NODES["demo_monitor_node"] if p.name == "instruction")
    scene = numbered_scene(DEMO_SCENE)
    task = plain_task(str(instruction), scene.things)
    assert task in feasible_tasks(scene, "pick_up")
    assert DEMO_SCENE in HELD_OUT_LAYOUTS.seeds


def test_nothing_that_is_real_is_armed_unless_it_is_asked_for() -> None:
    def armed(robot: str, **given: bool) -> object:
        by_node = {process.executable: process.parameters for process in bringup_processes(robot, "run", **given)}
        return by_node["safety_filter_node"].get("arm", False)

    assert armed("widowx") is False and armed("widowx", arm=True) is True
    assert armed("sim") is True
    assert {parameter.name: parameter.default for parameter in NODES["safety_filter_node"]}["arm"] is False


def test_a_profile_becomes_remappings_of_every_node(tmp_path: Path) -> None:
    content = yaml.safe_load((ROOT / "config" / "robots" / "sim.yaml").read_text())
    content["simulation"] = False
    content["joint_states"] = "/arm/joint_states"
    content["cameras"] = {"primary": {"topic": "/camera/image_raw", "transport": "compressed"}}
    content["output"] = {"kind": "joint_position", "topic": "/forward/commands", "command_timeout": 0.0}
    content["gripper_output"] = {"kind": "gripper_command", "topic": "/hand/gripper_cmd", "max_effort": 0.0}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    for process in bringup_processes(str(path), "run", namespace="left"):
        pairs = dict(process.remappings)
        assert pairs["joint_states"] == "/arm/joint_states"
        assert pairs["image/compressed"] == "/camera/image_raw/compressed"
        assert pairs["joint_position_command"] == "/forward/commands"
        assert pairs["gripper_action/_action/send_goal"] == "/hand/gripper_cmd/_action/send_goal"
        assert "wrist_image" not in pairs and "robot_description" not in pairs, "what is named alike needs no remapping"
    filtering = bringup_processes(str(path), "run")[0]
    assert filtering.parameters["output"] == "joint_position"
    assert filtering.parameters["gripper_output"] == "gripper_command"
    replayed = dict(replay_processes(str(path), "run", bag="b")[0].remappings)
    assert replayed["joint_position_command"] == "replay/joint_position_command"
    assert replayed["gripper_action/_action/send_goal"] == "replay/gripper_action/_action/send_goal"
    assert replayed["joint_states"] == "/arm/joint_states"


def test_the_console_is_served_where_it_is_asked_for() -> None:
    def console(**choices: object) -> list:
        processes = bringup_processes("sim", "run", **choices)
        return [process for process in processes if process.executable == "console_node"]

    assert console() == []
    (local,) = console(console=True)
    assert local.parameters["address"] == "127.0.0.1" and local.parameters["robot"] == "sim"
    (opened,) = console(console=True, console_address="0.0.0.0", stop_on_disconnect=True, machine="robot")
    assert opened.parameters["address"] == "0.0.0.0" and opened.parameters["stop_on_disconnect"]
    assert console(console=True, machine="policy") == [], "it is beside the robot, not beside the model"
    assert set(local.parameters) <= {parameter.name for parameter in NODES["console_node"]}
    assert demo_processes("run", "touch it", 1.0, console=True)[-1].executable == "demo_monitor_node"


def test_simulated_time_reaches_every_node() -> None:
    assert all(process.parameters["use_sim_time"] for process in bringup_processes("sim", "run", use_sim_time=True))


@pytest.mark.parametrize("launch_file", ["bringup.launch.py", "demo.launch.py"])
def test_launch_files_offer_every_choice_of_the_description(launch_file: str) -> None:
    function = {"bringup.launch.py": bringup_processes, "demo.launch.py": demo_processes}[launch_file]
    renamed = {"simulate": "sim", "duration": "seconds"}
    choices = {renamed.get(name, name) for name in inspect.signature(function).parameters} - {"note", "keyboard"}
    if "parameters" in choices:
        assert "declared(parameter) for parameter in PASSED_ON.values()" in (ROOT / "launch" / launch_file).read_text()
        choices.remove("parameters")
    spoken = {"voice", "listen", "auto_confirm"}
    if spoken <= choices:
        assert "*voice_arguments()" in (ROOT / "launch" / launch_file).read_text()
        choices -= spoken
    assert declared_arguments(launch_file) == choices


def test_a_parameter_goes_to_the_node_that_declares_it() -> None:
    by_node = {process.executable: process.parameters for process in bringup_processes("sim", "run", rate=50.0, seed=3)}
    filtering = by_node["safety_filter_node"]
    assert filtering["rate"] == 50.0 and filtering["output"] == "joint_trajectory"
    assert by_node["policy_node"]["seed"] == 3 and "rate" not in by_node["policy_node"]
    assert {"image_transport", "control_rate", "reasoning", "limits"} <= set(PASSED_ON)
    with pytest.raises(TypeError, match="colour: no parameter"):
        bringup_processes("sim", "run", colour="red")


def test_a_replay_has_the_recording_s_time_and_commands_no_arm() -> None:
    processes = {process.executable: process for process in replay_processes("sim", "run", bag="b", rate=2.0)}
    assert set(processes) == {"safety_filter_node", "policy_node", "player_node"}
    assert dict(processes["safety_filter_node"].remappings)["joint_trajectory"] == "replay/joint_trajectory"
    assert processes["policy_node"].parameters["use_sim_time"]
    assert "use_sim_time" not in processes["player_node"].parameters
    assert not replay_processes("sim", "run", bag="b", drive=True)[0].remappings
    assert processes["safety_filter_node"].parameters["arm"], "the filter of a replay commands, but nobody hears it"
    command = rosbag2_command("b", 2.0, 1.0, True, [("/image", "/camera")], 20.0)
    assert command[:4] == ["ros2", "bag", "play", "b"] and command[-2:] == ["--remap", "/image:=/camera"]
    assert {f"/{name}" for name in OUTPUTS} <= set(command), "both players leave out the same"
    named = rosbag2_command("b", 1.0, 0.0, False, [], 0.0, command_topics("ur5e"))
    assert "/scaled_joint_trajectory_controller/joint_trajectory" in named


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_a_ros_command_line_as_text(text: str) -> None:
    command = NodeProcess("some_node", "some_node", parameters={"instruction": text}).command("python")
    name, value = command[-1].split(":=", 1)
    assert name == "instruction"
    assert yaml.safe_load(value) == text


def test_parameters_reach_a_real_node_with_their_types() -> None:
    rclpy = pytest.importorskip("rclpy", reason="rclpy is not importable: run by make test")
    parameters = {
        "text": 'pick: up "the"\n{red} cube \\ #1 \x7f\u2028 \U0001f600',
        "number_like": "123",
        "truth_like": "yes",
        "empty": "",
        "rate": 30.0,
        "small": 1e-7,
        "count": 3,
        "on": True,
    }
    process = NodeProcess("some_node", "renamed", "left", parameters, (("image", "camera/image"),))
    arguments = process.command()[3:]
    context = rclpy.Context()
    rclpy.init(args=arguments, context=context)
    node = rclpy.create_node("before", context=context, automatically_declare_parameters_from_overrides=True)
    try:
        assert node.get_fully_qualified_name() == "/left/renamed"
        assert node.resolve_topic_name("image") == "/left/camera/image"
        received = {name: node.get_parameter(name).value for name in parameters}
        assert received == parameters
        assert {name: type(value) for name, value in received.items()} == {n: type(v) for n, v in parameters.items()}
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)


@pytest.mark.parametrize(
    ("distribution", "variable"),
    [("jazzy", "FASTRTPS_DEFAULT_PROFILES_FILE"), ("kilted", "FASTDDS_DEFAULT_PROFILES_FILE")],
)
def test_images_go_through_shared_memory_unless_the_user_has_a_profile(distribution: str, variable: str) -> None:
    environment = {"ROS_DISTRO": distribution}
    added = network_environment(environment, alone=False)
    assert set(added) == {variable}
    assert Path(added[variable]).is_file()
    for own in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
        assert network_environment({**environment, own: "/mine.xml"}, alone=False) == {}


def test_localhost_is_a_default_and_no_more() -> None:
    assert network_environment({}, alone=True)["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert "ROS_AUTOMATIC_DISCOVERY_RANGE" not in network_environment({}, alone=False)
    assert "ROS_AUTOMATIC_DISCOVERY_RANGE" not in network_environment(
        {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}, alone=True
    )


def test_the_demo_keeps_to_a_domain_of_its_own_unless_the_user_names_one() -> None:
    assert network_environment({}, alone=True)["ROS_DOMAIN_ID"] not in ("", "0")
    assert "ROS_DOMAIN_ID" not in network_environment({"ROS_DOMAIN_ID": "7"}, alone=True)
    assert "ROS_DOMAIN_ID" not in network_environment({}, alone=False)


def test_each_machine_starts_its_own_processes_and_none_is_missing_or_double() -> None:
    everything = {"markers": True, "instruction_server": True}
    whole = executables(bringup_processes("widowx", "run", **everything))
    robot = executables(bringup_processes("widowx", "run", machine="robot", **everything))
    policy = executables(bringup_processes("widowx", "run", machine="policy", **everything))
    assert policy == ["policy_node"] and "policy_node" not in robot
    assert sorted(robot + policy) == sorted(whole)
    assert {"markers_node", "instruction_server_node", "safety_filter_node", "recorder_node"} <= set(robot)
