# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One node's line on /diagnostics, and what goes into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

if TYPE_CHECKING:
    from rclpy.node import Node

    from instructvla_ros.safety.intervention_log import InterventionLog


def diagnostic(node: Node, level: bytes, summary: str, values: dict[str, object]) -> DiagnosticArray:
    """A diagnostic array with one status, named by the node's full name and stamped now."""
    name = node.get_fully_qualified_name().lstrip("/")
    return DiagnosticArray(
        header=Header(stamp=node.get_clock().now().to_msg()),
        status=[
            DiagnosticStatus(
                level=level,
                name=name,
                message=summary,
                hardware_id=name,
                values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
            )
        ],
    )


def status_name(node: Node, other: str) -> str:
    """Under which name another node of the same namespace tells its status.

    Args:
        node: whose namespace it is.
        other: name of the other node.
    """
    return f"{node.get_namespace().rstrip('/')}/{other}".lstrip("/")


def intervention_values(log: InterventionLog, now: float) -> dict[str, object]:
    """What limits did since the start, one line a limit, and which act now.

    Args:
        log: the log of the filter.
        now: time on the log's clock [s].
    """
    values: dict[str, object] = {"interventions": log.total}
    for limit, count in sorted(log.counts.items()):
        values[f"limit {limit}"] = f"{count.steps} steps in {count.times} times, {count.seconds:.2f} s"
    acting = (
        f"{entry.limit} {entry.subject}".rstrip() + f" for {entry.duration:.2f} s: {entry.message}"
        for entry in log.acting(now)
    )
    values["acting now"] = "; ".join(acting) or "none"
    return values
