# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the filter's diagnostics say of its ticks."""

from __future__ import annotations

from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray

from bench.support.live_graph import Graph
from instructvla_ros.nodes import qos


@dataclass(frozen=True)
class TickFigures:
    """Of the newest thousand ticks: jitter and duration, each p50, p99 and longest [ms]; misses since the start."""

    jitter: tuple[float, ...]
    took: tuple[float, ...]
    misses: int


class FilterDiagnostics:
    """Keeps the newest diagnostics of the safety filter."""

    def __init__(self, graph: Graph) -> None:
        self.count = 0
        self.values: dict[str, str] = {}
        graph.listen(DiagnosticArray, "/diagnostics", qos.TEXT, self._on_diagnostics)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith("safety_filter_node"):
                self.values = {pair.key: pair.value for pair in status.values}
                self.count += 1

    def figures(self) -> TickFigures:
        """The newest figures."""
        jitter, took = (
            tuple(float(part) for part in self.values[f"tick {what} p50, p99, max [ms]"].split(","))
            for what in ("jitter", "takes")
        )
        return TickFigures(jitter, took, int(self.values["deadline misses"]))
