# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Trajectories that end at rest, and what is left of one after a while.

Velocities change at constant acceleration between points. A cubic polynomial through the positions and velocities of
two such points is the very parabola that constant acceleration makes, so an arm driver that interpolates with cubics
executes exactly what was planned here.
"""

import numpy as np

from instructvla_ros.robot.trajectory import JointTrajectory

# Braking takes at least this long, however slow the arm is.
_SHORTEST_SEGMENT = 1e-3  # [s]
# Points nearer than this are one instant: drivers count nanoseconds.
_SAME_INSTANT = 1e-6  # [s]


def move_and_brake(
    joint_names: tuple[str, ...],
    positions: np.ndarray,
    velocities: np.ndarray,
    next_velocities: np.ndarray,
    accelerations: np.ndarray,
    period: float,
) -> JointTrajectory:
    """From a state to other velocities within one period, then to rest.

    All joints brake together, straight in joint space, in ``max |velocity| / acceleration``: the shortest time in which
    that is possible.

    Args:
        joint_names: the joints.
        positions: ``(n,)`` at time 0 [rad or m].
        velocities: ``(n,)`` at time 0 [rad/s or m/s].
        next_velocities: ``(n,)`` at time ``period``.
        accelerations: ``(n,)`` highest decelerations [rad/s^2 or m/s^2].
        period: [s].

    Returns:
        two points, or three where the next velocities are not zero.
    """
    reached = positions + 0.5 * period * (velocities + next_velocities)
    braking_time = float(np.max(np.abs(next_velocities) / accelerations))
    if braking_time == 0.0:
        return JointTrajectory(
            joint_names,
            np.array([0.0, period]),
            np.array([positions, reached]),
            np.array([velocities, np.zeros_like(velocities)]),
        )
    braking_time = max(braking_time, _SHORTEST_SEGMENT)
    return JointTrajectory(
        joint_names,
        np.array([0.0, period, period + braking_time]),
        np.array([positions, reached, reached + 0.5 * braking_time * next_velocities]),
        np.array([velocities, next_velocities, np.zeros_like(velocities)]),
    )


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
