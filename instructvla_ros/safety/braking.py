# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Braking: from any state of the joints to rest, within accelerations and jerks, along the direction of the motion.

Acceleration changes at a constant rate between points, so positions are cubic polynomials there. The cubic through the
positions and velocities of two points is that very polynomial: an arm driver that interpolates with cubics executes
exactly what was planned, and acceleration is continuous from point to point.
"""

from dataclasses import dataclass

import numpy as np

from instructvla_ros.robot.poses import length
from instructvla_ros.robot.trajectory import JointTrajectory

# Points nearer than this are one instant: what is computed from closer ones is lost to rounding.
_SAME_INSTANT = 1e-5  # [s]
_ROUNDING = 1e-9
# The plateau of the braking is cut into these parts, so that the points of a trajectory lie about evenly on its way.
_PLATEAU_PARTS = np.array([0.2, 0.3, 0.5])
# Where the rhythm of the joint that takes longest is too quick for another, slower ones are tried: all phases so many
# times as long, and no first and no last ramp shorter than these shares of the longest time that a joint needs to build
# its acceleration up (the first may have to turn one full acceleration into the other). The quickest that fits is
# taken.
_SLOWER = np.array(
    [
        *[(stretch, 0.0, 0.0) for stretch in (1.0, 1.01, 1.03, 1.06, 1.1, 1.2)],
        *[(stretch, 0.5, 0.5) for stretch in (1.0, 1.04, 1.1)],
        *[(stretch, 1.0, 1.0) for stretch in (1.0, 1.05, 1.15, 1.4)],
        *[(stretch, 2.0, 1.0) for stretch in (1.0, 1.1, 1.3, 1.6, 2.0, 2.6)],
    ]
)
_STRETCHES, _RAMPS = _SLOWER[:, :1], _SLOWER[:, 1:]


def shortest_stops(
    velocities: np.ndarray, accelerations: np.ndarray, highest_accelerations: np.ndarray, highest_jerks: np.ndarray
) -> np.ndarray:
    """How long the three phases of the quickest stop take, for each joint by itself.

    The joint ramps its deceleration up, keeps it, and ramps it down to end at rest without acceleration. With peak
    deceleration ``p`` and the direction of motion counted positive, ``p^2 = j v + a^2 / 2``, cut at the highest
    acceleration; the ramps last ``(a + p) / j`` and ``p / j``.

    Args:
        velocities: ``(..., n)`` [rad/s].
        accelerations: ``(..., n)`` [rad/s^2].
        highest_accelerations: ``(n,)`` [rad/s^2].
        highest_jerks: ``(n,)`` [rad/s^3].

    Returns:
        ``(..., n, 3)`` durations of ramp, plateau and ramp [s].
    """
    # Velocity that is left when the present acceleration is ramped away: its sign tells which way to brake.
    left = velocities + 0.5 * accelerations * np.abs(accelerations) / highest_jerks
    sign = np.where(left < 0.0, -1.0, 1.0)
    velocity, acceleration = sign * velocities, sign * accelerations
    peak = np.sqrt(np.maximum(highest_jerks * velocity + 0.5 * acceleration * acceleration, 0.0))
    peak = np.minimum(peak, highest_accelerations)
    plateau = velocity + (0.5 * acceleration * acceleration - peak * peak) / highest_jerks
    durations = np.empty((*velocities.shape, 3))
    durations[..., 0] = np.maximum(acceleration + peak, 0.0) / highest_jerks
    durations[..., 1] = np.maximum(plateau, 0.0) / np.maximum(peak, 1e-12)
    durations[..., 2] = peak / highest_jerks
    return durations


@dataclass(frozen=True, eq=False)
class JerkTrajectory:
    """A trajectory of constant jerk between points, which ends at rest.

    Attributes:
        times: ``(P,)`` from 0, rising [s].
        positions: ``(P, n)`` [rad].
        velocities: ``(P, n)`` [rad/s].
        accelerations: ``(P, n)`` [rad/s^2].
    """

    times: np.ndarray  # (P,)
    positions: np.ndarray  # (P, n)
    velocities: np.ndarray  # (P, n)
    accelerations: np.ndarray  # (P, n)

    def joint_trajectory(self, joint_names: tuple[str, ...]) -> JointTrajectory:
        """What an arm driver takes."""
        return JointTrajectory(joint_names, self.times, self.positions, self.velocities)


class Braking:
    """Plans a motion of one period and the braking after it.

    All joints brake in the same rhythm, that of the one which takes longest: with jerks that depend linearly on
    velocity and acceleration, joints whose accelerations are in proportion to their velocities brake along a straight
    line.

    Args:
        accelerations: ``(n,)`` highest accelerations [rad/s^2].
        jerks: ``(n,)`` highest jerks [rad/s^3].
        translation_acceleration: of the gripper, as planned with [m/s^2].
        rotation_acceleration: of the gripper, as planned with [rad/s^2].
    """

    def __init__(
        self,
        accelerations: np.ndarray,
        jerks: np.ndarray,
        translation_acceleration: float = np.inf,
        rotation_acceleration: float = np.inf,
    ) -> None:
        self._gripper_accelerations = np.array([translation_acceleration, rotation_acceleration])
        self.ramp = float(np.max(accelerations / jerks))
        """Longest time that a joint takes to build its highest acceleration up [s]."""
        self._ramps = self.ramp * _RAMPS
        gripper = np.where(np.isfinite(self._gripper_accelerations), self._gripper_accelerations, 1e9)
        self._accelerations = np.concatenate((accelerations, gripper))
        self._jerks = np.concatenate((jerks, gripper / self.ramp))
        self._joint_accelerations = accelerations * (1.0 + _ROUNDING)
        self._joint_jerks = jerks * (1.0 + _ROUNDING)
        self._squared = 1.02 * self._gripper_accelerations**2
        self._count = len(accelerations)

    def plan(
        self,
        positions: np.ndarray,
        velocities: np.ndarray,
        accelerations: np.ndarray,
        next_accelerations: np.ndarray,
        jacobian: np.ndarray,
        period: float,
    ) -> JerkTrajectory | None:
        """From a state to other accelerations within one period, then to rest.

        Args:
            positions: ``(n,)`` at time 0 [rad].
            velocities: ``(n,)`` at time 0 [rad/s].
            accelerations: ``(n,)`` at time 0 [rad/s^2].
            next_accelerations: ``(n,)`` at time ``period``.
            jacobian: ``(6, n)`` of the gripper, to keep its acceleration in mind.
            period: [s].

        Returns:
            up to seven points; None where no braking keeps accelerations and jerks.
        """
        reached = velocities + 0.5 * period * (accelerations + next_accelerations)
        rhythm = self._rhythm(reached, next_accelerations, jacobian)
        if rhythm is None:
            return None
        (rise, plateau, fall), peaks = rhythm
        steps = np.array([period, rise, *(plateau * _PLATEAU_PARTS), fall])
        reached_accelerations = np.array([next_accelerations, *[peaks] * (1 + len(_PLATEAU_PARTS)), 0.0 * peaks])
        kept = steps > _SAME_INSTANT
        return joined(positions, velocities, accelerations, steps[kept], reached_accelerations[kept])

    def _rhythm(
        self, velocities: np.ndarray, accelerations: np.ndarray, jacobian: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Durations ``(3,)`` of the phases [s], and the accelerations ``(n,)`` of the plateau; None if none fits."""
        if not (np.abs(velocities).max() > 1e-12 or np.abs(accelerations).max() > 1e-9):
            return np.zeros(3), np.zeros(self._count)
        stops = self._stops(velocities, accelerations, jacobian)  # (n + 3, 3)
        slowest = stops[int(np.argmax(stops.sum(axis=1)))]
        durations = slowest * _STRETCHES  # (S, 3)
        durations[:, ::2] = np.maximum(durations[:, ::2], self._ramps)
        rise, fall, total = durations[:, :1], durations[:, 2:], durations.sum(axis=1, keepdims=True)
        # Change of acceleration in the first ramp, such that both velocity and acceleration are gone at the end.
        change = -(velocities + accelerations * (total - 0.5 * fall)) / (total - 0.5 * (rise + fall))  # (S, n)
        peaks = accelerations + change
        sizes = np.abs(peaks)
        fits = np.abs(change) <= self._joint_jerks * rise + _ROUNDING
        fits &= sizes <= self._joint_jerks * fall + _ROUNDING
        fits &= sizes <= self._joint_accelerations
        squares = (peaks @ jacobian.T) ** 2  # (S, 6)
        allowed = fits.all(axis=1) & (squares[:, :3].sum(axis=1) <= self._squared[0])
        allowed &= squares[:, 3:].sum(axis=1) <= self._squared[1]
        quickest = int(np.where(allowed, total[:, 0], np.inf).argmin())
        return (durations[quickest], peaks[quickest]) if allowed[quickest] else None

    def _stops(self, velocities: np.ndarray, accelerations: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
        """Phases of the shortest stops ``(n + 3, 3)``.

        Of every joint, of the gripper's translation and rotation, each by itself, and of all joints along the line of
        their velocities.
        """
        count = self._count
        speed, gain = np.empty(count + 3), np.empty(count + 3)
        highest, jerks = np.empty(count + 3), np.empty(count + 3)
        speed[:count], gain[:count] = velocities, accelerations
        highest[:-1], jerks[:-1] = self._accelerations, self._jerks
        moving, gaining = jacobian @ velocities, jacobian @ accelerations
        for index, part in enumerate((slice(0, 3), slice(3, 6))):
            size = length(moving[part])
            speed[count + index] = size
            gain[count + index] = float(moving[part] @ gaining[part]) / size if size > 1e-9 else 0.0
        speeds = np.maximum(np.abs(velocities), 1e-9)
        squared = float(velocities @ velocities)
        speed[-1], gain[-1] = 1.0, float(accelerations @ velocities) / max(squared, 1e-18)
        highest[-1] = float((self._accelerations[:count] / speeds).min())
        jerks[-1] = float((self._jerks[:count] / speeds).min())
        if squared < 1e-12 or abs(gain[-1]) > highest[-1]:
            speed[-1] = gain[-1] = 0.0  # there is no such line
        return shortest_stops(speed, gain, highest, jerks)


def joined(
    positions: np.ndarray,
    velocities: np.ndarray,
    accelerations: np.ndarray,
    steps: np.ndarray,
    reached: np.ndarray,
) -> JerkTrajectory:
    """Segments of constant jerk, ``(S,)`` so long and reaching accelerations ``(S, n)``; the last point is at rest."""
    points, joints = len(steps) + 1, len(positions)
    times, table = np.zeros(points), np.empty((3, points, joints))
    np.cumsum(steps, out=times[1:])
    spans = steps[:, None]
    table[:, 0] = positions, velocities, accelerations
    table[2, 1:] = reached
    before = table[2, :-1]
    table[1, 1:] = (0.5 * spans) * (before + reached)
    np.cumsum(table[1], axis=0, out=table[1])
    table[0, 1:] = spans * (table[1, :-1] + (spans / 6.0) * (2.0 * before + reached))
    np.cumsum(table[0], axis=0, out=table[0])
    table[1:, -1] = 0.0
    return JerkTrajectory(times, *table)


def hold(joint_names: tuple[str, ...], positions: np.ndarray, period: float) -> JointTrajectory:
    """At rest at these positions ``(n,)`` [rad or m]."""
    still = np.zeros_like(positions)
    return JointTrajectory(
        joint_names, np.array([0.0, period]), np.array([positions, positions]), np.array([still, still])
    )


def rest_of(trajectory: JointTrajectory, elapsed: float, period: float) -> JointTrajectory:
    """What is left of a trajectory that ends at rest, from its state after some time.

    Args:
        trajectory: ends at rest.
        elapsed: time since its start [s].
        period: length of the trajectory that holds the end where nothing else is left [s].
    """
    if elapsed <= 0.0:
        return trajectory
    left = trajectory.times - elapsed
    later = left > _SAME_INSTANT
    if not later.any():
        return hold(trajectory.joint_names, trajectory.positions[-1], period)
    positions, velocities = trajectory.sample(elapsed)
    return JointTrajectory(
        trajectory.joint_names,
        np.concatenate(([0.0], left[later])),
        np.concatenate((positions[None], trajectory.positions[later])),
        np.concatenate((velocities[None], trajectory.velocities[later])),
    )
