# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The InstructVLA network. torch only: no ROS, no robot."""

from instructvla_ros.model.instructvla import ActionOutput, Finish, InstructVLA, Thought
from instructvla_ros.model.prompt import MAX_TEXT_CHARACTERS
from instructvla_ros.model.settings import CheckpointError
from instructvla_ros.model.statistics import UnknownDatasetError

__all__ = [
    "MAX_TEXT_CHARACTERS",
    "ActionOutput",
    "CheckpointError",
    "Finish",
    "InstructVLA",
    "Thought",
    "UnknownDatasetError",
]
