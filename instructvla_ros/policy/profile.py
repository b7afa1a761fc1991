# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The robot profile: one YAML file that fits the policy to one robot."""

from dataclasses import dataclass
from pathlib import Path

from instructvla_ros.checked_yaml import CheckedMapping, YamlError
from instructvla_ros.policy.action_units import ACTION_UNITS
from instructvla_ros.policy.gripper_rules import GripperRule, StickyGripper, ThresholdGripper
from instructvla_ros.policy.profile_interface import OPTIONAL_KEYS, REQUIRED_KEYS, RobotInterface, read_interface
from instructvla_ros.policy.proprioception import PROPRIOCEPTION
from instructvla_ros.robot.action_chunk import DeltaReference
from instructvla_ros.robot.description import read_description
from instructvla_ros.robot.gripper import GripperMapping
from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.shared_files import UnknownNameError, yaml_path

ROBOTS_FOLDER = "config/robots"
"""Where the profiles that come with the package are."""

REASONING_MODES = ("auto", "always", "never")
"""When the model speaks before it acts: where it was trained to (auto), always, never."""

LONGEST_LATENT = 2
"""Acts that may follow one set of latent actions: as far as the paper goes with latent caching."""

_KEYS = (
    "name",
    "description",
    "dataset",
    "control_rate",
    "base_frame",
    "tip_frame",
    "joints",
    "gripper",
    "proprioception",
    "action_units",
    "gripper_rule",
    "delta_reference",
    "execution",
    "acts_per_latent",
    "reasoning",
    "lower_case_instruction",
    "ages",
    *REQUIRED_KEYS,
)


class ProfileError(ValueError):
    """A profile that is missing or wrong; the message names the file, the line and what is allowed."""


@dataclass(frozen=True)
class EnsembleExecution:
    """Act at every tick; average what the last chunks say about each instant.

    Attributes:
        window: how many chunks are averaged.
        alpha: how much agreement with the newest chunk counts.
    """

    window: int
    alpha: float


@dataclass(frozen=True)
class FirstStepsExecution:
    """Act every few steps and follow each chunk as it is.

    Attributes:
        steps: steps of a chunk that are executed before the next one is made. The chunk keeps its further steps, which
            bridge the time that the next inference takes.
    """

    steps: int


@dataclass(frozen=True)
class AsynchronousExecution:
    """Act every few steps, and fit each chunk to the way that the arm has gone while it was made.

    Attributes:
        steps: steps of a chunk that are executed before the next one is made; 1 makes one at every tick. The chunk's
            further steps bridge the time that the next inference takes.
        blend: over how many steps a new chunk makes up for what it assumed and the arm did otherwise, see ``splicing``.
    """

    steps: int
    blend: int


Execution = EnsembleExecution | FirstStepsExecution | AsynchronousExecution
"""How chunks are executed."""


@dataclass(frozen=True)
class ReasoningSettings:
    """When the model speaks before it acts.

    Attributes:
        mode: one of ``REASONING_MODES``.
        period: how often it speaks anew while an instruction lasts [s]; 0 speaks once per instruction.
        scene_change: share of the picture that must look otherwise for it to speak anew; 0 never.
    """

    mode: str
    period: float
    scene_change: float = 0.0


@dataclass(frozen=True)
class AgeLimits:
    """How old and how far apart inputs may be.

    Attributes:
        image: oldest frame that is acted on [s].
        joint_state: oldest joint state that is acted on [s].
        view_gap: largest time between the frames of two views [s].
        future: how far a stamp may lie in the future, for clocks that are not quite in step [s].
    """

    image: float
    joint_state: float
    view_gap: float
    future: float


@dataclass(frozen=True)
class RobotProfile:
    """What the numbers of one robot mean.

    Attributes:
        name: the robot's name, as launch files use it.
        description: the robot in words.
        dataset: key into the checkpoint's dataset statistics.
        control_rate: rate of the dataset's actions [Hz]; a chunk's period is its inverse.
        base_frame: frame that poses and deltas are expressed in.
        tip_frame: frame of the gripper whose pose the policy moves.
        joints: the arm's joints from base to tip.
        gripper: the gripper's joint and what its positions mean.
        proprioception: name of the convention, a key of ``PROPRIOCEPTION``.
        action_units: name of the units, a key of ``ACTION_UNITS``.
        gripper_rule: how the model's gripper number becomes an opening.
        delta_reference: what the first step of a chunk is relative to.
        execution: how chunks are executed.
        acts_per_latent: how many acts follow one set of latent actions; with 2 the language model looks at every other
            observation only, the action expert at each.
        reasoning: when the model speaks.
        lower_case_instruction: whether the model was trained on lower-case instructions.
        ages: how old inputs may be.
        interface: robot description, cameras and topics, and what the driver is sent.
    """

    name: str
    description: str
    dataset: str
    control_rate: float
    base_frame: str
    tip_frame: str
    joints: tuple[str, ...]
    gripper: GripperMapping
    proprioception: str
    action_units: str
    gripper_rule: GripperRule
    delta_reference: DeltaReference
    execution: Execution
    acts_per_latent: int
    reasoning: ReasoningSettings
    lower_case_instruction: bool
    ages: AgeLimits
    interface: RobotInterface

    @property
    def period(self) -> float:
        """Time between the steps of a chunk [s]."""
        return 1.0 / self.control_rate

    def chain(self, urdf: str, *, tool: bool = True) -> KinematicChain:
        """Kinematics from the base frame to the gripper point: the tip frame, moved by the tool offset.

        Args:
            urdf: text of the robot description.
            tool: False leaves the tool offset out.

        Raises:
            UrdfError: the description does not fit; the message names joint or link.
        """
        offset = self.interface.tool_offset if tool else None
        return KinematicChain.from_urdf(urdf, self.base_frame, self.tip_frame, offset)

    def urdf(self) -> str | None:
        """Text of the URDF where the profile names a file; None where it comes by a topic.

        Raises:
            ProfileError: it cannot be read; the message says what to do.
        """
        source = self.interface.robot_description
        if source.path is None:
            return None
        try:
            return read_description(source.path, source.arguments if source.kind == "xacro" else None)
        except (OSError, ValueError) as error:
            raise ProfileError(f"robot {self.name}: {error}") from error

    @classmethod
    def load(cls, name_or_path: str | Path) -> "RobotProfile":
        """Reads a profile.

        Args:
            name_or_path: name of a robot in the package's config/robots folder, or the path of a YAML file (a ``Path``,
                or a string with a slash or ending in .yaml or .yml).

        Raises:
            ProfileError: if there is no such robot or file, or the file says something else than a profile should.
        """
        try:
            path = yaml_path(ROBOTS_FOLDER, "robot", name_or_path)
            return _read_profile(CheckedMapping.from_file(path, _KEYS, OPTIONAL_KEYS))
        except (YamlError, UnknownNameError, FileNotFoundError) as error:
            raise ProfileError(str(error)) from error


def _read_profile(file: CheckedMapping) -> RobotProfile:
    gripper = file.mapping("gripper", ("joint", "closed", "open"))
    reasoning = file.mapping("reasoning", ("mode", "period", "scene_change"))
    ages = file.mapping("ages", ("image", "joint_state", "view_gap", "future"))
    joints = file.names("joints")
    gripper_joint = gripper.text("joint")
    closed, open_ = gripper.number("closed", -10.0, 10.0), gripper.number("open", -10.0, 10.0)
    if closed == open_:
        raise gripper.refuse("open", f"open and closed are the same position, {open_:g}")
    if gripper_joint in joints:
        raise gripper.refuse("joint", f"{gripper_joint!r} is one of the arm's joints")
    base_frame, tip_frame = file.text("base_frame"), file.text("tip_frame")
    if base_frame == tip_frame:
        raise file.refuse("tip_frame", "it is the base frame")
    return RobotProfile(
        name=file.text("name"),
        description=file.text("description"),
        dataset=file.text("dataset"),
        control_rate=file.number("control_rate", 0.1, 200.0, "Hz"),
        base_frame=base_frame,
        tip_frame=tip_frame,
        joints=joints,
        gripper=GripperMapping(joint=gripper_joint, closed=closed, open=open_),
        proprioception=file.choice("proprioception", PROPRIOCEPTION),
        action_units=file.choice("action_units", ACTION_UNITS),
        gripper_rule=_read_gripper_rule(file),
        delta_reference=DeltaReference[file.choice("delta_reference", ("target", "measured")).upper()],
        execution=_read_execution(file),
        acts_per_latent=file.integer("acts_per_latent", 1, LONGEST_LATENT),
        reasoning=ReasoningSettings(
            mode=reasoning.choice("mode", REASONING_MODES),
            period=reasoning.number("period", 0.0, 3600.0, "s"),
            scene_change=reasoning.number("scene_change", 0.0, 1.0),
        ),
        lower_case_instruction=file.boolean("lower_case_instruction"),
        ages=AgeLimits(
            image=ages.number("image", 0.01, 10.0, "s"),
            joint_state=ages.number("joint_state", 0.01, 10.0, "s"),
            view_gap=ages.number("view_gap", 0.001, 10.0, "s"),
            future=ages.number("future", 0.0, 1.0, "s"),
        ),
        interface=read_interface(file),
    )


def _read_gripper_rule(file: CheckedMapping) -> GripperRule:
    rule, settings = file.tagged_mapping(
        "gripper_rule", "rule", {"threshold": ["threshold"], "sticky": ["threshold", "repeats"]}
    )
    threshold = settings.number("threshold", 0.0, 1.0)
    if rule == "threshold":
        return ThresholdGripper(threshold)
    return StickyGripper(repeats=settings.integer("repeats", 1, 1000), threshold=threshold)


def _read_execution(file: CheckedMapping) -> Execution:
    mode, settings = file.tagged_mapping(
        "execution",
        "mode",
        {"ensemble": ["window", "alpha"], "first_steps": ["steps"], "asynchronous": ["steps", "blend"]},
    )
    if mode == "ensemble":
        return EnsembleExecution(window=settings.integer("window", 1, 100), alpha=settings.number("alpha", -10.0, 10.0))
    steps = settings.integer("steps", 1, 1000)
    if mode == "asynchronous":
        return AsynchronousExecution(steps, blend=settings.integer("blend", 1, 100))
    return FirstStepsExecution(steps)
