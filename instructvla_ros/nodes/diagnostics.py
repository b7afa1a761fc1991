# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One node's line on /diagnostics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

if TYPE_CHECKING:
    from rclpy.node import Node


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
