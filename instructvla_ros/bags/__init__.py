# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings (rosbag2, MCAP): writing, reading, playing and scoring them. No rclpy here."""

OUTPUTS = (
    "action_chunk",
    "reasoning",
    "joint_trajectory",
    "joint_position_command",
    "joint_velocity_command",
    "twist_command",
    "pose_command",
    "planned_trajectory",
    "gripper_command",
    "gripper_trajectory",
    "safety_status",
    "diagnostics",
)
"""What policy and filter publish themselves: played beside them, there would be two masters."""

COMMAND_TYPES = (
    "trajectory_msgs/msg/JointTrajectory",
    "std_msgs/msg/Float64MultiArray",
    "geometry_msgs/msg/TwistStamped",
    "geometry_msgs/msg/PoseStamped",
)
"""What drivers are commanded with, under whatever name a profile gives it: played, it would move a real arm."""


def is_output(topic: str, message_type: str) -> bool:
    """Whether a recorded topic is left out of a replay.

    Args:
        topic: its name in the bag.
        message_type: with ``/msg/``.
    """
    return topic.split("/")[-1] in OUTPUTS or message_type in COMMAND_TYPES
