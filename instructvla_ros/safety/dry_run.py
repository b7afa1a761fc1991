# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A dry run: the filter works on an arm that is thought to follow, and nobody is commanded."""

from dataclasses import replace

import numpy as np

from instructvla_ros.robot.joint_state import JointState, JointStateError
from instructvla_ros.safety.report import SafetyCommand, SafetyState

SPAN = 1.0
"""How long the arm that is thought to follow goes its own way before it is taken back to where the arm is [s]."""


class DryRun:
    """Thinks of an arm that does what the filter says.

    The policy sees that the real arm does not move, so what it asks for leads further and further away: every so often,
    and whenever the filter is at rest, the run begins again where the arm really is.

    Args:
        joint_names: the arm's joints.
    """

    def __init__(self, joint_names: tuple[str, ...]) -> None:
        self._joint_names = joint_names
        self._command: SafetyCommand | None = None
        self._sent = 0.0
        self._began: float | None = None

    def joint_state(self, now: float, measured: JointState | None) -> JointState | None:
        """What the filter is told: the joint state as it is measured, the arm's joints where they should be by now.

        Args:
            now: time on a monotonic clock [s].
            measured: the newest joint state.
        """
        if self._command is None or measured is None:
            return measured
        try:
            measured.select(self._joint_names)
        except (JointStateError, TypeError, ValueError):
            return measured  # the filter says what is wrong with it
        positions = np.array(measured.positions, dtype=np.float64)
        thought, _ = self._command.trajectory.sample(now - self._sent)
        positions[[measured.names.index(name) for name in self._joint_names]] = thought
        return replace(measured, positions=positions)

    def begins_again(self, now: float, state: SafetyState) -> bool:
        """Whether the filter should begin again at the measured joints, in the next step."""
        if state is not SafetyState.MOVING:
            self._began = None
            again = self._command is not None and state is SafetyState.HOLDING
        else:
            if self._began is None:
                self._began = now
            again = now - self._began > SPAN
        if again:
            self._command, self._began = None, None
        return again

    def sent(self, command: SafetyCommand, now: float) -> None:
        """What would have been commanded at an instant [s]."""
        self._command, self._sent = command, now
