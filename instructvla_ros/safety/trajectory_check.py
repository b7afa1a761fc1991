# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The last look at a trajectory before it is sent: all of it, braking included, must keep the promises."""

import numpy as np

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.safety.braking import JerkTrajectory
from instructvla_ros.safety.joint_bounds import JointBounds
from instructvla_ros.safety.limits import SafetyLimits
from instructvla_ros.safety.motion import ArmNow
from instructvla_ros.safety.rooms import Configurations, RoomSet

_ROUNDING = 1e-9
# Time over which the change of the Jacobian along the motion is taken [s].
_INSTANT = 1e-4
# Share of the gripper's acceleration limits that may be used at the points looked at; in between it is a little higher.
_ACCELERATION_AIM = 0.97


class TrajectoryCheck:
    """Checks a trajectory of :class:`~instructvla_ros.safety.braking.Braking` from end to end.

    What is planned with first-order formulas is checked here with the exact positions; the promises rest on this. The
    arm may start beyond a bound: then the bound is where it is, and follows it inward.

    Joints are checked exactly at every instant: acceleration is linear and position cubic between points. For the rest
    the trajectory is looked at in its points. Between two configurations a point of the arm strays from the straight
    line by no more than ``reach * (sum |joint displacement|)^2 / 8``, because the second derivative of its position is
    at most the reach per squared radian, and by ``reach`` times what the joints stray from their own straight line;
    this is kept off the rooms.

    Args:
        limits: the limits in force.
        chain: the arm.
        rooms: all rooms of the arm.
        bounds: of the joints.
    """

    def __init__(self, limits: SafetyLimits, chain: KinematicChain, rooms: RoomSet, bounds: JointBounds) -> None:
        self._chain, self._rooms, self._bounds = chain, rooms, bounds
        self._horizon = limits.horizon
        self._speeds = np.array([limits.translation_speed, limits.rotation_speed])
        self._accelerations = _ACCELERATION_AIM * np.array(
            [limits.translation_acceleration, limits.rotation_acceleration]
        )
        self._least = np.zeros(len(rooms))

    def start_at(self, rooms: np.ndarray) -> None:
        """Takes the arm as it is found: where its rooms ``(m,)`` are negative, it may stay there."""
        self._least = np.where(rooms < 0.0, rooms - self._rooms.tolerances, 0.0)

    def follow(self, rooms: np.ndarray) -> None:
        """Draws the bounds in behind an arm that moves inward from outside; once inside, it stays."""
        self._least = np.where(rooms < 0.0, np.maximum(self._least, rooms - self._rooms.tolerances), 0.0)

    def passes(self, trajectory: JerkTrajectory, arm: ArmNow) -> bool:
        """Whether every instant of the trajectory keeps the limits."""
        if trajectory.times[-1] > self._horizon + _ROUNDING or not np.isfinite(trajectory.positions).all():
            return False
        return self.joints_pass(trajectory) and self._gripper_passes(trajectory, arm)

    def joints_pass(self, trajectory: JerkTrajectory) -> bool:
        """Whether every joint keeps its range and speed at every instant of the trajectory."""
        positions, velocities, accelerations = trajectory.positions, trajectory.velocities, trajectory.accelerations
        spans = (trajectory.times[1:] - trajectory.times[:-1])[:, None]
        # Velocity is furthest out where acceleration passes through 0 within a segment.
        before, after = accelerations[:-1], accelerations[1:]
        turning = before * after < 0.0
        change = np.where(turning, before - after, 1.0)
        furthest = velocities[:-1] + np.where(turning, 0.5 * before * before * spans / change, 0.0)
        fastest = np.maximum(np.abs(velocities).max(axis=0), np.abs(furthest).max(axis=0))
        if (fastest > self._bounds.speeds + _ROUNDING).any():
            return False
        # A cubic lies within the hull of its control points (Bezier).
        thirds = spans / 3.0
        inner = np.concatenate((positions[:-1] + thirds * velocities[:-1], positions[1:] - thirds * velocities[1:]))
        start = positions[0]
        below = self._bounds.lower - np.minimum(positions.min(axis=0), inner.min(axis=0))
        above = np.maximum(positions.max(axis=0), inner.max(axis=0)) - self._bounds.upper
        if not ((below > _ROUNDING).any() or (above > _ROUNDING).any()):
            return True
        # A joint that starts beyond its range turns back into it, and never round again.
        returning = np.minimum(velocities.min(axis=0), furthest.min(axis=0)) >= -_ROUNDING
        down = np.maximum(velocities.max(axis=0), furthest.max(axis=0)) <= _ROUNDING
        returning &= start < self._bounds.lower
        down &= start > self._bounds.upper
        return bool((returning | (below <= _ROUNDING)).all() and (down | (above <= _ROUNDING)).all())

    def _gripper_passes(self, trajectory: JerkTrajectory, arm: ArmNow) -> bool:
        times, positions = trajectory.times, trajectory.positions
        velocities, accelerations = trajectory.velocities, trajectory.accelerations
        moving = len(positions) - 1  # the last one rests
        ahead = positions[:moving] + _INSTANT * velocities[:moving]
        seen = Configurations.of(self._chain, np.concatenate((positions, ahead)))
        jacobians = seen.jacobians[: moving + 1]
        tips = (jacobians @ velocities[:, :, None]).reshape(-1, 2, 3)  # (S, translation and rotation, 3)
        turning = (seen.jacobians[moving + 1 :] - jacobians[:moving]) / _INSTANT
        gains = np.zeros_like(tips)
        gains[:moving] = (
            jacobians[:moving] @ accelerations[:moving, :, None] + turning @ velocities[:moving, :, None]
        ).reshape(-1, 2, 3)
        spans = times[1:] - times[:-1]
        if self._too_fast(tips, gains, spans) or (_sizes(gains[1:]) > self._accelerations).any():
            return False
        return self._rooms_pass(seen.first(moving + 1), arm.rooms, positions, velocities, accelerations, spans)

    def _too_fast(self, tips: np.ndarray, gains: np.ndarray, spans: np.ndarray) -> bool:
        """Whether the gripper is too fast, at the points or where it stops speeding up in between.

        Args:
            tips: ``(S, 2, 3)`` velocities of translation and rotation [m/s, rad/s].
            gains: ``(S, 2, 3)`` accelerations [m/s^2, rad/s^2].
            spans: ``(S - 1,)`` times between the points [s].
        """
        speeds = _sizes(tips)  # (S, 2)
        rising = np.einsum("spc,spc->sp", tips, gains) / np.maximum(speeds, 1e-9)
        before, after = rising[:-1], rising[1:]
        change = np.maximum(before - after, 1e-9)
        peaks = speeds[:-1] + np.where(
            (before > 0.0) & (after < 0.0), 0.5 * before * before * spans[:, None] / change, 0.0
        )
        return bool((speeds > self._speeds).any() or (peaks > self._speeds).any())

    def _rooms_pass(
        self,
        seen: Configurations,
        start: np.ndarray,
        positions: np.ndarray,
        velocities: np.ndarray,
        accelerations: np.ndarray,
        spans: np.ndarray,
    ) -> bool:
        chords = positions[1:] - positions[:-1]  # (S - 1, n)
        covered = np.abs(chords).sum(axis=1)
        squared = np.maximum((chords * chords).sum(axis=1), 1e-18)[:, None]
        # Acceleration along the chord makes the motion early or late, not crooked, unless it turns round.
        ends = np.stack((accelerations[:-1], accelerations[1:]))  # (2, S - 1, n)
        along = np.einsum("esn,sn->es", ends, chords)[:, :, None] / squared * chords
        onward = (velocities[:-1] * chords).sum(axis=1) >= 0.0
        onward &= (velocities[1:] * chords).sum(axis=1) >= -1e-12
        crooked = np.where(onward[:, None], np.abs(ends - along).max(axis=0), np.abs(ends).max(axis=0)).sum(axis=1)
        strays = 0.125 * (covered * covered + spans * spans * crooked)  # (S - 1,)
        rooms = self._rooms.along(seen, start, float((covered + 8.0 * strays).sum()))  # (S, m)
        lowest = np.minimum(rooms[:-1], rooms[1:]) - strays[:, None] * self._rooms.reach
        return bool((lowest >= self._least).all())


def _sizes(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("spc,spc->sp", vectors, vectors))
