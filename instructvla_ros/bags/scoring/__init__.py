# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A policy held against recordings: what it would have done, beside what was done. It takes no ROS and no robot."""
