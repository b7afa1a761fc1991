# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Clocks of other machines, as far as nodes of ours run there and tell their time."""

from __future__ import annotations

from collections.abc import Iterator

from instructvla_ros.checking.findings import Finding, error, good, warning
from instructvla_ros.checking.seen import Seen
from instructvla_ros.clock_offset import Offset
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.safety import SafetyLimits

_REMEDY = "synchronise both machines with chrony, the one of the arm as the server: docs/two_machines.md"


def judge_clocks(profile: RobotProfile, limits: SafetyLimits, seen: Seen) -> Iterator[Finding]:
    """Whether the clocks that were asked are in step with this machine's."""
    bound = profile.ages.future
    for node, (ahead, uncertainty) in seen.clock_offsets.items():
        offset = Offset(ahead, uncertainty)
        if offset.surely_beyond(bound):
            yield error(
                node, f"its clock is {offset}, more than {bound:g} s (ages.future): the policy refuses to act", _REMEDY
            )
        elif offset.surely_beyond(min(0.5 * bound, limits.stamp_ahead)):
            yield warning(node, f"its clock is {offset}; from {bound:g} s on the policy refuses to act", _REMEDY)
        elif uncertainty > bound:
            yield warning(
                node,
                f"its answers take {2.0 * uncertainty:.3f} s: clocks cannot be compared within {bound:g} s",
                "look at the link between the machines",
            )
        else:
            yield good(node, f"its clock is {offset}")
