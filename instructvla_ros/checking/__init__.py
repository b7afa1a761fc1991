# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a profile expects of a live graph, and whether what was seen fits. No rclpy here."""
