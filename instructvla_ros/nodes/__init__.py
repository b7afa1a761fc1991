# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One file a node: parameters, topics, services and clocks. The only room that imports rclpy."""
