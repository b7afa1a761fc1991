# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Setpoints of the end effector for drivers that solve for the joints themselves: a pose, or a twist."""

import numpy as np

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.robot.poses import rotation_to_vector
from instructvla_ros.robot.trajectory import JointTrajectory


def next_pose(chain: KinematicChain, trajectory: JointTrajectory, period: float) -> np.ndarray:
    """Pose ``(4, 4)`` [m] of the chain's tip in the base frame when the next setpoint comes.

    Args:
        chain: the arm, to the link that the driver moves.
        trajectory: from now.
        period: time to the next setpoint [s].
    """
    return chain.forward(trajectory.sample(period)[0])


def twist_of(chain: KinematicChain, positions: np.ndarray, velocities: np.ndarray) -> np.ndarray:
    """Twist ``(6,)`` of the chain's tip in base-frame axes: translation [m/s], then rotation [rad/s].

    Args:
        chain: the arm, to the link that the driver moves.
        positions: ``(n,)`` of the joints [rad or m].
        velocities: ``(n,)`` of the joints [rad/s or m/s].
    """
    return chain.jacobian(positions) @ velocities


def quaternion_of(rotation: np.ndarray) -> np.ndarray:
    """Unit quaternion ``(4,)``, x, y, z, w, of a rotation matrix ``(3, 3)``; w is not negative."""
    vector = rotation_to_vector(rotation)
    angle = float(np.linalg.norm(vector))
    half = 0.5 * angle
    factor = 0.5 if angle < 1e-9 else np.sin(half) / angle
    return np.array([*(factor * vector), np.cos(half)])


def rotation_of(quaternion: np.ndarray) -> np.ndarray:
    """Rotation matrix ``(3, 3)`` of a quaternion ``(4,)``, x, y, z, w.

    Raises:
        ValueError: it is not finite, or its length is not 1 to within a hundredth.
    """
    size = float(np.linalg.norm(quaternion))
    if not abs(size - 1.0) < 0.01:
        raise ValueError(f"quaternion {np.asarray(quaternion).tolist()} has length {size:g}, expected 1")
    x, y, z, w = np.asarray(quaternion, dtype=np.float64) / size
    return np.array(
        [
            [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - z * w), 2.0 * (x * z + y * w)],
            [2.0 * (x * y + z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - x * w)],
            [2.0 * (x * z - y * w), 2.0 * (y * z + x * w), 1.0 - 2.0 * (x * x + y * y)],
        ]
    )
