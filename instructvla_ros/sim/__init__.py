# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The simulated table-top: arm, cameras, objects. No ROS."""
