# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Proprioception: the eight numbers that tell a model where the gripper is, in the convention of its dataset.

All functions take the pose of the gripper in the robot's base frame as a homogeneous transform ``(4, 4)`` [m] and the
gripper opening, 0 closed to 1 open. The numbers are raw: the model normalises them with its dataset's statistics.
"""

from collections.abc import Callable
from types import MappingProxyType

import numpy as np
from scipy.spatial.transform import Rotation

# Orientation of a gripper that points straight down, fingers along x: what Bridge calls no rotation.
TOP_DOWN = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])

# Travel of one finger of the Panda hand that LIBERO uses [m] (Franka Emika hand, 80 mm between the fingers).
_PANDA_FINGER_TRAVEL = 0.04

# Below this cosine of the pitch, roll and yaw turn about the same axis.
_GIMBAL_LOCK = 1e-9


def bridge_proprioception(pose: np.ndarray, opening: float) -> np.ndarray:
    """Bridge (WidowX): x, y, z, roll, pitch, yaw relative to pointing straight down, 0, opening.

    Args:
        pose: ``(4, 4)`` gripper in the base frame.
        opening: gripper opening, 0 closed to 1 open.

    Returns:
        ``(8,)`` float64, [m] and [rad]; roll, pitch, yaw about the fixed axes x, y, z.
    """
    rotation = pose[:3, :3] @ TOP_DOWN.T
    return np.array([*pose[:3, 3], *roll_pitch_yaw(rotation), 0.0, opening])


def fractal_proprioception(pose: np.ndarray, opening: float) -> np.ndarray:
    """Fractal (Google robot): x, y, z, quaternion x, y, z, w, gripper closedness.

    A quaternion and its negative are the same rotation. The one with w >= 0 is given.

    Args:
        pose: ``(4, 4)`` gripper in the base frame.
        opening: gripper opening, 0 closed to 1 open.

    Returns:
        ``(8,)`` float64, [m]; closedness 0 open to 1 closed.
    """
    quaternion = Rotation.from_matrix(pose[:3, :3]).as_quat(canonical=True)
    return np.array([*pose[:3, 3], *quaternion, 1.0 - opening])


def libero_proprioception(pose: np.ndarray, opening: float) -> np.ndarray:
    """LIBERO (Panda in robosuite): x, y, z, rotation vector, positions of the two fingers.

    The fingers move in opposite directions from 0, as robosuite reports the joints of the Panda hand; a gripper of
    another size is given as the Panda hand that is open to the same share.

    Args:
        pose: ``(4, 4)`` gripper in the base frame.
        opening: gripper opening, 0 closed to 1 open.

    Returns:
        ``(8,)`` float64, [m] and [rad].
    """
    finger = opening * _PANDA_FINGER_TRAVEL
    return np.array([*pose[:3, 3], *Rotation.from_matrix(pose[:3, :3]).as_rotvec(), finger, -finger])


PROPRIOCEPTION: MappingProxyType[str, Callable[[np.ndarray, float], np.ndarray]] = MappingProxyType(
    {"bridge": bridge_proprioception, "fractal": fractal_proprioception, "libero": libero_proprioception}
)
"""The conventions by the name that a robot's profile uses."""


def roll_pitch_yaw(rotation: np.ndarray) -> tuple[float, float, float]:
    """Roll, pitch and yaw about the fixed axes x, y, z [rad] of a rotation matrix ``(3, 3)``.

    With the pitch at +-90 degrees roll and yaw cannot be told apart; yaw is 0 then.
    """
    cosine_pitch = np.hypot(rotation[0, 0], rotation[1, 0])
    pitch = np.arctan2(-rotation[2, 0], cosine_pitch)
    if cosine_pitch > _GIMBAL_LOCK:
        roll = np.arctan2(rotation[2, 1], rotation[2, 2])
        yaw = np.arctan2(rotation[1, 0], rotation[0, 0])
    else:
        roll = np.arctan2(-rotation[1, 2], rotation[1, 1])
        yaw = 0.0
    return float(roll), float(pitch), float(yaw)
