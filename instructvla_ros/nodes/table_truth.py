# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where everything on the simulated table is, as a message: bodies with poses, and the fingers' force on each."""

from __future__ import annotations

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Transform, Wrench
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import MultiDOFJointState
from std_msgs.msg import Header

from instructvla_ros.nodes.messages import quaternion, seconds, vector
from instructvla_ros.robot.poses import pose
from instructvla_ros.sim.arm_model import BASE_LINK, TIP_LINK
from instructvla_ros.sim.realtime import TableTruth
from instructvla_ros.sim.tasks import TableState


def truth_to_message(truth: TableTruth, stamp: Time) -> MultiDOFJointState:
    """The truth on the wire: first the gripper, then each object, with the force of the fingers on it."""
    names = [TIP_LINK, *truth.objects]
    poses = [truth.gripper, *truth.objects.values()]
    still = np.zeros(3)
    return MultiDOFJointState(
        header=Header(stamp=stamp, frame_id=BASE_LINK),
        joint_names=names,
        transforms=[
            Transform(translation=vector(each[:3, 3]), rotation=quaternion(each[:3, :3]))
            for each in poses
        ],
        wrench=[Wrench(force=vector(truth.forces.get(name, still))) for name in names],
    )


def state_from_message(message: MultiDOFJointState, opening: float) -> TableState:
    """The truth as the judge of tasks takes it.

    Args:
        message: of ``~/truth``.
        opening: of the gripper, as measured, 0 closed to 1 open.

    Raises:
        ValueError: the gripper is not in it, or numbers are missing or not finite.
    """
    names = list(message.joint_names)
    if TIP_LINK not in names or not len(names) == len(message.transforms) == len(message.wrench):
        bodies = ", ".join(names) or "no bodies"
        raise ValueError(f"needs {TIP_LINK}, and a transform and a wrench for each of {bodies}")
    poses = {}
    for name, transform in zip(names, message.transforms, strict=True):
        place, turn = transform.translation, transform.rotation
        numbers = np.array([place.x, place.y, place.z, turn.x, turn.y, turn.z, turn.w])
        if not np.isfinite(numbers).all():
            raise ValueError(f"the pose of {name} is not finite: {numbers}")
        poses[name] = pose(numbers[:3], Rotation.from_quat(numbers[3:]).as_matrix())
    forces = {name: wrench.force for name, wrench in zip(names, message.wrench, strict=True)}
    touched = frozenset(name for name, force in forces.items() if force.x or force.y or force.z)
    gripper = poses.pop(TIP_LINK)
    return TableState(seconds(message.header.stamp), gripper, opening, poses, touched)
