# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A profile and its limits in words: what will happen when it is launched."""

from __future__ import annotations

from collections.abc import Iterator

from instructvla_ros.policy.profile import (
    AsynchronousExecution,
    EnsembleExecution,
    FirstStepsExecution,
    RobotProfile,
)
from instructvla_ros.policy.profile_interface import ARM_OUTPUTS, Camera
from instructvla_ros.safety import SafetyLimits

_ARM_WORDS = {
    "joint_trajectory": "joint trajectories (trajectory_msgs/JointTrajectory)",
    "follow_joint_trajectory": "goals of the action FollowJointTrajectory (control_msgs)",
    "joint_position": "joint positions (std_msgs/Float64MultiArray)",
    "joint_velocity": "joint velocities (std_msgs/Float64MultiArray)",
    "twist": "gripper twists (geometry_msgs/TwistStamped)",
    "pose": "gripper poses (geometry_msgs/PoseStamped)",
}
assert set(_ARM_WORDS) == set(ARM_OUTPUTS)

_GRIPPER_WORDS = {
    "position_array": "a position (std_msgs/Float64MultiArray) on {topic}",
    "trajectory": "a trajectory (trajectory_msgs/JointTrajectory) on {topic}",
    "gripper_command": "goals of the action GripperCommand (control_msgs) {topic}",
    "none": "nothing",
}


def in_words(profile: RobotProfile, limits: SafetyLimits, image_transport: str = "profile") -> Iterator[str]:
    """Lines for people.

    Args:
        profile: of the robot.
        limits: of the robot.
        image_transport: as the parameter of this name.
    """
    interface = profile.interface
    kind = "simulated: commands need no arming" if interface.simulation else "hardware: nothing moves without arm:=true"
    yield f"robot      {profile.name}: {profile.description} ({kind})"
    source = interface.robot_description
    where = f"topic {source.topic}" if source.kind == "topic" else f"{source.kind} {source.path}"
    yield f"arm        {', '.join(profile.joints)}"
    yield f"           from {profile.base_frame} to {profile.tip_frame} in the URDF of {where}"
    if interface.tool_offset is not None and interface.tool_offset.tolist() != _identity():
        x, y, z = interface.tool_offset[:3, 3]
        yield f"           the gripper point lies {x:g}, {y:g}, {z:g} m from {profile.tip_frame} (tool_offset)"
    pose = interface.end_effector_pose
    yield f"pose       {'measured, ' if pose.is_measured else ''}{pose}"
    grip = profile.gripper
    yield f"gripper    {grip.joint}: closed at {grip.closed:g}, open at {grip.open:g} (rad or m)"
    yield f"hears      joint states on {interface.joint_states}, not older than {profile.ages.joint_state:g} s"
    for view, camera in interface.cameras.items():
        yield f"sees       {view}: {_camera_words(camera, interface.transport(view, image_transport), profile)}"
    yield f"acts       {_execution_words(profile)}"
    yield f"           with the numbers of dataset {profile.dataset!r}, in {profile.action_units} units"
    says = {"auto": "where the checkpoint was trained to", "always": "always", "never": "never"}
    yield f"speaks     before it acts: {says[profile.reasoning.mode]}"
    output = interface.output
    timeout = f"; it stops by itself after {output.command_timeout:g} s" if output.command_timeout else ""
    yield f"sends      the arm driver {_ARM_WORDS[output.kind]} on {output.topic}{timeout}"
    gripper = interface.gripper_output
    yield f"           the gripper driver {_GRIPPER_WORDS[gripper.kind].format(topic=gripper.topic)}"
    box = limits.workspace
    yield (
        f"limits     {interface.limits}: at most {limits.translation_speed:g} m/s and {limits.rotation_speed:g} rad/s; "
        f"gripper point within x {box.x[0]:g} to {box.x[1]:g}, y {box.y[0]:g} to {box.y[1]:g}, "
        f"z {box.z[0]:g} to {box.z[1]:g} m; table at z {limits.table:g} m"
    )
    boxes = ", ".join(kept.name for kept in limits.keep_out) or "none"
    yield f"           keep-out boxes: {boxes}; at rest {limits.horizon:g} s after the last command"
    yield (
        f"           chunks may be {limits.chunk_age:g} s old, joint states {limits.joint_state_age:g} s, "
        f"stamps {limits.stamp_ahead:g} s ahead of this machine's clock"
    )


def _camera_words(camera: Camera, transport: str, profile: RobotProfile) -> str:
    topic = f"{camera.topic}/compressed" if transport == "compressed" else camera.topic
    words = f"{topic} ({transport}), not older than {profile.ages.image:g} s"
    if transport == "raw" and camera.encoding != "any":
        words += f", encoded as {camera.encoding}"
    if camera.crop != (0.0, 0.0, 1.0, 1.0):
        left, top, right, bottom = camera.crop
        words += f", cropped to {left:g} .. {right:g} of its width and {top:g} .. {bottom:g} of its height"
    return words + (f", turned by {camera.rotate} degrees" if camera.rotate else "")


def _execution_words(profile: RobotProfile) -> str:
    execution, rate = profile.execution, profile.control_rate
    match execution:
        case EnsembleExecution():
            return f"{rate:g} times a second, averaged over the last {execution.window} chunks"
        case FirstStepsExecution():
            return f"every {execution.steps / rate:g} s, following the first {execution.steps} steps of each chunk"
        case AsynchronousExecution():
            return (
                f"every {execution.steps / rate:g} s, each chunk fitted over {execution.blend} steps to where the arm "
                "has gone meanwhile"
            )


def _identity() -> list[list[float]]:
    return [[float(row == column) for column in range(4)] for row in range(4)]
