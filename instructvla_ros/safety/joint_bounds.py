# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the joints may do, as arrays in the order of the chain."""

from dataclasses import dataclass

import numpy as np

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.safety.limits import LimitsError, SafetyLimits


def joint_ranges(limits: SafetyLimits, chain: KinematicChain) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest positions with the margin taken off, both ``(n,)`` [rad or m]."""
    joints = [limits.joints[name] for name in chain.joint_names]
    lower = np.array([joint.lower for joint in joints]) + limits.joint_margin
    upper = np.array([joint.upper for joint in joints]) - limits.joint_margin
    return lower, upper


@dataclass(frozen=True, eq=False)
class JointBounds:
    """Bounds of every joint.

    Attributes:
        names: the joints.
        units: ``rad`` or ``m``, of each.
        lower: ``(n,)`` lowest positions, the margin taken off [rad or m].
        upper: ``(n,)`` highest positions, the margin taken off [rad or m].
        speeds: ``(n,)`` highest speeds in force [rad/s or m/s], see :meth:`of`.
        accelerations: ``(n,)`` highest accelerations and decelerations [rad/s^2 or m/s^2].
        jerks: ``(n,)`` highest changes of acceleration [rad/s^3 or m/s^3].
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    lower: np.ndarray  # (n,)
    upper: np.ndarray  # (n,)
    speeds: np.ndarray  # (n,)
    accelerations: np.ndarray  # (n,)
    jerks: np.ndarray  # (n,)

    @classmethod
    def of(cls, limits: SafetyLimits, chain: KinematicChain, period: float) -> "JointBounds":
        """Takes them from the limits of a robot.

        The speed in force is one from which a joint still comes to rest within the horizon. A trajectory spends one
        period in motion; a joint that is still speeding up then takes ``a / j`` to end that, and brakes from speed v in
        ``v / a + a / j``:

            speed = min(velocity, acceleration * (horizon - period - 2 * acceleration / jerk))

        Args:
            limits: the limits.
            chain: the arm.
            period: of the filter [s].

        Raises:
            LimitsError: the horizon leaves some joint no time to brake.
        """
        joints = [limits.joints[name] for name in chain.joint_names]
        accelerations = np.array([joint.acceleration for joint in joints])
        jerks = np.array([joint.jerk for joint in joints])
        left = limits.horizon - period - 2.0 * accelerations / jerks
        worst = int(np.argmin(left))
        if left[worst] <= 0.0:
            ramps = 2.0 * accelerations[worst] / jerks[worst]
            raise LimitsError(
                f"horizon: {limits.horizon} s leaves joint {chain.joint_names[worst]!r} no time to brake: a step takes "
                f"{period:.4g} s, and with its acceleration and jerk it takes {ramps:.4g} s to start and end braking; "
                "raise the horizon or the jerk"
            )
        lower, upper = joint_ranges(limits, chain)
        return cls(
            names=chain.joint_names,
            units=tuple("rad" if turns else "m" for turns in chain.revolute),
            lower=lower,
            upper=upper,
            speeds=np.minimum([joint.velocity for joint in joints], accelerations * left),
            accelerations=accelerations,
            jerks=jerks,
        )
