# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the arm is, as far as the joint states can be believed."""

import math

import numpy as np

from instructvla_ros.robot.joint_state import JointState, JointStateError
from instructvla_ros.safety.limits import SafetyLimits


class Measurement:
    """Judges the newest joint state at every step.

    Attributes:
        positions: ``(n,)`` measured positions [rad or m]; None while the newest joint state is not usable.
        problem: why it is not usable; empty if it is.
        stamp: when the newest usable joint state was measured [s]; NaN before the first.
    """

    def __init__(self, limits: SafetyLimits, joint_names: tuple[str, ...]) -> None:
        self._oldest = limits.joint_state_age
        self._ahead = limits.stamp_ahead
        self._joint_names = joint_names
        self.positions: np.ndarray | None = None
        self.problem = "no joint state has come yet"
        self.stamp = math.nan

    def update(self, now: float, joint_state: JointState | None) -> None:
        """Takes in the newest joint state, which may be the same as last time."""
        self.positions = None
        if joint_state is None:
            self.problem = "no joint state has come yet" if math.isnan(self.stamp) else "there is no joint state"
            return
        try:
            positions, _ = joint_state.select(self._joint_names)
        except JointStateError as error:
            self.problem = str(error)
            return
        except (TypeError, ValueError) as error:
            self.problem = f"the joint state cannot be read: {error}"
            return
        age = now - joint_state.stamp
        if not math.isfinite(age):
            self.problem = f"the joint state's stamp is {joint_state.stamp}"
        elif age > self._oldest:
            self.problem = f"the joint state is {age:.3f} s old, allowed {self._oldest:g} s"
        elif -age > self._ahead:
            self.problem = f"the joint state's stamp lies {-age:.3f} s in the future, allowed {self._ahead:g} s"
        else:
            self.positions, self.problem, self.stamp = positions, "", joint_state.stamp
