# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Kinematics and the shapes of commands that arm drivers take. No ROS, no torch."""
