# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Action units: how a dataset's action numbers become metres and rotation vectors.

An action is seven numbers: translation x, y, z, rotation about x, y, z, gripper. The gripper number is 1 for open and 0
for closed in every dataset that the model was trained on, LIBERO included: the -1 open, +1 closed of its simulator
arises from a sign flip outside the model, so there is none here. See ``gripper_rules`` for what follows.
"""

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

import numpy as np
from scipy.spatial.transform import Rotation


class RotationFormat(Enum):
    """What the three rotation numbers of an action are."""

    ROLL_PITCH_YAW = "roll_pitch_yaw"  # angles about the fixed axes x, y, z, in this order
    ROTATION_VECTOR = "rotation_vector"  # axis times angle


@dataclass(frozen=True)
class ActionUnits:
    """The units of a dataset's actions; deltas in the axes of the robot's base frame.

    Attributes:
        translation_scale: metres per unit.
        rotation_scale: radians per unit.
        rotation_format: what the rotation numbers are.
    """

    translation_scale: float
    rotation_scale: float
    rotation_format: RotationFormat

    def to_metric(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Converts translations and rotations.

        Args:
            actions: ``(H, 7)`` in the dataset's units.

        Returns:
            Translations ``(H, 3)`` [m] and rotation vectors ``(H, 3)`` [rad], float64.

        Raises:
            ValueError: if the actions have another shape.
        """
        actions = np.asarray(actions, dtype=np.float64)
        if actions.ndim != 2 or actions.shape[1] != 7:
            raise ValueError(f"actions must have the shape (H, 7), got {actions.shape}")
        translations = actions[:, :3] * self.translation_scale
        rotations = actions[:, 3:6] * self.rotation_scale
        if self.rotation_format is RotationFormat.ROLL_PITCH_YAW:
            rotations = Rotation.from_euler("xyz", rotations).as_rotvec()
        return translations, rotations


ACTION_UNITS: MappingProxyType[str, ActionUnits] = MappingProxyType(
    {
        "bridge": ActionUnits(1.0, 1.0, RotationFormat.ROLL_PITCH_YAW),
        "fractal": ActionUnits(1.0, 1.0, RotationFormat.ROLL_PITCH_YAW),
        # robosuite's operational-space controller: an input of 1 is 0.05 m or 0.5 rad
        "libero": ActionUnits(0.05, 0.5, RotationFormat.ROTATION_VECTOR),
    }
)
"""The units by the name that a robot's profile uses."""
