# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every parameter of every node, declared once: name, default, unit, range and description.

The nodes declare their ROS parameters from these tuples, and the table in docs/parameters.md is printed from them:
``python -m instructvla_ros.parameters``.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace

from instructvla_ros.declaring import Parameter
from instructvla_ros.policy.profile_interface import ARM_OUTPUTS, GRIPPER_OUTPUTS, TRANSPORTS

ROBOT = Parameter("robot", "", "Profile of the robot: a name in config/robots/, or the path of a YAML file. Required.")

IMAGE_TRANSPORT = Parameter(
    "image_transport",
    "profile",
    "How images come: `profile`: as the robot's profile says of each camera; `raw`: sensor_msgs/Image on `image`; "
    "`compressed`: sensor_msgs/CompressedImage on `image/compressed`.",
    choices=("profile", *TRANSPORTS),
)

POLICY_NODE = (
    ROBOT,
    Parameter("checkpoint", "", "Run folder of the model: config.json, dataset_statistics.json, checkpoints/."),
    Parameter(
        "base_vlm",
        "",
        "Folder with the vision-language model's config and tokenizer; empty: the one that the "
        "run names, or beside it.",
    ),
    Parameter("device", "auto", "Where the model runs: `auto` (a GPU when there is one), `cpu`, `cuda`, `cuda:1`, ..."),
    Parameter(
        "dtype",
        "auto",
        "Type of the weights; `auto`: bfloat16 on a GPU, and for checkpoints over 1 GB on a CPU with instructions for "
        "it, float32 else; `int8`: the language model's weights in 8 bits, the rest as under `auto`, on a CPU only.",
        choices=("auto", "float32", "bfloat16", "int8"),
    ),
    Parameter(
        "threads",
        0,
        "CPU threads of the network; 0: as many as are found to make it quicker, by trying, while it is loaded.",
        minimum=0,
        maximum=256,
    ),
    Parameter(
        "cuda_graphs",
        True,
        "Whether a GPU replays the model's steps by itself (CUDA graphs); they are checked at load, and left out with "
        "a warning where they differ or cannot be had.",
    ),
    Parameter("dataset", "", "Key into the run's dataset statistics; empty: the one in the robot's profile."),
    Parameter(
        "control_rate",
        0.0,
        "How often an action chunk is made; 0: the rate in the robot's profile.",
        unit="Hz",
        minimum=0.0,
        maximum=100.0,
    ),
    Parameter(
        "reasoning",
        "profile",
        "Whether the model speaks before it acts; `profile`: as the robot's profile "
        "says; `auto`: where the checkpoint was trained to.",
        choices=("profile", "auto", "always", "never"),
    ),
    IMAGE_TRANSPORT,
    Parameter(
        "seed",
        -1,
        "Seed of the noise that the action flow starts from; -1: a new one each start.",
        minimum=-1,
        maximum=2**31 - 1,
    ),
    Parameter("autostart", False, "Configure and activate by itself, without a lifecycle manager."),
)

SAFETY_FILTER_NODE = (
    ROBOT,
    Parameter(
        "limits",
        "",
        "Safety limits: a name in config/limits/, or the path of a YAML file; empty: those that the profile names.",
    ),
    Parameter("rate", 100.0, "How often the filter runs.", unit="Hz", minimum=10.0, maximum=1000.0),
    Parameter(
        "arm",
        False,
        "Whether commands go to the driver. Without it all is a dry run: the filter works and reports, on an arm that "
        "is thought to follow. A simulated robot needs no arming.",
    ),
    Parameter(
        "output",
        "profile",
        "What the arm driver is sent; `profile`: as the robot's profile says.",
        choices=("profile", *ARM_OUTPUTS),
    ),
    Parameter(
        "gripper_output",
        "profile",
        "What the gripper driver is sent; `profile`: as the robot's profile says.",
        choices=("profile", *GRIPPER_OUTPUTS),
    ),
    Parameter(
        "speed_scale",
        1.0,
        "Share of the asked speed, and of the speeds in the limits; 0: the arm rests. The path keeps its shape.",
        minimum=0.0,
        maximum=1.0,
        dynamic=True,
    ),
    Parameter(
        "hold_to_run",
        "off",
        "Whether the arm moves only while a button is held: `bool`: std_msgs/Bool on `hold_to_run`; `joy`: the button "
        "`hold_button` of sensor_msgs/Joy on `joy`.",
        choices=("off", "bool", "joy"),
    ),
    Parameter(
        "hold_button", 4, "Number of the button of `joy`, from 0; 4 is often the left top one.", minimum=0, maximum=63
    ),
    Parameter(
        "hold_timeout",
        0.3,
        "How long the button counts as held after its last message.",
        unit="s",
        minimum=0.05,
        maximum=2.0,
    ),
    Parameter(
        "realtime_priority",
        50,
        "Real-time priority (SCHED_FIFO) of the filter's process, where the system permits it; 0: ordinary scheduling.",
        minimum=0,
        maximum=99,
    ),
)

DEMO_SCENE = 2_001_155
"""A scene that training never saw, with a red cube, a blue ball, a purple cylinder and a yellow cube."""

_SCENE = Parameter(
    "scene",
    DEMO_SCENE,
    "Seed of the scene: objects, places, sizes, shades, light and cameras. `~/reset_scene` of the arm lays it.",
    minimum=0,
    maximum=2**31 - 1,
)

SIM_ARM_NODE = (
    replace(_SCENE, dynamic=True),
    Parameter("image_width", 480, "Width of the camera images.", unit="px", minimum=16, maximum=1280),
    Parameter("image_height", 480, "Height of the camera images.", unit="px", minimum=16, maximum=960),
    Parameter(
        "image_rate",
        10.0,
        "How often each camera publishes, as long as somebody listens.",
        unit="Hz",
        minimum=0.1,
        maximum=60.0,
    ),
    Parameter("wrist_camera", True, "Whether the wrist camera publishes too."),
    Parameter(
        "joint_state_rate", 50.0, "How often the joint states are published.", unit="Hz", minimum=1.0, maximum=500.0
    ),
    Parameter(
        "truth_rate",
        20.0,
        "How often it is published where everything is, as long as somebody listens.",
        unit="Hz",
        minimum=1.0,
        maximum=100.0,
    ),
)

DEMO_MONITOR_NODE = (
    ROBOT,
    Parameter("instruction", "pick up the red cube", "The instruction that the demo sends."),
    Parameter(
        "duration",
        30.0,
        "How long the demo runs after the first action chunk; 0: until Ctrl-C.",
        unit="s",
        minimum=0.0,
        maximum=86400.0,
    ),
    Parameter(
        "startup_timeout", 180.0, "How long it waits for the first action chunk.", unit="s", minimum=1.0, maximum=3600.0
    ),
    Parameter("note", "", "A line that the demo shows first; given where the motions of the model mean nothing."),
    _SCENE,
    Parameter(
        "keyboard", False, "Whether further instructions are read from the standard input, a line each; never waits."
    ),
)

RECORDER_NODE = (
    Parameter("robot", "", "Profile of the robot, to be kept in the bag: a name in config/robots/, or a path."),
    Parameter("path", "", "Folder of the bag to record into from the start on; empty: only the flight recorder works."),
    Parameter(
        "images",
        "received",
        "How the recording keeps images: as they were received, or as JPEG on `.../compressed`.",
        choices=("received", "jpeg"),
    ),
    Parameter("jpeg_quality", 90, "Quality of JPEG.", minimum=10, maximum=100),
    IMAGE_TRANSPORT,
    Parameter(
        "cameras",
        "used",
        "Which cameras: those that another node listens to, or all; a simulated one draws only if somebody listens.",
        choices=("used", "all"),
    ),
    Parameter(
        "queue_megabytes",
        256.0,
        "Memory between topics and disk; what finds it full is lost and counted.",
        unit="MB",
        minimum=1.0,
        maximum=16384.0,
    ),
    Parameter(
        "split_megabytes",
        0.0,
        "The recording goes on in another bag, `path` with _000, _001 and so on, after so much; 0: never.",
        unit="MB",
        minimum=0.0,
        maximum=1_000_000.0,
    ),
    Parameter(
        "split_seconds", 0.0, "Likewise after so long; 0: never.", unit="s", minimum=0.0, maximum=1_000_000.0
    ),
    Parameter(
        "recording_folder",
        "",
        "Where `~/start_recording` makes its bags; empty: `instructvla_recordings` in the home folder.",
    ),
    Parameter("flight_recorder", True, "Whether the last while is kept in memory and written after an incident."),
    Parameter(
        "flight_folder", "", "Where bags of incidents are written; empty: `instructvla_incidents` in the home folder."
    ),
    Parameter(
        "flight_seconds", 60.0, "How far back the flight recorder reaches.", unit="s", minimum=1.0, maximum=3600.0
    ),
    Parameter(
        "flight_megabytes",
        256.0,
        "Memory of the flight recorder; where it is full, it reaches less far back.",
        unit="MB",
        minimum=1.0,
        maximum=65536.0,
    ),
    Parameter(
        "flight_images",
        "jpeg",
        "How the flight recorder keeps images: as JPEG, or as received (27 MB/s a camera at 640x480, 30 Hz).",
        choices=("jpeg", "received"),
    ),
    Parameter(
        "flight_after", 2.0, "How long after an incident it still waits.", unit="s", minimum=0.0, maximum=60.0
    ),
    Parameter(
        "burst_interventions",
        200,
        "How many interventions of the filter within `burst_window` are an incident; 0: never.",
        minimum=0,
        maximum=1_000_000,
    ),
    Parameter("burst_window", 2.0, "See `burst_interventions`.", unit="s", minimum=0.1, maximum=60.0),
    Parameter(
        "flight_total_megabytes",
        20_000.0,
        "Where incidents take more together, the oldest are deleted, never the newest; 0: none is.",
        unit="MB",
        minimum=0.0,
        maximum=100_000_000.0,
    ),
    Parameter(
        "disk_reserve",
        500.0,
        "Incidents are not written where less would be left on the disk.",
        unit="MB",
        minimum=0.0,
        maximum=1_000_000.0,
    ),
)

PLAYER_NODE = (
    Parameter("bag", "", "Folder of the bag. Required."),
    Parameter("rate", 1.0, "How many seconds of the bag pass in a second.", minimum=0.01, maximum=100.0),
    Parameter("start", 0.0, "Where it begins, after the bag's start.", unit="s", minimum=0.0, maximum=1e7),
    Parameter("loop", False, "Whether it begins again at the end; time then jumps back."),
    Parameter("paused", False, "Whether it waits for `~/resume` or `~/step`."),
    Parameter(
        "topics",
        "inputs",
        "All topics of the bag, or all but what policy and filter publish themselves.",
        choices=("inputs", "all"),
    ),
    Parameter("clock_rate", 100.0, "How often at least /clock is told.", unit="Hz", minimum=1.0, maximum=1000.0),
    Parameter(
        "wait", 0.0, "How long it waits for a listener to each topic.", unit="s", minimum=0.0, maximum=3600.0
    ),
)

INSTRUCTION_SERVER_NODE = (
    Parameter(
        "default_timeout", 60.0, "Longest time of goals that name none.", unit="s", minimum=1.0, maximum=3600.0
    ),
    Parameter(
        "start_timeout",
        30.0,
        "How long the policy may take to its first action chunk; it may speak before.",
        unit="s",
        minimum=1.0,
        maximum=600.0,
    ),
    Parameter(
        "settle_time",
        3.0,
        "How long the way that action chunks ask for must lead nowhere for a goal to be done.",
        unit="s",
        minimum=0.1,
        maximum=60.0,
    ),
    Parameter(
        "settle_translation",
        0.02,
        "Within a way of this extent the gripper counts as staying in its place.",
        unit="m",
        minimum=0.0,
        maximum=1.0,
    ),
    Parameter("settle_rotation", 0.1, "See `settle_translation`.", unit="rad", minimum=0.0, maximum=3.14),
    Parameter(
        "rest_timeout",
        2.0,
        "How long the arm may take to rest after a goal; then the filter is told to stop.",
        unit="s",
        minimum=0.2,
        maximum=30.0,
    ),
    Parameter(
        "status_timeout",
        1.0,
        "Without a safety status for so long a goal is aborted.",
        unit="s",
        minimum=0.2,
        maximum=30.0,
    ),
)

CONSOLE_NODE = (
    ROBOT,
    Parameter(
        "address",
        "127.0.0.1",
        "Where the page is offered: on this machine alone, or, with another address of it (`0.0.0.0`: all), to the "
        "network; then a token is needed to operate.",
    ),
    Parameter("port", 8642, "Port of the page; 0: any that is free.", minimum=0, maximum=65535),
    Parameter(
        "token",
        "",
        "What entitles to operate; empty: where the page is open to the network one is made and logged, else everybody "
        "on this machine may.",
    ),
    Parameter(
        "allowed_hosts",
        "",
        "Further host names by which the page may be asked for, with commas between them; IP addresses and this "
        "machine's own name are known.",
    ),
    Parameter(
        "stop_on_disconnect", False, "Whether the arm is stopped when the connection to the operator's page is lost."
    ),
    Parameter(
        "connection_timeout",
        1.5,
        "How long the operator's page may be silent before its connection counts as lost.",
        unit="s",
        minimum=0.3,
        maximum=60.0,
    ),
    Parameter(
        "image_rate", 15.0, "How often each camera is shown at most.", unit="Hz", minimum=0.5, maximum=60.0
    ),
    Parameter("image_width", 640, "Wider pictures are made smaller.", unit="px", minimum=64, maximum=3840),
    Parameter("jpeg_quality", 75, "Quality of the pictures.", minimum=10, maximum=95),
    IMAGE_TRANSPORT,
    Parameter(
        "camera_pose",
        "",
        "Where the camera of `image` is: `x y z roll pitch yaw` of its optical frame in the base frame [m, rad]; "
        "empty: as the robot description or the topic `camera_pose` says.",
    ),
    Parameter("wrist_camera_pose", "", "The same of `wrist_image`, for one that does not move with the arm."),
)

MARKERS_NODE = (
    ROBOT,
    Parameter(
        "limits",
        "",
        "Safety limits to draw: a name in config/limits/, or a path; empty: those that the profile names.",
    ),
    Parameter("rate", 10.0, "How often the markers are published.", unit="Hz", minimum=0.5, maximum=50.0),
    Parameter(
        "trail", 5.0, "How far back the way of the gripper is drawn.", unit="s", minimum=0.0, maximum=120.0
    ),
)

VOICE_BRIDGE_NODE = (
    Parameter(
        "source", "microphone", "Where sound comes from: `microphone`, `topic` (`audio`), or the path of a wav file."
    ),
    Parameter("microphone", "", "Number of the microphone, or part of its name; empty: the system's default one."),
    Parameter(
        "audio_message",
        "int16",
        "What comes on `audio`: std_msgs/Int16MultiArray, or audio_common_msgs/AudioData with raw 16-bit samples.",
        choices=("int16", "audio_data"),
    ),
    Parameter("audio_rate", 16000, "Sampling rate of `audio`.", unit="Hz", minimum=8000, maximum=192000),
    Parameter("audio_channels", 1, "Channels of `audio`, interleaved.", minimum=1, maximum=32),
    Parameter(
        "engine",
        "pocketsphinx",
        "What recognises speech: the vocabulary's sentences by pocketsphinx, or free text by Whisper.",
        choices=("pocketsphinx", "whisper"),
    ),
    Parameter("whisper_model", "", "Folder with Whisper's weights, or their name on the Hugging Face hub."),
    Parameter("device", "auto", "Where Whisper runs: `auto` (a GPU when there is one), `cpu`, `cuda`, ..."),
    Parameter("vocabulary", "tabletop", "What may be said: a name in config/voice/, or the path of a YAML file."),
    Parameter(
        "things",
        "",
        "The things before the robot, with commas between them; fewer things are told apart better. Empty: all of the "
        "vocabulary.",
    ),
    Parameter(
        "listen",
        "wake_phrase",
        "When words are for the robot: while the talk button is held, after the wake phrase, or always. A stop always "
        "is.",
        choices=("push_to_talk", "wake_phrase", "always"),
    ),
    Parameter("auto_confirm", False, "Whether commands are sent without being asked back first."),
    Parameter(
        "minimum_confidence",
        -1.0,
        "Words with less are not believed; below 0: what fits the engine.",
        minimum=-1.0,
        maximum=1.0,
    ),
    Parameter(
        "confirm_timeout", 15.0, "How long an answer is awaited.", unit="s", minimum=1.0, maximum=120.0
    ),
    Parameter(
        "speech_threshold",
        9.0,
        "How far speech stands above the noise.",
        unit="dB",
        minimum=3.0,
        maximum=30.0,
    ),
    Parameter(
        "trailing_silence", 0.4, "Silence that ends an utterance.", unit="s", minimum=0.2, maximum=2.0
    ),
    Parameter(
        "speak",
        "all",
        "What is spoken by espeak-ng: nothing, questions and answers, or the model's reasoning too.",
        choices=("nothing", "replies", "all"),
    ),
    Parameter("voice", "en-us", "Voice of espeak-ng."),
    Parameter("speaking_rate", 160, "How fast it speaks.", unit="words/min", minimum=80, maximum=400),
)

NODES = {
    "policy_node": POLICY_NODE,
    "safety_filter_node": SAFETY_FILTER_NODE,
    "sim_arm_node": SIM_ARM_NODE,
    "demo_monitor_node": DEMO_MONITOR_NODE,
    "recorder_node": RECORDER_NODE,
    "player_node": PLAYER_NODE,
    "console_node": CONSOLE_NODE,
    "instruction_server_node": INSTRUCTION_SERVER_NODE,
    "markers_node": MARKERS_NODE,
    "voice_bridge_node": VOICE_BRIDGE_NODE,
}


def markdown() -> str:
    """The table of all parameters, as it stands in docs/parameters.md."""
    lines = []
    for node, parameters in NODES.items():
        lines += [f"## `{node}`", ""]
        lines += ["| parameter | default | unit | allowed | what it does |", "|---|---|---|---|---|"]
        for parameter in parameters:
            default = json.dumps(parameter.default)  # as YAML on a command line spells it
            what = f"{parameter.description} Dynamic." if parameter.dynamic else parameter.description
            cells = (f"`{parameter.name}`", f"`{default}`", parameter.unit, parameter.allowed, what)
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(markdown())
