# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The measured pose of a link by tf2, for profiles that say ``end_effector_pose: {from: tf, frame}``."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Point, Pose
from rclpy.node import Node
from rclpy.time import Time

from instructvla_ros.nodes import messages


class TfPose:
    """Listens to ``/tf`` and ``/tf_static``.

    Args:
        node: whose executor hears them.
        base_frame: in which poses are told.
        frame: whose poses they are.

    Raises:
        ImportError: tf2_ros is not installed; it comes with a ROS distribution, not with the Python wheels.
    """

    def __init__(self, node: Node, base_frame: str, frame: str) -> None:
        try:
            import tf2_ros
        except ImportError as error:
            raise ImportError(
                f"the profile takes the pose of {frame} from tf (end_effector_pose), but tf2_ros is missing: "
                "`apt install ros-$ROS_DISTRO-tf2-ros-py`, or take the pose from kinematics or from a topic"
            ) from error
        self._no_transform: type[Exception] = tf2_ros.TransformException
        self._base, self._frame = base_frame, frame
        self._buffer = tf2_ros.Buffer(node=node)
        self._listener = tf2_ros.TransformListener(self._buffer, node)

    def newest(self) -> tuple[float, np.ndarray] | None:
        """Stamp [s] and ``(4, 4)`` pose in the base frame [m]; None while the two frames are not connected.

        Raises:
            ValueError: a number in it is not finite, or its quaternion is none.
        """
        try:
            found = self._buffer.lookup_transform(self._base, self._frame, Time())
        except self._no_transform:
            return None
        at, turn = found.transform.translation, found.transform.rotation
        pose = Pose(position=Point(x=at.x, y=at.y, z=at.z), orientation=turn)
        return messages.seconds(found.header.stamp), messages.pose_matrix(pose)
