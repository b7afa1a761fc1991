# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings (rosbag2, MCAP): writing, reading, playing and scoring them. No rclpy here."""
