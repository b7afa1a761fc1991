# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Limits, and the filter that enforces them. numpy and daqp: no ROS, no torch."""

from instructvla_ros.safety.filter import SafetyFilter
from instructvla_ros.safety.limits import BodyShape, JointLimit, KeepOutBox, LimitsError, SafetyLimits, WorkspaceBox
from instructvla_ros.safety.report import LATCHED_STATES, Intervention, SafetyCommand, SafetyReport, SafetyState, Stops

__all__ = [
    "LATCHED_STATES",
    "BodyShape",
    "Intervention",
    "JointLimit",
    "KeepOutBox",
    "LimitsError",
    "SafetyCommand",
    "SafetyFilter",
    "SafetyLimits",
    "SafetyReport",
    "SafetyState",
    "Stops",
    "WorkspaceBox",
]
