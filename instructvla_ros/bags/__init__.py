# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings (rosbag2, MCAP): writing, reading, playing and scoring them. No rclpy here."""

OUTPUTS = ("action_chunk", "reasoning", "joint_trajectory", "gripper_command", "safety_status", "diagnostics")
"""What policy and filter publish themselves: played beside them, there would be two masters."""
