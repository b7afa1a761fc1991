# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What may differ between two pictures of the same table: light, colours of the surroundings, where the cameras sit."""

from dataclasses import dataclass, field
from types import MappingProxyType

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from instructvla_ros.robot.poses import pose
from instructvla_ros.sim.arm_numbers import CAMERAS, camera_mount

Rgb = tuple[float, float, float]
Vector = tuple[float, float, float]


@dataclass(frozen=True)
class CameraShift:
    """How far a camera sits from where it was mounted.

    Attributes:
        translation: in the frame of the link that carries it [m].
        rotation: rotation vector about that frame's axes [rad].
        field_of_view: added to the vertical field of view [rad].
    """

    translation: Vector = (0.0, 0.0, 0.0)
    rotation: Vector = (0.0, 0.0, 0.0)
    field_of_view: float = 0.0


@dataclass(frozen=True)
class SceneLooks:
    """Light, colours of the surroundings and camera shifts.

    Attributes:
        table: factors on red, green and blue of the wood.
        floor: colour of the floor, 0 to 1.
        ambient: light that comes from everywhere, 0 to 1.
        lamp: strength of the light that casts shadows, 0 to 1.
        lamp_direction: where that light shines to, in base_link.
        fill: strength of the light from the side, 0 to 1.
        cameras: shift of each camera that is not where it was mounted, by its name.
    """

    table: Rgb = (1.0, 1.0, 1.0)
    floor: Rgb = (0.60, 0.63, 0.66)
    ambient: Rgb = (0.43, 0.43, 0.45)
    lamp: Rgb = (0.46, 0.45, 0.43)
    lamp_direction: Vector = (-0.36, -0.40, -1.0)
    fill: Rgb = (0.10, 0.11, 0.12)
    cameras: MappingProxyType[str, CameraShift] = field(default_factory=lambda: MappingProxyType({}))

    def apply(self, model: mujoco.MjModel) -> None:
        """Changes a freshly compiled scene accordingly.

        Args:
            model: has the materials ``wood`` and ``floor``, the lights ``lamp`` and ``fill``, and the arm's cameras.
        """
        model.mat_rgba[model.material("wood").id, :3] = self.table
        model.mat_rgba[model.material("floor").id, :3] = self.floor
        model.vis.headlight.ambient[:] = self.ambient
        lamp, fill = model.light("lamp").id, model.light("fill").id
        model.light_diffuse[lamp] = self.lamp
        model.light_dir[lamp] = np.array(self.lamp_direction) / np.linalg.norm(self.lamp_direction)
        model.light_diffuse[fill] = self.fill
        for mount in CAMERAS:
            if mount.name not in self.cameras:
                continue
            camera = model.camera(mount.name).id
            placed = self.camera_pose(mount.name)
            # The optical frame's x and -y are MuJoCo's x and y.
            x, y, z, w = Rotation.from_matrix(placed[:3, :3] @ np.diag([1.0, -1.0, -1.0])).as_quat()
            model.cam_pos[camera] = placed[:3, 3]
            model.cam_quat[camera] = [w, x, y, z]
            model.cam_fovy[camera] = np.degrees(self.field_of_view(mount.name))

    def camera_pose(self, name: str) -> np.ndarray:
        """Where a camera sits, its shift included.

        Args:
            name: ``front`` or ``wrist``.

        Returns:
            ``(4, 4)`` pose of its optical frame in the link that carries it [m].

        Raises:
            ValueError: there is no such camera.
        """
        mount, shift = camera_mount(name), self.cameras.get(name, CameraShift())
        position = np.array(mount.position) + shift.translation
        return pose(position, Rotation.from_rotvec(shift.rotation).as_matrix() @ mount.rotation)

    def field_of_view(self, name: str) -> float:
        """Vertical field of view of a camera, its shift included [rad].

        Raises:
            ValueError: there is no such camera.
        """
        return camera_mount(name).vertical_field_of_view + self.cameras.get(name, CameraShift()).field_of_view


STANDARD_LOOKS = SceneLooks()
"""The table as the demonstration shows it."""
