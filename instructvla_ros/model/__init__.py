# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The InstructVLA network. torch only: no ROS, no robot."""
