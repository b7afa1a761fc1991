# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is known of a simulated camera: its lens beside each picture, and where it sits whenever a scene is laid."""

from __future__ import annotations

from dataclasses import replace

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose, PoseStamped
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from instructvla_ros.nodes import qos
from instructvla_ros.nodes.messages import quaternion
from instructvla_ros.sim.arm_numbers import camera_mount
from instructvla_ros.sim.looks import SceneLooks


class SimCalibration:
    """Publishes ``camera_info`` and ``camera_pose`` of one camera.

    In each scene the cameras sit a little otherwise, as if put back on their marks by hand. The robot description has
    where the marks are; the pose on the topic is where the camera is.

    Attributes:
        frame: name of the optical frame.

    Args:
        node: who publishes.
        camera: ``front`` or ``wrist``.
        prefix: before the names of the topics.
        width: of the pictures [px].
        height: of the pictures [px].
    """

    def __init__(self, node: Node, camera: str, prefix: str, width: int, height: int) -> None:
        self._mount, self._size = camera_mount(camera), (width, height)
        self.frame = self._mount.optical_frame
        self._info = CameraInfo()
        self._infos = node.create_publisher(CameraInfo, f"{prefix}camera_info", qos.SENSOR)
        self._poses = node.create_publisher(PoseStamped, f"{prefix}camera_pose", qos.LATCHED)

    def place(self, looks: SceneLooks) -> None:
        """A scene was laid."""
        name = self._mount.name
        mount = replace(self._mount, vertical_field_of_view=looks.field_of_view(name))
        width, height = self._size
        matrix = mount.intrinsics(width, height)
        projection = [*matrix[0], 0.0, *matrix[1], 0.0, *matrix[2], 0.0]
        self._info = CameraInfo(
            width=width,
            height=height,
            distortion_model="plumb_bob",
            d=[0.0] * 5,
            k=matrix.ravel().tolist(),
            r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
            p=[float(number) for number in projection],
        )
        place = looks.camera_pose(name)
        x, y, z = place[:3, 3].tolist()
        turn = quaternion(place[:3, :3])
        pose = Pose(position=Point(x=x, y=y, z=z), orientation=turn)
        self._poses.publish(PoseStamped(header=Header(frame_id=mount.parent), pose=pose))

    def tell(self, stamp: Time) -> None:
        """A picture of this stamp was published."""
        if self._infos.get_subscription_count():
            self._info.header = Header(stamp=stamp, frame_id=self.frame)
            self._infos.publish(self._info)
