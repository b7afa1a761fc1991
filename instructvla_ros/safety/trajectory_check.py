# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The last look at a trajectory before it is sent: all of it, braking included, must keep the promises."""

import numpy as np

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.robot.poses import length
from instructvla_ros.robot.trajectory import JointTrajectory
from instructvla_ros.safety.limits import SafetyLimits
from instructvla_ros.safety.motion import ArmNow
from instructvla_ros.safety.path_limits.joint_position import joint_ranges

_ROUNDING = 1e-9
# Share of the braking distance after which the gripper point is looked at.
_LOOKED_AT = (0.5, 1.0)


class TrajectoryCheck:
    """Checks a trajectory of :func:`~instructvla_ros.safety.braking.move_and_brake` from end to end.

    The path limits plan with first-order formulas; this check uses the exact positions, and is what the promises rest
    on. The arm may start outside a range or the workspace: then the bounds are where it is, and follow it inward.

    Between the points looked at, the gripper point strays from the straight line by no more than
    ``reach * (sum |joint displacement|)^2 / 8``, because the second derivative of a serial chain's tip position is at
    most its reach per squared radian; this is kept off the walls.

    Args:
        limits: the limits in force.
        chain: the arm.
        outside_tolerance: how far an arm that starts outside the workspace may drift outward in all [m].
    """

    def __init__(self, limits: SafetyLimits, chain: KinematicChain, outside_tolerance: float = 1e-3) -> None:
        self._chain = chain
        self._lower, self._upper = joint_ranges(limits, chain)
        self._box_lower, self._box_upper = limits.workspace.lower, limits.workspace.upper
        self._translation_speed, self._rotation_speed = limits.translation_speed, limits.rotation_speed
        self._outside_tolerance = outside_tolerance
        self._bend = 0.125 * max(chain.reach, 0.0 if chain.revolute.all() else 1.0)
        self._low, self._high = self._box_lower, self._box_upper

    def start_at(self, point: np.ndarray) -> None:
        """Takes the arm as it is found: where the gripper point ``(3,)`` [m] is outside, it may stay there."""
        self._low = np.where(point < self._box_lower, point - self._outside_tolerance, self._box_lower)
        self._high = np.where(point > self._box_upper, point + self._outside_tolerance, self._box_upper)

    def follow(self, point: np.ndarray) -> None:
        """Draws the bounds in behind a gripper point ``(3,)`` [m] that moves inward from outside; once in, it stays."""
        behind, before = point - self._outside_tolerance, point + self._outside_tolerance
        self._low = np.where(point < self._box_lower, np.maximum(self._low, behind), self._box_lower)
        self._high = np.where(point > self._box_upper, np.minimum(self._high, before), self._box_upper)

    def passes(self, trajectory: JointTrajectory, arm: ArmNow) -> bool:
        """Whether every instant of the trajectory is within joint ranges, workspace and gripper speed."""
        positions, velocities = trajectory.positions, trajectory.velocities
        if not (np.isfinite(positions).all() and np.isfinite(velocities).all()):
            return False
        return self._joints_pass(positions, velocities, arm) and self._gripper_passes(positions, velocities, arm)

    def _joints_pass(self, positions: np.ndarray, velocities: np.ndarray, arm: ArmNow) -> bool:
        start, following = velocities[0], velocities[1]
        # Where a joint turns round within the first segment, it reaches furthest in between: at velocity 0.
        turning = start * following < 0.0
        change = np.where(turning, start - following, 1.0)
        furthest = positions[0] + np.where(turning, 0.5 * start * start * arm.period / change, 0.0)
        lowest = np.minimum(positions[1:].min(axis=0), furthest)
        highest = np.maximum(positions[1:].max(axis=0), furthest)
        return bool(
            (lowest >= np.minimum(self._lower, positions[0]) - _ROUNDING).all()
            and (highest <= np.maximum(self._upper, positions[0]) + _ROUNDING).all()
        )

    def _gripper_passes(self, positions: np.ndarray, velocities: np.ndarray, arm: ArmNow) -> bool:
        reached, jacobian = self._chain.forward_and_jacobian(positions[1])
        tip = jacobian @ velocities[1]
        if length(tip[:3]) > self._translation_speed or length(tip[3:]) > self._rotation_speed:
            return False
        displacement = positions[1] - positions[0]
        bent = self._bent_by_acceleration(displacement, velocities[0], velocities[1], arm.period)
        if not self._point_passes(reached[:3, 3], displacement, bent):
            return False
        braking = positions[-1] - positions[1]
        before = 0.0
        for share in _LOOKED_AT:
            point = self._chain.forward(positions[1] + share * braking)[:3, 3]
            if not self._point_passes(point, (share - before) * braking, 0.0):
                return False
            before = share
        return True

    def _bent_by_acceleration(
        self, displacement: np.ndarray, start: np.ndarray, following: np.ndarray, period: float
    ) -> float:
        """How far the first segment, a parabola in joint space, may lead the gripper point off the straight line [m].

        A parabola strays from its chord by an eighth of its change of velocity times its duration. The part along the
        chord counts only if the motion turns round within the segment: else it is merely early or late.
        """
        change = following - start
        squared = float(np.dot(displacement, displacement))
        if squared > 0.0 and np.dot(start, displacement) >= 0.0 and np.dot(following, displacement) >= 0.0:
            change = change - displacement * (float(np.dot(change, displacement)) / squared)
        return self._bend * period * float(np.abs(change).sum())

    def _point_passes(self, point: np.ndarray, displacement: np.ndarray, bent: float) -> bool:
        off = self._bend * float(np.abs(displacement).sum()) ** 2 + bent
        return bool((point >= self._low + off).all() and (point <= self._high - off).all())
