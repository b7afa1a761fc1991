# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The motion that is asked of the arm in one tick, and what a limit on its speed looks like."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from instructvla_ros.safety.joint_bounds import JointBounds
from instructvla_ros.safety.limits import SafetyLimits

# Damping of the least squares solution: none while the smallest singular value of the Jacobian is above the threshold,
# growing to its full size at a singularity (Nakamura and Hanafusa, "Inverse Kinematic Solutions with Singularity
# Robustness for Robot Manipulator Control", ASME J. Dyn. Sys. Meas. Control 108, 1986). In the Jacobian's units.
_SINGULAR = 0.04
_DAMPING = 0.04
# How much a metre counts against a radian where there are too few joints for both.
_FIRST_GO = np.array([100.0, 100.0, 100.0, 1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class ArmNow:
    """The commanded state of the arm at this instant.

    Attributes:
        positions: ``(n,)`` commanded joint positions [rad or m].
        velocities: ``(n,)`` commanded joint velocities [rad/s or m/s].
        accelerations: ``(n,)`` commanded joint accelerations [rad/s^2 or m/s^2].
        pose: ``(4, 4)`` pose of the gripper at these positions.
        jacobian: ``(6, n)`` Jacobian there.
        rooms: ``(m,)`` rooms left there, see :class:`~instructvla_ros.safety.rooms.RoomSet`.
        shrinking: ``(m, n)`` by how much each room shrinks per radian (or metre) of each joint.
        period: time from one tick to the next [s].
    """

    positions: np.ndarray  # (n,)
    velocities: np.ndarray  # (n,)
    accelerations: np.ndarray  # (n,)
    pose: np.ndarray  # (4, 4)
    jacobian: np.ndarray  # (6, n)
    rooms: np.ndarray  # (m,)
    shrinking: np.ndarray  # (m, n)
    period: float


@dataclass(frozen=True, eq=False)
class Motion:
    """A motion of the arm at full asked speed; the limits say what share of it may be executed.

    Attributes:
        arm: where it starts.
        twist: ``(6,)`` velocity of the gripper wanted, base-frame axes [m/s, rad/s].
        rates: ``(n,)`` joint velocities [rad/s or m/s].
        tip: ``(6,)`` velocity of the gripper that they make [m/s, rad/s].
    """

    arm: ArmNow
    twist: np.ndarray  # (6,)
    rates: np.ndarray  # (n,)
    tip: np.ndarray  # (6,)

    @classmethod
    def of(cls, arm: ArmNow, twist: np.ndarray, rates: np.ndarray) -> Motion:
        """The motion of these joint velocities."""
        return cls(arm, twist, rates, arm.jacobian @ rates)


def inverse_jacobian(jacobian: np.ndarray) -> np.ndarray:
    """Matrix ``(n, 6)`` from twists to the joint velocities that come closest to them, by damped least squares.

    Fewer than six joints cannot make every twist: then the gripper goes where it should, and turns as far as it can.
    """
    if jacobian.shape[1] >= 6:
        return _damped_inverse(jacobian)
    return _damped_inverse(_FIRST_GO[:, None] * jacobian) * _FIRST_GO


def _damped_inverse(jacobian: np.ndarray) -> np.ndarray:
    left, values, right = np.linalg.svd(jacobian, full_matrices=False)
    smallest = float(values[-1])
    damping = 0.0 if smallest >= _SINGULAR else _DAMPING**2 * (1.0 - (smallest / _SINGULAR) ** 2)
    return (right.T * (values / (values * values + damping))) @ left.T


@dataclass(frozen=True)
class Bound:
    """What one limit says about a motion.

    Attributes:
        limit: name of the limit.
        share: share of the motion's speed that the limit allows, 0 to 1.
        subject: joint, axis or part of the arm that binds; empty where there is but one.
        asked: the value at full speed.
        allowed: the value that the limit allows.
        unit: of both values.
    """

    limit: str
    share: float
    subject: str
    asked: float
    allowed: float
    unit: str


FREE = Bound("", 1.0, "", 0.0, 0.0, "")


class SpeedLimit(ABC):
    """A limit on speed: it slows the arm along its path.

    A new limit is a subclass in a file of its own, named once in ``speed_limits/__init__.py``.

    Args:
        limits: the limits in force.
        bounds: the same for the joints, as arrays.
    """

    name: ClassVar[str]

    @abstractmethod
    def __init__(self, limits: SafetyLimits, bounds: JointBounds) -> None: ...

    @abstractmethod
    def bound(self, motion: Motion, scale: float) -> Bound:
        """How much of a motion's speed is allowed, with the limit made stricter by a factor of 0 to 1."""
