# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Finds what is wrong with the stamps of messages while they are read."""

from __future__ import annotations

from instructvla_ros.bags.findings import WALL_CLOCK, Findings, Trouble, said
from instructvla_ros.bags.storage import Row
from instructvla_ros.timing import NANOSECONDS

FAR = 10 * NANOSECONDS
"""Header and record time further apart than this are of different clocks, or of a replay: no sensor is that slow."""

_MANY_PUBLISHERS = ("diagnostic_msgs/msg/DiagnosticArray",)  # each has times of its own
_MEANT_ZERO = ("trajectory_msgs/msg/JointTrajectory",)  # zero: to be followed at once, as its definition says


class ClockWatch:
    """Looks at every message of one reading.

    Args:
        findings: where to tell.
    """

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._rows: dict[str, tuple[int, int]] = {}
        self._headers: dict[str, int] = {}
        self._first: dict[bool, tuple[str, int, int]] = {}

    def see(self, row: Row, header: int | None) -> None:
        """Look at the next message; ``header`` is its header's stamp [ns], None where it has none."""
        topic = row.topic.name
        before = self._rows.get(topic)
        self._rows[topic] = (row.stamp, row.place)
        if before is not None and row.stamp != before[0] and (row.stamp < before[0] or row.place < before[1]):
            first, second = max(row.stamp, before[0]), min(row.stamp, before[0])
            text = f"record times of {topic} go back in the file, from {said(first)} to {said(second)}"
            self._findings.add(Trouble.GOING_BACK, text, topic, row.stamp)
        if header is not None:
            self._see_header(topic, row, header)

    def _see_header(self, topic: str, row: Row, header: int) -> None:
        if header == 0:
            if row.topic.message_type in _MEANT_ZERO:
                return
            text = f"{topic} at {said(row.stamp)} has no time in its header: the record time counts"
            self._findings.add(Trouble.NO_STAMPS, text, topic, row.stamp)
            return
        before = self._headers.get(topic)
        self._headers[topic] = header
        if before is not None and header < before and row.topic.message_type not in _MANY_PUBLISHERS:
            text = f"header stamps of {topic} go back from {said(before)} to {said(header)}, recorded {said(row.stamp)}"
            self._findings.add(Trouble.GOING_BACK, text, topic, row.stamp, "header")
        if abs(header - row.stamp) > FAR:
            text = (
                f"{topic} was recorded at {said(row.stamp)} with {said(header)} in its header, "
                f"{abs(header - row.stamp) / NANOSECONDS:.1f} s {'earlier' if header < row.stamp else 'later'}"
            )
            self._findings.add(Trouble.FAR_STAMPS, text, topic, row.stamp)
        wall = header >= WALL_CLOCK
        if wall in self._first:
            return
        self._first[wall] = (topic, header, row.stamp)
        if len(self._first) == 2:
            (real, time, _), (simulated, sim_time, _) = self._first[True], self._first[False]
            text = (
                f"headers have times of two clocks: {real} of a wall clock ({said(time)}), "
                f"{simulated} of a simulation ({said(sim_time)})"
            )
            self._findings.add(Trouble.MIXED_CLOCKS, text, topic, row.stamp, "header")
