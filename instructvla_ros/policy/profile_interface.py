# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a profile says about the other side of the wire: robot description, cameras, pose, and the driver's commands.

Topics in a profile are names as ROS spells them: an absolute one (``/arm_controller/joint_trajectory``) stays as it is,
a relative one lies in the namespace that the nodes are launched in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from instructvla_ros.checked_yaml import CheckedMapping
from instructvla_ros.robot.poses import pose, rotation_from_rpy

CAMERAS = ("primary", "wrist")
"""The views that a model may take, in its order."""

IMAGE_NAMES = dict(zip(CAMERAS, ("image", "wrist_image"), strict=True))
"""Names under which the nodes listen to each of these views; launch remaps them to the profile's."""

TRANSPORTS = ("raw", "compressed")
"""How a camera's images come: sensor_msgs/Image, or sensor_msgs/CompressedImage on the topic with ``/compressed``."""

ROTATIONS = (0, 90, 180, 270)
"""By how much a picture may be turned, clockwise [degrees]."""

ARM_OUTPUTS = ("joint_trajectory", "follow_joint_trajectory", "joint_position", "joint_velocity", "twist", "pose")
"""Kinds of command that an arm driver takes."""

STREAMED_SPEEDS = ("joint_velocity", "twist")
"""Kinds of command that a driver goes on with when no other comes: it must have a command timeout of its own."""

GRIPPER_OUTPUTS = ("position_array", "trajectory", "gripper_command", "none")
"""Kinds of command that a gripper driver takes."""

COMMAND_NAMES = {
    "joint_trajectory": "joint_trajectory",
    "follow_joint_trajectory": "follow_joint_trajectory",
    "joint_position": "joint_position_command",
    "joint_velocity": "joint_velocity_command",
    "twist": "twist_command",
    "pose": "pose_command",
}
"""Names under which the safety filter sends each kind of ``ARM_OUTPUTS``; launch remaps them to the profile's."""

GRIPPER_NAMES = {
    "position_array": "gripper_command",
    "trajectory": "gripper_trajectory",
    "gripper_command": "gripper_action",
}
"""The same for each kind of ``GRIPPER_OUTPUTS``."""

ACTIONS = ("follow_joint_trajectory", "gripper_command")
"""Kinds that are sent as goals of an action."""

LONGEST_COMMAND_TIMEOUT = 1.0
"""Longest time that a driver of speeds may go on by itself [s]."""

_TOPIC = re.compile(r"/?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*")


@dataclass(frozen=True)
class DescriptionSource:
    """Where the URDF comes from.

    Attributes:
        kind: ``topic``, ``file`` (a URDF) or ``xacro`` (a file that the program xacro makes a URDF of).
        topic: std_msgs/String, latched; for ``topic``.
        path: of the file; for ``file`` and ``xacro``.
        arguments: of xacro, ``name:=value`` each; for ``xacro``.
    """

    kind: str = "topic"
    topic: str = "robot_description"
    path: Path | None = None
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class PoseSource:
    """Where the measured pose of the end effector comes from.

    Attributes:
        kind: ``kinematics`` (of the joint states), ``topic`` or ``tf``.
        topic: geometry_msgs/PoseStamped of the gripper point in the base frame; for ``topic``.
        frame: that lies at the gripper point; for ``tf``.
    """

    kind: str = "kinematics"
    topic: str = "end_effector_pose"
    frame: str = ""

    @property
    def is_measured(self) -> bool:
        """Whether it comes from outside, beside the joint states."""
        return self.kind != "kinematics"

    def __str__(self) -> str:
        """For people: how it comes."""
        return {"topic": f"on {self.topic}", "tf": f"of {self.frame} by tf"}.get(self.kind, "by kinematics")


@dataclass(frozen=True)
class Camera:
    """One camera, and which part of its picture the model sees.

    Attributes:
        topic: of sensor_msgs/Image; with the transport ``compressed`` the images are on ``<topic>/compressed``.
        transport: one of ``TRANSPORTS``.
        encoding: of the raw images, to be checked; ``any``: whatever cv_bridge turns into rgb8.
        crop: left, top, right and bottom of the part that is kept, as shares of width and height, 0 to 1.
        rotate: by how much that part is turned then, clockwise [degrees]; one of ``ROTATIONS``.
    """

    topic: str
    transport: str = "raw"
    encoding: str = "any"
    crop: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    rotate: int = 0


@dataclass(frozen=True)
class ArmOutput:
    """What the arm driver is sent.

    Attributes:
        kind: one of ``ARM_OUTPUTS``.
        topic: of the command; the action's name for ``follow_joint_trajectory``.
        command_timeout: after which the driver stops by itself when no command comes [s]; 0: it has none.
        stamped: whether trajectories say when they begin, so that a late one is not executed late: right for a driver
            on this machine's clock. Else they begin when they come.
        lead: how long after they were made stamped trajectories begin [s]: one that comes within that time joins the
            one before without a jump. At most a period of the filter. Needs a controller that goes on from where it
            has commanded, not from where it measures: its parameter ``interpolate_from_desired_state``.
    """

    kind: str
    topic: str
    command_timeout: float = 0.0
    stamped: bool = False
    lead: float = 0.0


@dataclass(frozen=True)
class GripperOutput:
    """What the gripper driver is sent.

    Attributes:
        kind: one of ``GRIPPER_OUTPUTS``.
        topic: of the command; the action's name for ``gripper_command``; empty for ``none``.
        max_effort: of ``gripper_command`` [N or Nm]; 0: as the driver likes.
    """

    kind: str
    topic: str = ""
    max_effort: float = 0.0


@dataclass(frozen=True, eq=False)
class RobotInterface:
    """All of it.

    Attributes:
        robot_description: where the URDF comes from.
        joint_states: topic of sensor_msgs/JointState.
        tool_offset: ``(4, 4)`` pose of the gripper point in the tip frame, as calibrated [m].
        end_effector_pose: where the measured pose comes from.
        cameras: by view, see ``CAMERAS``.
        output: what the arm driver is sent.
        gripper_output: what the gripper driver is sent.
        limits: name or path of the safety limits.
        simulation: whether no hardware is behind the topics, so that commands need no arming.
    """

    cameras: Mapping[str, Camera]
    output: ArmOutput
    gripper_output: GripperOutput
    limits: str
    robot_description: DescriptionSource = DescriptionSource()
    joint_states: str = "joint_states"
    tool_offset: np.ndarray = field(default_factory=lambda: np.eye(4))  # (4, 4)
    end_effector_pose: PoseSource = PoseSource()
    simulation: bool = False

    def transport(self, view: str, given: str = "profile") -> str:
        """How the images of a view come, one of ``TRANSPORTS``: as is given, or as the profile says.

        A view that the profile has no camera for comes as the first one does.
        """
        if given != "profile":
            return given
        return self.cameras.get(view, self.cameras[CAMERAS[0]]).transport


REQUIRED_KEYS = ("cameras", "output", "gripper_output", "limits")
"""Keys of a profile that say what :class:`RobotInterface` holds."""

OPTIONAL_KEYS = ("robot_description", "joint_states", "tool_offset", "end_effector_pose", "simulation")
"""Keys that may be left out: what then holds is the default of :class:`RobotInterface`."""


def read_interface(file: CheckedMapping) -> RobotInterface:
    """Reads these keys of a profile.

    Raises:
        YamlError: naming file, line, key and what is allowed.
    """
    optional: dict = {}
    if "robot_description" in file.keys:
        optional["robot_description"] = _description(file)
    if "joint_states" in file.keys:
        optional["joint_states"] = _topic(file, "joint_states")
    if "tool_offset" in file.keys:
        offset = file.mapping("tool_offset", ("xyz", "rpy"))
        position, angles = offset.triple("xyz", -2.0, 2.0), offset.triple("rpy", -6.3, 6.3)
        optional["tool_offset"] = pose(np.array(position), rotation_from_rpy(*angles))
    if "end_effector_pose" in file.keys:
        keys: dict[str, Sequence[str]] = {"kinematics": [], "topic": ["topic"], "tf": ["frame"]}
        kind, source = file.tagged_mapping("end_effector_pose", "from", keys)
        if kind == "topic":
            optional["end_effector_pose"] = PoseSource(kind, topic=_topic(source, "topic"))
        elif kind == "tf":
            optional["end_effector_pose"] = PoseSource(kind, frame=source.text("frame"))
    if "simulation" in file.keys:
        optional["simulation"] = file.boolean("simulation")
    views = file.mapping("cameras", None)
    unknown = [view for view in views.keys if view not in CAMERAS]
    if unknown:
        raise views.refuse(unknown[0], f"no camera of a model; there are {', '.join(CAMERAS)}")
    if CAMERAS[0] not in views.keys:
        raise file.refuse("cameras", f"the {CAMERAS[0]} camera is missing")
    return RobotInterface(
        cameras={view: _camera(views, view) for view in views.keys},
        output=_arm_output(file),
        gripper_output=_gripper_output(file),
        limits=_limits(file),
        **optional,
    )


def _limits(file: CheckedMapping) -> str:
    name = file.text("limits")
    if "/" not in name and not name.endswith((".yaml", ".yml")):
        return name
    return str(_beside(file, name))


def _beside(file: CheckedMapping, name: str) -> Path:
    """A path that is relative to the profile's folder, where it is not absolute."""
    return file.path.resolve().parent / Path(name).expanduser()


def _description(file: CheckedMapping) -> DescriptionSource:
    kind, source = file.tagged_mapping(
        "robot_description", "from", {"topic": ["topic"], "file": ["path"], "xacro": ["path", "arguments"]}
    )
    if kind == "topic":
        return DescriptionSource(kind, _topic(source, "topic"))
    path = _beside(file, source.text("path"))
    arguments = tuple(source.text_or_empty("arguments").split()) if kind == "xacro" else ()
    wrong = [word for word in arguments if ":=" not in word]
    if wrong:
        raise source.refuse("arguments", f"{wrong[0]!r} is no name:=value")
    return DescriptionSource(kind, path=path, arguments=arguments)


def _camera(views: CheckedMapping, view: str) -> Camera:
    camera = views.mapping(view, ("topic",), ("transport", "encoding", "crop", "rotate"))
    given = camera.keys
    crop = camera.quadruple("crop", 0.0, 1.0) if "crop" in given else (0.0, 0.0, 1.0, 1.0)
    if not (crop[0] < crop[2] and crop[1] < crop[3]):
        raise camera.refuse("crop", "left must be below right, and top below bottom: [left, top, right, bottom]")
    return Camera(
        topic=_topic(camera, "topic"),
        transport=camera.choice("transport", TRANSPORTS) if "transport" in given else TRANSPORTS[0],
        encoding=camera.text("encoding") if "encoding" in given else "any",
        crop=crop,
        rotate=int(camera.choice("rotate", map(str, ROTATIONS))) if "rotate" in given else 0,
    )


def _arm_output(file: CheckedMapping) -> ArmOutput:
    output = file.mapping("output", ("kind", "topic", "command_timeout"), ("stamped", "lead"))
    kind, timeout = output.choice("kind", ARM_OUTPUTS), output.number("command_timeout", 0.0, 60.0, "s")
    if kind in STREAMED_SPEEDS and not 0.0 < timeout <= LONGEST_COMMAND_TIMEOUT:
        raise output.refuse(
            "command_timeout",
            f"a driver that is sent {kind} goes on with the last one when the safety filter dies: it must stop by "
            f"itself within {LONGEST_COMMAND_TIMEOUT:g} s, got {timeout:g} s; where it has no such timeout, choose a "
            "kind that ends by itself, joint_trajectory",
        )
    stamped = output.boolean("stamped") if "stamped" in output.keys else False
    if stamped and kind not in ("joint_trajectory", "follow_joint_trajectory"):
        raise output.refuse("stamped", f"only trajectories begin at a time; {kind} is executed when it comes")
    lead = output.number("lead", 0.0, 0.1, "s") if "lead" in output.keys else 0.0
    if lead and not stamped:
        raise output.refuse("lead", "only trajectories with a stamp can begin later: add stamped: true")
    return ArmOutput(kind, _topic(output, "topic"), timeout, stamped, lead)


def _gripper_output(file: CheckedMapping) -> GripperOutput:
    variants: dict[str, Sequence[str]] = {
        "position_array": ["topic"],
        "trajectory": ["topic"],
        "gripper_command": ["topic", "max_effort"],
        "none": [],
    }
    kind, output = file.tagged_mapping("gripper_output", "kind", variants)
    if kind == "none":
        return GripperOutput(kind)
    effort = output.number("max_effort", 0.0, 1000.0) if kind == "gripper_command" else 0.0
    return GripperOutput(kind, _topic(output, "topic"), effort)


def _topic(mapping: CheckedMapping, key: str) -> str:
    name = mapping.text(key)
    if not _TOPIC.fullmatch(name):
        raise mapping.refuse(key, f"{name!r} is no name of a topic: letters, digits and _ between slashes")
    return name
