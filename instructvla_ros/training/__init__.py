# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training: demonstrations, annotations, the recipe in stages, evaluation. No ROS."""
