# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Speed of the joints."""

import numpy as np

from instructvla_ros.safety.joint_bounds import JointBounds
from instructvla_ros.safety.limits import SafetyLimits
from instructvla_ros.safety.motion import FREE, Bound, Motion, SpeedLimit

# Motions are aimed a little below the cap: what brakes from it exactly has no time to spare.
_AIM = 0.98


class JointVelocityLimit(SpeedLimit):
    """``|joint velocity| <= speed in force``, see :class:`JointBounds`; the fastest joint slows all."""

    name = "joint_velocity"

    def __init__(self, limits: SafetyLimits, bounds: JointBounds) -> None:
        self._bounds = bounds

    def bound(self, motion: Motion, scale: float) -> Bound:
        """Scales the whole motion until its fastest joint fits."""
        speeds = _AIM * scale * self._bounds.speeds
        asked = np.abs(motion.rates)
        use = asked - speeds
        if not (use > 0.0).any():
            return FREE
        worst = int(np.argmax(asked / self._bounds.speeds))
        share = float(speeds[worst] / asked[worst])
        return Bound(
            self.name, share, self._bounds.names[worst], float(asked[worst]), float(speeds[worst]),
            f"{self._bounds.units[worst]}/s",
        )
