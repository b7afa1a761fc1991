# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ROS messages to and from the plain types of the other rooms.

A stamp in a message is ROS time. Plain types hold seconds as float, on a clock that the caller chooses: a conversion
takes the stamp as it should stand in the result.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Duration as DurationMessage
from builtin_interfaces.msg import Time as TimeMessage
from geometry_msgs.msg import Pose, Quaternion, Vector3
from rclpy.node import Node
from sensor_msgs.msg import JointState as JointStateMessage
from std_msgs.msg import Float64MultiArray, Header
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMessage
from trajectory_msgs.msg import JointTrajectoryPoint

from instructvla_ros.msg import ActionChunk as ActionChunkMessage
from instructvla_ros.msg import EndEffectorAction
from instructvla_ros.msg import SafetyIntervention as SafetyInterventionMessage
from instructvla_ros.msg import SafetyStatus as SafetyStatusMessage
from instructvla_ros.robot.action_chunk import ActionChunk, DeltaReference
from instructvla_ros.robot.joint_state import JointState
from instructvla_ros.robot.poses import quaternion_of, rotation_of
from instructvla_ros.robot.trajectory import JointTrajectory
from instructvla_ros.safety import Intervention, SafetyReport
from instructvla_ros.stamps import seconds as seconds
from instructvla_ros.timing import NANOSECONDS


def ros_now(node: Node) -> float:
    """The present on a node's clock [s], to be compared with header stamps."""
    return node.get_clock().now().nanoseconds / NANOSECONDS


def time_message(stamp: float) -> TimeMessage:
    """Seconds as a time message."""
    whole = math.floor(stamp)
    nanoseconds = round((stamp - whole) * NANOSECONDS)
    if nanoseconds == NANOSECONDS:
        return TimeMessage(sec=whole + 1, nanosec=0)
    return TimeMessage(sec=whole, nanosec=nanoseconds)


def duration_message(duration: float) -> DurationMessage:
    """Seconds as a duration message."""
    stamp = time_message(duration)
    return DurationMessage(sec=stamp.sec, nanosec=stamp.nanosec)


def chunk_to_message(chunk: ActionChunk) -> ActionChunkMessage:
    """The chunk on the wire; its stamp must be ROS time."""
    return ActionChunkMessage(
        header=Header(stamp=time_message(chunk.stamp), frame_id=chunk.frame),
        epoch=chunk.epoch,
        sequence=chunk.sequence,
        period=float(chunk.period),
        delta_reference=int(chunk.delta_reference),
        actions=[
            EndEffectorAction(translation=vector(translation), rotation=vector(rotation), gripper=float(gripper))
            for translation, rotation, gripper in zip(chunk.translations, chunk.rotations, chunk.grippers, strict=True)
        ],
        instruction=chunk.instruction,
        observation_age=float(chunk.observation_age),
        inference_time=float(chunk.inference_time),
        joint_state_stamp=time_message(chunk.joint_state_stamp or 0.0),
        reasoning_stamp=time_message(chunk.reasoning_stamp or 0.0),
    )


def chunk_from_message(message: ActionChunkMessage, stamp: float) -> ActionChunk:
    """The chunk as it came; nothing is checked but the delta reference.

    Raises:
        ValueError: the delta reference is none of the constants of the message.
    """
    return ActionChunk(
        stamp=stamp,
        frame=message.header.frame_id,
        epoch=message.epoch,
        sequence=message.sequence,
        period=message.period,
        translations=np.array([_numbers(action.translation) for action in message.actions]).reshape(-1, 3),
        rotations=np.array([_numbers(action.rotation) for action in message.actions]).reshape(-1, 3),
        grippers=np.array([action.gripper for action in message.actions], dtype=float),
        delta_reference=DeltaReference(message.delta_reference),
        instruction=message.instruction,
        observation_age=message.observation_age,
        inference_time=message.inference_time,
        joint_state_stamp=seconds(message.joint_state_stamp) or None,
        reasoning_stamp=seconds(message.reasoning_stamp) or None,
    )


def joint_state_from_message(message: JointStateMessage, stamp: float) -> JointState:
    """The joint state as it came; the joints a reader needs are checked when it selects them."""
    return JointState(
        stamp=stamp,
        names=tuple(message.name),
        positions=np.array(message.position, dtype=float),
        velocities=np.array(message.velocity, dtype=float) if len(message.velocity) else None,
    )


def trajectory_to_message(trajectory: JointTrajectory, base_frame: str) -> JointTrajectoryMessage:
    """The trajectory on the wire. Its header stamp stays zero, which means: start on arrival."""
    return JointTrajectoryMessage(
        header=Header(frame_id=base_frame),
        joint_names=list(trajectory.joint_names),
        points=[
            JointTrajectoryPoint(
                positions=positions.tolist(), velocities=velocities.tolist(), time_from_start=duration_message(time)
            )
            for time, positions, velocities in zip(
                trajectory.times, trajectory.positions, trajectory.velocities, strict=True
            )
        ],
    )


def trajectory_from_message(message: JointTrajectoryMessage) -> JointTrajectory:
    """The trajectory as it came.

    Raises:
        ValueError: points without velocities, or of another length than the joint names.
    """
    count = len(message.joint_names)
    for index, point in enumerate(message.points):
        if len(point.positions) != count or len(point.velocities) != count:
            raise ValueError(
                f"trajectory point {index} holds {len(point.positions)} positions and {len(point.velocities)} "
                f"velocities for {count} joints"
            )
    return JointTrajectory(
        joint_names=tuple(message.joint_names),
        times=np.array([seconds(point.time_from_start) for point in message.points]),
        positions=np.array([point.positions for point in message.points]).reshape(-1, count),
        velocities=np.array([point.velocities for point in message.points]).reshape(-1, count),
    )


def gripper_to_message(position: float) -> Float64MultiArray:
    """A gripper command in the driver's own units: one number."""
    return Float64MultiArray(data=[float(position)])


def status_to_message(
    report: SafetyReport,
    stamp: TimeMessage,
    base_frame: str,
    speed_scale: float,
    interventions: Sequence[Intervention],
    intervention_count: int,
) -> SafetyStatusMessage:
    """The safety status on the wire; interventions are all since the last status, not those of one step."""
    return SafetyStatusMessage(
        header=Header(stamp=stamp, frame_id=base_frame),
        state=int(report.state),
        reason=report.reason,
        epoch=report.epoch,
        sequence=report.sequence,
        path_speed=float(report.path_speed),
        speed_scale=float(speed_scale),
        joint_state_age=float(report.joint_state_age),
        chunk_age=float(report.chunk_age),
        interventions=[
            SafetyInterventionMessage(
                limit=intervention.limit,
                subject=intervention.subject,
                asked=float(intervention.asked),
                allowed=float(intervention.allowed),
                duration=float(intervention.duration),
                unit=intervention.unit,
                message=intervention.message,
            )
            for intervention in interventions
        ],
        intervention_count=intervention_count,
    )


def pose_matrix(pose: Pose) -> np.ndarray:
    """A pose message as a ``(4, 4)`` matrix [m].

    Raises:
        ValueError: a number is not finite, or the quaternion is none.
    """
    position, turned = pose.position, pose.orientation
    matrix = np.eye(4)
    matrix[:3, 3] = position.x, position.y, position.z
    matrix[:3, :3] = rotation_of(np.array([turned.x, turned.y, turned.z, turned.w]))
    if not np.isfinite(matrix).all():
        raise ValueError(f"position {matrix[:3, 3].tolist()} is not finite")
    return matrix


def vector(numbers: np.ndarray) -> Vector3:
    """Three numbers as a message."""
    return Vector3(x=float(numbers[0]), y=float(numbers[1]), z=float(numbers[2]))


def quaternion(rotation: np.ndarray) -> Quaternion:
    """A rotation matrix ``(3, 3)`` as a message."""
    x, y, z, w = quaternion_of(rotation).tolist()
    return Quaternion(x=x, y=y, z=z, w=w)


def _numbers(vector: Vector3) -> tuple[float, float, float]:
    return vector.x, vector.y, vector.z
