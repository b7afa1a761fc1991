# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which processes make up a running system, with which names and parameters.

The launch files and the process starter of the demo both read this description, so that they start the same graph.
Needs neither ROS nor torch: `ros2 launch` may run in a Python that has no torch.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from instructvla_ros.bags import OUTPUTS
from instructvla_ros.declaring import Parameter
from instructvla_ros.parameters import DEMO_SCENE, NODES, POLICY_NODE, SAFETY_FILTER_NODE
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.policy.profile_interface import (
    ACTIONS,
    COMMAND_NAMES,
    GRIPPER_NAMES,
    IMAGE_NAMES,
    RobotInterface,
)
from instructvla_ros.shared_files import PACKAGE, shared_folder

Value = bool | int | float | str

SIMULATED_ROBOT = "sim"
DEMO_DOMAIN = 93  # any but 0, which robots use
SHIPPED_MODEL = "models/tabletop"
DEMO_THREADS = 1  # a small model gains nothing from a second thread, which waits long on a busy machine
MACHINES = ("all", "robot", "policy")
"""Which processes a launch starts: all of them, all but the policy, or the policy alone."""

REPLAY_WAIT = 120.0  # how long a replay waits for the model to be loaded [s]
UNTRAINED_NOTE = "The model is a tiny untrained one: it shows that the chain runs, its words and motions mean nothing."


PASSED_ON: dict[str, Parameter] = {
    parameter.name: parameter
    for parameter in (*SAFETY_FILTER_NODE, *POLICY_NODE)
    if parameter.name not in ("robot", "checkpoint", "autostart")
}
"""Parameters that bringup takes as they are declared and hands to the node that declares them."""


_ACTION_PARTS = ("send_goal", "cancel_goal", "get_result", "feedback", "status")


@dataclass(frozen=True)
class NodeProcess:
    """One node in a process of its own.

    Attributes:
        executable: name of the executable, also of the module in instructvla_ros.nodes.
        name: node name.
        namespace: node namespace; empty for the root.
        parameters: parameter values by name; those of an unnamed parameter stay at the node's default.
        remappings: pairs of topic or service names, from and to.
    """

    executable: str
    name: str
    namespace: str = ""
    parameters: Mapping[str, Value] = field(default_factory=dict)
    remappings: tuple[tuple[str, str], ...] = ()

    @property
    def module(self) -> str:
        """The Python module whose main() runs the node."""
        return f"{PACKAGE}.nodes.{self.executable}"

    def command(self, python: str = sys.executable) -> list[str]:
        """The command line that runs this node without launch."""
        command = [python, "-m", self.module, "--ros-args", "-r", f"__node:={self.name}"]
        if self.namespace:
            command += ["-r", f"__ns:=/{self.namespace.strip('/')}"]
        for old, new in self.remappings:
            command += ["-r", f"{old}:={new}"]
        for name, value in self.parameters.items():
            command += ["-p", f"{name}:={yaml_value(value)}"]
        return command


def yaml_value(value: Value) -> str:
    """A parameter value as YAML, which is what a ROS command line takes.

    Text is quoted, so that `123`, `yes` and an empty text stay text. JSON's double quotes are YAML's, but YAML has no
    surrogate pairs and wants every character escaped that cannot be printed.
    """
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(character if character.isprintable() else f"\\U{ord(character):08x}" for character in quoted)


def profile_remappings(interface: RobotInterface) -> tuple[tuple[str, str], ...]:
    """Pairs of our own topic names and the profile's, for every node of a robot."""
    pairs = [
        ("joint_states", interface.joint_states),
        ("robot_description", interface.robot_description.topic),
        ("end_effector_pose", interface.end_effector_pose.topic),
    ]
    for view, camera in interface.cameras.items():
        ours = IMAGE_NAMES[view]
        pairs += [(ours, camera.topic), (f"{ours}/compressed", f"{camera.topic}/compressed")]
    output, gripper = interface.output, interface.gripper_output
    pairs += _command_pairs(output.kind, COMMAND_NAMES[output.kind], output.topic)
    if gripper.kind in GRIPPER_NAMES:
        pairs += _command_pairs(gripper.kind, GRIPPER_NAMES[gripper.kind], gripper.topic)
    return tuple((ours, theirs) for ours, theirs in pairs if ours != theirs)


def _command_pairs(kind: str, ours: str, theirs: str) -> list[tuple[str, str]]:
    if kind not in ACTIONS:
        return [(ours, theirs)]
    # ROS 2 remaps the topics and services that an action is made of, not the action itself
    return [(f"{ours}/_action/{part}", f"{theirs}/_action/{part}") for part in _ACTION_PARTS]


def bringup_processes(
    robot: str,
    checkpoint: str,
    *,
    simulate: bool | None = None,
    namespace: str = "",
    use_sim_time: bool = False,
    autostart: bool = True,
    record: str = "",
    flight_recorder: bool = True,
    voice: str = "",
    listen: str = "wake_phrase",
    auto_confirm: bool = False,
    markers: bool = False,
    instruction_server: bool = False,
    console: bool = False,
    console_address: str = "127.0.0.1",
    stop_on_disconnect: bool = False,
    machine: str = MACHINES[0],
    **parameters: Value,
) -> list[NodeProcess]:
    """The processes that make a robot act on instructions.

    Args:
        robot: profile name in config/robots/, or path of a profile.
        checkpoint: run folder of the model.
        simulate: whether the simulated arm is started; None: where the robot is the simulated one.
        namespace: namespace of all nodes.
        use_sim_time: whether the nodes take their time from /clock.
        autostart: whether the policy configures and activates itself.
        record: folder of the bag to record into; empty: none.
        flight_recorder: whether the last minute is kept in memory and written after an incident.
        voice: what the voice bridge listens to: ``microphone``, ``topic``, or a wav file; empty: there is none.
        listen: when words are for the robot: ``push_to_talk``, ``wake_phrase`` or ``always``.
        auto_confirm: whether spoken commands are sent without being asked back first.
        markers: whether plan and limits are drawn for RViz and Foxglove.
        instruction_server: whether instructions are taken as goals of the action ``execute_instruction`` too.
        console: whether the operator console is served.
        console_address: address that it is served on; open to the network, it makes a token and logs it.
        stop_on_disconnect: whether the arm is stopped when the connection to the operator's page is lost.
        machine: one of ``MACHINES``: all processes, those of the robot's machine, or the policy's alone.
        parameters: any other parameter that policy_node or safety_filter_node declares; each goes to the node that
            declares it.

    Returns:
        The processes; the arm first, because the others wait for it.

    Raises:
        TypeError: neither node declares one of the parameters.
        ProfileError: there is no such profile, or it is wrong.
    """
    unknown = set(parameters) - set(PASSED_ON)
    if unknown:
        raise TypeError(f"{', '.join(sorted(unknown))}: no parameter of policy_node or safety_filter_node")
    interface = RobotProfile.load(robot).interface
    if simulate is None:
        simulate = robot == SIMULATED_ROBOT
    given: dict[str, Value] = {"robot": robot, "checkpoint": checkpoint, "autostart": autostart}
    given |= {"output": interface.output.kind, "gripper_output": interface.gripper_output.kind}
    if simulate:
        given["arm"] = True
    given |= {name: value for name, value in parameters.items() if value != "profile"}
    shared: dict[str, Value] = {"use_sim_time": True} if use_sim_time else {}
    remappings = profile_remappings(interface)

    def node(executable: str) -> NodeProcess:
        declared = {parameter.name for parameter in NODES[executable]}
        own = {name: value for name, value in given.items() if name in declared}
        return NodeProcess(executable, executable, namespace, {**own, **shared}, remappings)

    processes = [node("safety_filter_node"), node("policy_node")]
    if simulate:
        processes.insert(0, NodeProcess("sim_arm_node", "sim_arm_node", namespace, shared, remappings))
    if record or flight_recorder:
        recording: dict[str, Value] = {"path": record, "robot": robot, "flight_recorder": flight_recorder}
        recording |= {name: given[name] for name in ("image_transport",) if name in given}
        processes.append(
            NodeProcess("recorder_node", "recorder_node", namespace, {**recording, **shared}, remappings)
        )
    if voice:
        heard: dict[str, Value] = {"source": voice, "listen": listen, "auto_confirm": auto_confirm}
        processes.append(NodeProcess("voice_bridge_node", "voice_bridge_node", namespace, {**heard, **shared}))
    if markers:
        drawn: dict[str, Value] = {"robot": robot, "limits": given.get("limits", "")}  # its rate is its own
        processes.append(NodeProcess("markers_node", "markers_node", namespace, {**drawn, **shared}, remappings))
    if instruction_server:
        processes.append(NodeProcess("instruction_server_node", "instruction_server_node", namespace, shared))
    if console:
        page: dict[str, Value] = {"robot": robot, "address": console_address, "stop_on_disconnect": stop_on_disconnect}
        page |= {name: given[name] for name in ("image_transport",) if name in given}
        processes.append(NodeProcess("console_node", "console_node", namespace, {**page, **shared}, remappings))
    on_robot = {"all": None, "robot": True, "policy": False}[machine]
    return [each for each in processes if on_robot is None or (each.executable != "policy_node") is on_robot]


def demo_processes(
    checkpoint: str,
    instruction: str,
    duration: float,
    *,
    base_vlm: str = "",
    device: str = "auto",
    threads: int = 0,
    namespace: str = "",
    scene: int = DEMO_SCENE,
    note: str = "",
    keyboard: bool = False,
    record: str = "",
    voice: str = "",
    listen: str = "wake_phrase",
    auto_confirm: bool = False,
    console: bool = False,
) -> list[NodeProcess]:
    """The processes of the demo: the simulated arm's system and, last, the monitor that ends the demo.

    Args:
        checkpoint: run folder of the model.
        instruction: what the arm is told to do.
        duration: how long the demo runs after the first action chunk [s]; 0: until it is interrupted.
        base_vlm: folder with the vision-language model's config and tokenizer; empty: as the run names it.
        device: where the model runs.
        threads: CPU threads of the model; 0: as many as are found to make it quicker.
        namespace: namespace of all nodes.
        scene: seed of what lies on the table.
        note: a line that the demo shows first; given where the model's motions mean nothing.
        keyboard: whether the monitor reads further instructions from its standard input.
        record: folder of the bag to record into; empty: none.
        voice, listen, auto_confirm, console: as in :func:`bringup_processes`.
    """
    system = bringup_processes(
        SIMULATED_ROBOT,
        checkpoint,
        base_vlm=base_vlm,
        device=device,
        threads=threads,
        namespace=namespace,
        record=record,
        flight_recorder=False,
        voice=voice,
        listen=listen,
        auto_confirm=auto_confirm,
        console=console,
    )
    arm = replace(system[0], parameters={**system[0].parameters, "scene": scene})
    parameters: dict[str, Value] = {
        "robot": SIMULATED_ROBOT,
        "instruction": instruction,
        "duration": float(duration),
        "scene": scene,
        "note": note,
        "keyboard": keyboard,
    }
    return [arm, *system[1:], NodeProcess("demo_monitor_node", "demo_monitor_node", namespace, parameters)]


def replay_processes(
    robot: str,
    checkpoint: str,
    *,
    bag: str,
    rate: float = 1.0,
    start: float = 0.0,
    loop: bool = False,
    remaps: Sequence[tuple[str, str]] = (),
    drive: bool = False,
    own_player: bool = True,
    **parameters: Value,
) -> list[NodeProcess]:
    """The processes that let policy and filter work on a recording.

    Args:
        robot: profile name in config/robots/, or path of a profile.
        checkpoint: run folder of the model.
        bag: folder of the recording.
        rate: how many of its seconds pass in a second.
        start: where it begins, after its start [s].
        loop: whether it begins again at the end.
        remaps: pairs of topic names, in the bag and here.
        drive: whether commands go where an arm driver hears them; else to names under ``replay/``.
        own_player: whether our player plays it; else somebody else does.
        parameters: any other parameter that policy_node or safety_filter_node declares.

    Returns:
        Filter, policy and, last, the player.
    """
    passed_on: dict[str, Any] = {"arm": True, **parameters}
    processes = bringup_processes(
        robot, checkpoint, simulate=False, use_sim_time=True, autostart=True, flight_recorder=False, **passed_on
    )
    if not drive:
        commands = {**COMMAND_NAMES, **GRIPPER_NAMES}
        dry = [pair for kind, name in commands.items() for pair in _command_pairs(kind, name, f"replay/{name}")]
        kept = [pair for pair in processes[0].remappings if pair[0] not in dict(dry)]
        processes[0] = replace(processes[0], remappings=(*kept, *dry))
    if own_player:
        played: dict[str, Value] = {"bag": bag, "rate": rate, "start": start, "loop": loop, "wait": REPLAY_WAIT}
        processes.append(NodeProcess("player_node", "player_node", "", played, tuple(remaps)))
    return processes


def command_topics(robot: str) -> tuple[str, ...]:
    """Topics by which a robot's driver is commanded, as its profile names them.

    Args:
        robot: profile name in config/robots/, or path of a profile.
    """
    interface = RobotProfile.load(robot).interface
    names = (interface.output.topic, interface.gripper_output.topic)
    return tuple(name if name.startswith("/") else f"/{name}" for name in names if name)


def rosbag2_command(
    bag: str,
    rate: float,
    start: float,
    loop: bool,
    remaps: Sequence[tuple[str, str]],
    delay: float,
    commands: Sequence[str] = (),
) -> list[str]:
    """The command line of the distribution's player, for the same as :func:`replay_processes`.

    Args:
        delay: how long it waits for the model to be loaded [s].
        commands: topics of the recorded robot's driver, which are left out beside our own.
    """
    command = ["ros2", "bag", "play", bag, "--clock", "100", "--rate", f"{rate:g}", "--start-offset", f"{start:g}"]
    command += ["--delay", f"{delay:g}", *(["--loop"] if loop else [])]
    command += ["--exclude-topics", *dict.fromkeys([*(f"/{name}" for name in OUTPUTS), *commands])]
    if remaps:
        command += ["--remap", *(f"{old}:={new}" for old, new in remaps)]
    return command


def network_environment(environment: Mapping[str, str], *, alone: bool) -> dict[str, str]:
    """Variables to add so that images go through shared memory; what the user has set is left alone.

    Args:
        environment: the variables that are set.
        alone: whether to keep to this machine, and there to a domain that no robot uses: the simulated arm's topics and
            joints are named like a real one's, which must not follow the demo.
    """
    added = {}
    old_name, new_name = "FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"
    if not environment.get(old_name) and not environment.get(new_name):
        # Fast DDS 3, which came with Kilted, warns about the old name; Jazzy's ROS layer knows no other
        profiles_file = old_name if environment.get("ROS_DISTRO") == "jazzy" else new_name
        added[profiles_file] = str(shared_folder("config/fastdds") / "shared_memory.xml")
    if alone and not environment.get("ROS_AUTOMATIC_DISCOVERY_RANGE"):
        added["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    if alone and not environment.get("ROS_DOMAIN_ID"):
        added["ROS_DOMAIN_ID"] = str(DEMO_DOMAIN)
    return added


def demo_checkpoint(given: str = "") -> tuple[str, str]:
    """The run folder that the demo runs, and the note to show with it.

    Args:
        given: what the user has chosen; empty: the shipped model, or an untrained one where none is shipped.

    Raises:
        RuntimeError: the untrained one could not be made.
    """
    if given:
        return given, ""
    try:
        return str(shared_folder(SHIPPED_MODEL)), ""
    except FileNotFoundError:
        return str(untrained_checkpoint()), UNTRAINED_NOTE


def untrained_checkpoint() -> Path:
    """The demo's untrained run folder; made in a cache folder where it is not there yet.

    A process of its own makes it, because torch may be in another Python than the caller's: the installed executable
    starts the right one.

    Raises:
        RuntimeError: it could not be made.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / PACKAGE
    source = Path(__file__).parent / "model"
    newest = max(int(path.stat().st_mtime) for path in source.glob("*.py"))
    folder = cache / f"untrained-{newest}"  # a changed network needs a new one
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        made = Path(scratch, "run")
        command = [*_command_of("untrained"), str(made)]
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if result.returncode != 0:
            raise RuntimeError(f"the untrained model could not be made by {' '.join(command)}:\n{result.stdout}")
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another demo was faster
                raise
    return folder


def _command_of(name: str) -> list[str]:
    """How to run a command of tools/commands.txt: its installed executable, or this Python with the module."""
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        executable = Path(prefix, "lib", PACKAGE, name)
        if prefix and os.access(executable, os.X_OK):
            return [str(executable)]
    return [sys.executable, "-m", f"{PACKAGE}.model.{name}"]
