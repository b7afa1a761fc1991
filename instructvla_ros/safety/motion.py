# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The motion that is asked of the arm in one tick, and what a limit on it looks like."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.safety.limits import SafetyLimits

# Damping of the least squares solution: none while the smallest singular value of the Jacobian is above the threshold,
# growing to its full size at a singularity (Nakamura and Hanafusa, "Inverse Kinematic Solutions with Singularity
# Robustness for Robot Manipulator Control", ASME J. Dyn. Sys. Meas. Control 108, 1986). In the Jacobian's units.
_SINGULAR = 0.04
_DAMPING = 0.04
# Weight of a component that must hold: its error shrinks with the square of it.
_HELD = 100.0


@dataclass(frozen=True, eq=False)
class ArmNow:
    """The commanded state of the arm at this instant, and what it can do.

    Attributes:
        positions: ``(n,)`` commanded joint positions [rad or m].
        velocities: ``(n,)`` commanded joint velocities [rad/s or m/s].
        pose: ``(4, 4)`` pose of the gripper at these positions.
        jacobian: ``(6, n)`` Jacobian there.
        accelerations: ``(n,)`` highest accelerations [rad/s^2 or m/s^2].
        period: time from one tick to the next [s].
    """

    positions: np.ndarray  # (n,)
    velocities: np.ndarray  # (n,)
    pose: np.ndarray  # (4, 4)
    jacobian: np.ndarray  # (6, n)
    accelerations: np.ndarray  # (n,)
    period: float


@dataclass(frozen=True, eq=False)
class Motion:
    """A motion of the arm at full asked speed; the limits say what share of it may be executed.

    Attributes:
        arm: where it starts.
        twist: ``(6,)`` velocity of the gripper wanted, base-frame axes [m/s, rad/s].
        free: ``(n,)`` the joints that may take part.
        weights: ``(6,)`` how much each component of the twist matters where the joints cannot make all of it.
        rates: ``(n,)`` joint velocities that come closest to the twist [rad/s or m/s].
        tip: ``(6,)`` velocity of the gripper that they make [m/s, rad/s].
        braking_time: time to come to rest from full speed, all joints together, each within its acceleration [s].
    """

    arm: ArmNow
    twist: np.ndarray  # (6,)
    free: np.ndarray  # (n,)
    weights: np.ndarray  # (6,)
    rates: np.ndarray  # (n,)
    tip: np.ndarray  # (6,)
    braking_time: float

    @classmethod
    def towards(
        cls, arm: ArmNow, twist: np.ndarray, free: np.ndarray | None = None, weights: np.ndarray | None = None
    ) -> Motion:
        """The motion whose joint velocities come closest to a twist, by damped least squares."""
        free = np.ones(len(arm.positions), dtype=bool) if free is None else free
        weights = np.ones(6) if weights is None else weights
        rates = _damped_least_squares(arm.jacobian * free * weights[:, None], weights * twist)
        braking_time = float(np.max(np.abs(rates) / arm.accelerations))
        return cls(arm, twist, free, weights, rates, arm.jacobian @ rates, braking_time)

    def with_component(self, index: int, value: float) -> Motion:
        """The same with one component of the twist held at a value, whatever the others lose by it."""
        twist, weights = self.twist.copy(), self.weights.copy()
        twist[index], weights[index] = value, _HELD
        return Motion.towards(self.arm, twist, self.free, weights)

    def without(self, joint: int) -> Motion:
        """The same with one joint at rest; the others make up for it as well as they can."""
        free = self.free.copy()
        free[joint] = False
        return Motion.towards(self.arm, self.twist, free, self.weights)

    def stoppable_shares(self, speeds_now: np.ndarray, speeds: np.ndarray, rooms: np.ndarray) -> np.ndarray:
        """Share of the motion from which the arm still comes to rest within some room, for several directions at once.

        At share s a tick covers ``period * (speed_now + s * speed) / 2`` and the braking after it, which takes
        ``s * braking_time``, another ``s * speed * s * braking_time / 2``. The largest s for which both fit in the room
        solves a quadratic equation.

        Args:
            speeds_now: ``(k,)`` present speeds towards the bounds [m/s or rad/s].
            speeds: ``(k,)`` speeds towards the bounds at full motion.
            rooms: ``(k,)`` distances to the bounds [m or rad].

        Returns:
            ``(k,)`` shares from 0 to 1; 1 where the motion leads away from the bound.
        """
        towards = np.maximum(speeds, 1e-12)
        left = np.maximum(rooms - 0.5 * self.arm.period * np.maximum(speeds_now, 0.0), 0.0)
        linear = 0.5 * self.arm.period * towards
        quadratic = 0.5 * self.braking_time * towards
        # The stable form of the root: the textbook one divides by a braking time that may be nearly zero.
        shares = 2.0 * left / (linear + np.sqrt(linear * linear + 4.0 * quadratic * left))
        return np.where(speeds > 1e-9, np.minimum(shares, 1.0), 1.0)


@dataclass(frozen=True)
class Bound:
    """What one limit says about a motion.

    Attributes:
        share: share of the motion's speed that the limit allows, 0 to 1.
        subject: joint or axis that binds; empty where there is but one.
        asked: the value at full speed.
        allowed: the value that the limit allows.
        unit: of both values.
    """

    share: float
    subject: str
    asked: float
    allowed: float
    unit: str


FREE = Bound(1.0, "", 0.0, 0.0, "")


class PathLimit(ABC):
    """A limit on motion: it slows the arm along its path, and as a last resort takes a direction out of the motion.

    A new limit is a subclass in a file of its own, named once in ``path_limits/__init__.py``.

    Args:
        limits: the limits in force.
        chain: the arm.
        period: time from one tick to the next [s].
    """

    name: ClassVar[str]

    @abstractmethod
    def __init__(self, limits: SafetyLimits, chain: KinematicChain, period: float) -> None: ...

    @abstractmethod
    def bound(self, motion: Motion) -> Bound:
        """How much of a motion's speed is allowed."""

    def clip(self, motion: Motion) -> Motion | None:
        """The motion without what this limit cannot allow at any speed; None where slowing is all it does."""
        return None




def _damped_least_squares(jacobian: np.ndarray, twist: np.ndarray) -> np.ndarray:
    left, values, right = np.linalg.svd(jacobian, full_matrices=False)
    smallest = float(values[-1])
    damping = 0.0 if smallest >= _SINGULAR else _DAMPING**2 * (1.0 - (smallest / _SINGULAR) ** 2)
    weights = values / (values * values + damping)
    return right.T @ (weights * (left.T @ twist))
