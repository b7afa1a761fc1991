# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rotations and homogeneous poses as plain 3x3 and 4x4 matrices, quick enough for a control loop.

scipy's ``Rotation`` computes the same, and the tests hold these functions against it; it costs tens of microseconds
an object, which a 100 Hz safety step with several kinematic evaluations has no room for.
"""

from math import atan2, cos, pi, sin, sqrt

import numpy as np

# Below this angle the first terms of the power series are exact to double precision.
_SMALL_ANGLE = 1e-8  # [rad]
# Nearer to a half turn than this, the skew part of the matrix is too small to tell the axis well.
_NEAR_HALF_TURN = 1e-4  # [rad]


def rotation_from_rpy(roll: float, pitch: float, yaw: float) -> np.ndarray:
    """Rotation about the fixed axes x, then y, then z, as URDF's ``rpy`` means it.

    Args:
        roll: angle about x [rad].
        pitch: angle about y [rad].
        yaw: angle about z [rad].

    Returns:
        ``(3, 3)`` rotation matrix.
    """
    cr, sr, cp, sp, cy, sy = cos(roll), sin(roll), cos(pitch), sin(pitch), cos(yaw), sin(yaw)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def rotation_from_vector(vector: np.ndarray) -> np.ndarray:
    """Exponential map: rotation vector to matrix (Rodrigues' formula).

    Args:
        vector: ``(3,)`` axis times angle [rad].

    Returns:
        ``(3, 3)`` rotation matrix.
    """
    x, y, z = float(vector[0]), float(vector[1]), float(vector[2])
    angle = sqrt(x * x + y * y + z * z)
    if angle < _SMALL_ANGLE:
        a, b = 1.0, 0.5
    else:
        a, b = sin(angle) / angle, (1.0 - cos(angle)) / (angle * angle)
    diagonal = 1.0 - b * angle * angle
    return np.array(
        [
            [diagonal + b * x * x, b * x * y - a * z, b * x * z + a * y],
            [b * x * y + a * z, diagonal + b * y * y, b * y * z - a * x],
            [b * x * z - a * y, b * y * z + a * x, diagonal + b * z * z],
        ]
    )


def rotation_to_vector(rotation: np.ndarray) -> np.ndarray:
    """Logarithm map: matrix to the shortest rotation vector, angle 0 to pi.

    Args:
        rotation: ``(3, 3)`` rotation matrix.

    Returns:
        ``(3,)`` axis times angle [rad]. At a half turn either sign of the axis is right; one of them is returned.
    """
    r = rotation.tolist()
    x, y, z = r[2][1] - r[1][2], r[0][2] - r[2][0], r[1][0] - r[0][1]
    doubled_sine = sqrt(x * x + y * y + z * z)
    angle = atan2(doubled_sine, r[0][0] + r[1][1] + r[2][2] - 1.0)
    if angle < _SMALL_ANGLE:
        return np.array([0.5 * x, 0.5 * y, 0.5 * z])
    if pi - angle > _NEAR_HALF_TURN:
        factor = angle / doubled_sine
        return np.array([factor * x, factor * y, factor * z])
    # R + R^T = 2 cos(angle) I + 2 (1 - cos(angle)) axis axis^T: the axis is the longest column of what is left.
    symmetric = 0.5 * (rotation + rotation.T) - cos(angle) * np.eye(3)
    axis = symmetric[:, int(np.argmax(np.diag(symmetric)))]
    axis = axis / np.linalg.norm(axis)
    sign = -1.0 if float(axis @ np.array([x, y, z])) < 0.0 else 1.0
    return sign * angle * axis


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


def length(vector: np.ndarray) -> float:
    """Euclidean length of a short vector ``(k,)``; several times quicker than numpy's norm."""
    return sqrt(float(np.dot(vector, vector)))


def pose(position: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Homogeneous matrix from its parts.

    Args:
        position: ``(3,)`` [m].
        rotation: ``(3, 3)`` rotation matrix.

    Returns:
        ``(4, 4)`` pose.
    """
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = position
    return matrix


def pose_error(target: np.ndarray, current: np.ndarray) -> np.ndarray:
    """Displacement that takes one pose to another, in base-frame axes.

    Args:
        target: ``(4, 4)`` pose to reach.
        current: ``(4, 4)`` pose to start from.

    Returns:
        ``(6,)``: translation [m], then rotation vector about base-frame axes [rad], so that
        ``target position = current position + translation`` and ``target rotation = exp(rotation) current rotation``.
    """
    error = np.empty(6)
    error[:3] = target[:3, 3] - current[:3, 3]
    error[3:] = rotation_to_vector(target[:3, :3] @ current[:3, :3].T)
    return error
