# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the demo counts while it watches the graph, and the line and summary it makes of it. No ROS."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

MOVED_VISIBLY = 0.02
"""The gripper counts as having moved once its path is this long [m]: well above sensor noise and settling."""

HEADING = f"  time | chunks | frame age | {'the model says':28} | {'filter':42} | gripper x y z [m]"
"""Names the columns of :meth:`DemoReport.line`."""

_USUAL = "gripper_speed"  # acts whenever the gripper opens or closes: shown only where nothing else happened


@dataclass
class DemoReport:
    """Counters of one demo run.

    Attributes:
        images: camera frames seen.
        joint_states: joint states seen.
        inference_times: network time of each chunk [s].
        commands: joint trajectories seen.
        interventions: reports of each limit that acted.
        reasoning: newest words of the model.
        gripper: newest gripper position ``(3,)`` in the base frame [m].
        distance: length of the gripper's path so far [m].
        state: newest state of the safety filter.
        intervention: newest intervention since the last line, in short.
        frame_age: age of the observation behind the newest chunk when the chunk arrived [s].
        outcomes: each instruction that ended, and what came of it.
        must_move: whether an arm that stands still is a failure; it may rightly rest where nothing can be done.
    """

    images: int = 0
    joint_states: int = 0
    inference_times: list[float] = field(default_factory=list)
    commands: int = 0
    interventions: Counter[str] = field(default_factory=Counter)
    reasoning: str = ""
    gripper: np.ndarray | None = None
    distance: float = 0.0
    state: str = "no safety status yet"
    intervention: str = ""
    frame_age: float = math.nan
    outcomes: list[tuple[str, str]] = field(default_factory=list)
    must_move: bool = True
    _chunks_at_last_line: int = 0

    @property
    def chunks(self) -> int:
        """Action chunks seen."""
        return len(self.inference_times)

    def add_gripper(self, position: np.ndarray) -> None:
        """Move on to a new gripper position ``(3,)`` [m]; steps under 0.1 mm are noise and wait until they add up."""
        if self.gripper is None:
            self.gripper = position
            return
        step = float(np.linalg.norm(position - self.gripper))
        if step > 1e-4:
            self.distance += step
            self.gripper = position

    def add_intervention(self, limit: str, asked: float, allowed: float, unit: str) -> None:
        """Count a limit that acted, and keep it for the next line.

        Args:
            limit: name of the limit.
            asked: value asked for, in ``unit``; NaN where a number makes no sense.
            allowed: value allowed instead; NaN likewise.
            unit: of both; may be empty.
        """
        self.interventions[limit] += 1
        if limit != _USUAL or not self.intervention:
            self.intervention = limit
            if not (math.isnan(asked) or math.isnan(allowed)):
                self.intervention += f" {asked:.2g} -> {allowed:.2g} {unit}".rstrip()

    def line(self, elapsed: float, since_last: float) -> str:
        """One line for people: rate, age, words, filter and gripper.

        Args:
            elapsed: time since the demo's first chunk [s].
            since_last: time since the last line [s].
        """
        rate = (self.chunks - self._chunks_at_last_line) / since_last if since_last > 0 else math.nan
        self._chunks_at_last_line = self.chunks
        words = shortened(self.reasoning, 28) or "(nothing)"
        where = "unknown" if self.gripper is None else "{:5.2f} {:5.2f} {:5.2f}".format(*self.gripper)
        acted = f"{self.state}: {self.intervention or 'nothing changed'}"
        self.intervention = ""
        age = self.frame_age * 1000
        return f"{elapsed:4.0f} s | {rate:3.1f} Hz | {age:6.0f} ms | {words:28} | {acted:42} | {where}"

    def missing(self) -> list[str]:
        """What did not flow, in words; empty after a demo that worked."""
        checks = {
            "no camera image came": self.images > 0,
            "no joint state came": self.joint_states > 0,
            "no action chunk came": self.chunks > 0,
            "no command came": self.commands > 0,
            f"the gripper moved {self.distance * 1000:.0f} mm, less than {MOVED_VISIBLY * 1000:.0f} mm": self.distance
            >= MOVED_VISIBLY
            or not self.must_move,
        }
        return [complaint for complaint, good in checks.items() if not good]

    def summary(self, elapsed: float) -> str:
        """The closing lines of the demo; ``elapsed`` is the time since its first chunk [s]."""
        p50, p95 = np.percentile(self.inference_times, (50, 95)) * 1000 if self.chunks else (math.nan, math.nan)
        rate = self.chunks / elapsed if elapsed > 0 else math.nan
        by_limit = ", ".join(f"{limit} {count}" for limit, count in self.interventions.most_common())
        lines = [
            f"Summary of {elapsed:.0f} s",
            f"  inputs         {self.images} images, {self.joint_states} joint states",
            f"  action chunks  {self.chunks} ({rate:.1f} Hz), inference p50 {p50:.0f} ms, p95 {p95:.0f} ms",
            f"  commands       {self.commands}",
            f"  interventions  {self.interventions.total()}{f' ({by_limit})' if by_limit else ''}",
            f"  gripper path   {self.distance:.2f} m",
        ]
        lines += [f'  "{instruction}": {outcome}' for instruction, outcome in self.outcomes]
        missing = self.missing()
        lines.append("  all of them flowed" if not missing else "  FAILED: " + "; ".join(missing))
        return "\n".join(lines)


def shortened(text: str, length: int = 200) -> str:
    """A text in one line, cut where it is longer than that many characters."""
    words = " ".join(text.split())
    return words if len(words) <= length else f"{words[: length - 3]}..."
