# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Limits, and the filter that enforces them. numpy only: no ROS, no torch."""
