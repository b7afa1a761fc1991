# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where points of the robot's base frame appear in a camera's picture, where its calibration is known."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.robot.poses import pose, rotation_from_rpy, rotation_of
from instructvla_ros.robot.urdf import UrdfError, path_to

NEAREST = 0.02
"""Points nearer to the lens than this are not drawn [m]."""

_DISTORTION_MODELS = ("", "plumb_bob", "rational_polynomial")  # sensor_msgs/distortion_models.hpp; those of cv2


class CalibrationError(ValueError):
    """A calibration cannot be used; says why."""


@dataclass(frozen=True, eq=False)
class Intrinsics:
    """What sensor_msgs/CameraInfo says of the lens.

    Attributes:
        width: of the calibrated picture [px].
        height: of the calibrated picture [px].
        matrix: ``(3, 3)`` K, of the raw picture [px].
        distortion: ``(n,)`` D; n is 0, 4, 5 or 8.
        frame: name of the optical frame: z into the scene, x right, y down (REP-103).
    """

    width: int
    height: int
    matrix: np.ndarray
    distortion: np.ndarray
    frame: str

    @classmethod
    def checked(
        cls, width: int, height: int, matrix: np.ndarray, distortion: np.ndarray, model: str, frame: str
    ) -> Intrinsics:
        """Intrinsics as a message gives them.

        Raises:
            CalibrationError: the camera is uncalibrated (K is zero, as drivers say it), or its model is not known here.
        """
        matrix, distortion = np.asarray(matrix, float).reshape(3, 3), np.asarray(distortion, float).ravel()
        if width < 1 or height < 1 or not np.isfinite(matrix).all() or matrix[0, 0] <= 0.0 or matrix[1, 1] <= 0.0:
            raise CalibrationError("its camera_info says that it is not calibrated")
        distorted = bool(distortion.size) and bool(np.any(distortion != 0.0))
        if not np.isfinite(distortion).all() or (distorted and model not in _DISTORTION_MODELS):
            raise CalibrationError(f"its distortion model {model!r} is not known here")
        if distorted and distortion.size not in (4, 5, 8):
            raise CalibrationError(f"its camera_info has {distortion.size} distortion coefficients, not 4, 5 or 8")
        return cls(width, height, matrix, distortion if distorted else np.zeros(0), frame)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Where points appear.

        Args:
            points: ``(n, 3)`` in the optical frame [m].

        Returns:
            ``(n, 2)`` shares of the picture's width and height, 0 to 1 within it; NaN where a point is behind the lens
            or nearer than ``NEAREST``.
        """
        points = np.asarray(points, float).reshape(-1, 3)
        seen = points[:, 2] >= NEAREST
        pixels = np.full((len(points), 2), np.nan)
        if seen.any():
            if self.distortion.size:
                import cv2

                zero = np.zeros(3)
                pixels[seen] = cv2.projectPoints(points[seen], zero, zero, self.matrix, self.distortion)[0][:, 0]
            else:
                homogeneous = points[seen] @ self.matrix.T
                pixels[seen] = homogeneous[:, :2] / homogeneous[:, 2:]
        return (pixels + 0.5) / [self.width, self.height]


@dataclass(eq=False)
class CameraPlace:
    """Where one camera is; filled as it becomes known.

    Attributes:
        intrinsics: None until camera_info has come.
        given: ``(4, 4)`` pose of the optical frame in ``given_frame``, where somebody tells it.
        given_frame: a link of the robot description.
        trouble: what is wrong with what has come; empty if nothing is.
    """

    intrinsics: Intrinsics | None = None
    given: np.ndarray | None = None
    given_frame: str = ""
    trouble: str = ""
    _mounts: dict[str, tuple[KinematicChain | None, np.ndarray] | UrdfError] = field(default_factory=dict)
    _mounts_of: str = ""

    def put_pose(self, given: np.ndarray, frame: str) -> None:
        """Somebody tells where the camera is: ``(4, 4)`` pose of its optical frame in a link [m]."""
        self.given, self.given_frame = given, frame

    def problem(self, urdf: str, base: str) -> str:
        """Why nothing can be drawn into its picture, for people; empty if it can."""
        if self.trouble:
            return self.trouble
        if self.intrinsics is None:
            return "no camera_info has come for it"
        if not urdf:
            return "no robot_description has come"
        try:
            self._mount(urdf, base)
        except UrdfError:
            if self.given is not None:
                return f"its pose is given in {self.given_frame!r}, which is no link of the robot description"
            return f"where its frame {self.intrinsics.frame!r} is, is not known: no such link in the robot description"
        return ""

    def project(self, points: np.ndarray, urdf: str, base: str, joints: dict[str, float]) -> np.ndarray:
        """Where points appear, see :meth:`Intrinsics.project`.

        Args:
            points: ``(n, 3)`` in the base frame [m].
            urdf: the robot description.
            base: name of the base frame.
            joints: measured positions by joint [rad or m].

        Raises:
            CalibrationError: :meth:`problem` says something, or a joint that carries the camera is not measured.
        """
        problem = self.problem(urdf, base)
        if problem or self.intrinsics is None:
            raise CalibrationError(problem)
        chain, mount = self._mount(urdf, base)
        if chain is not None:
            try:
                positions = np.array([joints[name] for name in chain.joint_names])
            except KeyError as error:
                raise CalibrationError(f"joint {error} carries the camera and is not measured") from None
            mount = chain.forward(positions) @ mount
        rotation, position = mount[:3, :3], mount[:3, 3]
        return self.intrinsics.project((np.asarray(points, float) - position) @ rotation)

    def _mount(self, urdf: str, base: str) -> tuple[KinematicChain | None, np.ndarray]:
        """The chain to the link that carries the camera, None where that stands still; and its pose beyond it."""
        if urdf is not self._mounts_of:
            self._mounts, self._mounts_of = {}, urdf
        assert self.intrinsics is not None
        link = self.intrinsics.frame if self.given is None else self.given_frame
        if link not in self._mounts:
            try:
                self._mounts[link] = _mount_of(urdf, base, link)
            except UrdfError as error:  # asked for at every state, and a robot description takes a while to read
                self._mounts[link] = error
        mount = self._mounts[link]
        if isinstance(mount, UrdfError):
            raise mount
        chain, fixed = mount
        return (chain, fixed) if self.given is None else (chain, fixed @ self.given)


def _mount_of(urdf: str, base: str, link: str) -> tuple[KinematicChain | None, np.ndarray]:
    joints = [] if link == base else path_to(urdf, base, link)
    if any(joint.moves for joint in joints):
        return KinematicChain(joints, base, link), np.eye(4)
    fixed = np.eye(4)
    for joint in joints:
        fixed = fixed @ joint.origin
    return None, fixed


def pose_from_text(text: str) -> np.ndarray:
    """A pose as a parameter gives it: ``x y z roll pitch yaw``, in metres and radians, about the fixed axes.

    Returns:
        ``(4, 4)`` pose.

    Raises:
        ValueError: it is not six numbers.
    """
    try:
        numbers = [float(word) for word in text.replace(",", " ").split()]
    except ValueError:
        numbers = []
    if len(numbers) != 6 or not all(math.isfinite(number) for number in numbers):
        raise ValueError(f"{text!r} is not six numbers: x y z [m] roll pitch yaw [rad]")
    return pose(np.array(numbers[:3]), rotation_from_rpy(*numbers[3:]))


def pose_from_quaternion(position: tuple[float, float, float], turn: tuple[float, float, float, float]) -> np.ndarray:
    """A pose as geometry_msgs/Pose gives it.

    Args:
        position: x, y, z [m].
        turn: x, y, z, w.

    Returns:
        ``(4, 4)`` pose.

    Raises:
        CalibrationError: a number is not finite, or the quaternion is no rotation.
    """
    try:
        rotation = rotation_of(np.array(turn))
    except ValueError as error:
        raise CalibrationError(f"its pose is not one: {error}") from error
    if not np.isfinite(position).all():
        raise CalibrationError(f"its pose is not one: position {list(position)}")
    return pose(np.array(position), rotation)
