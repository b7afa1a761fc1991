# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One joint state of arm and gripper, where their drivers publish apart on one topic."""

from dataclasses import replace

import numpy as np

from instructvla_ros.robot.joint_state import JointState

LONGEST_APART = 0.5
"""How much older than the arm's the gripper's position may be [s]; beyond it the gripper is missing."""


class JointStateMerger:
    """Adds the gripper's joint from its own messages to the arm's.

    Args:
        joints: names of the arm's joints; the arm's driver publishes them together.
        gripper_joint: name of the gripper's joint.
    """

    def __init__(self, joints: tuple[str, ...], gripper_joint: str) -> None:
        self._joints = set(joints)
        self._gripper_joint = gripper_joint
        self._gripper: tuple[float, float] | None = None  # stamp [s], position

    def merge(self, state: JointState) -> JointState | None:
        """Takes in a message.

        Args:
            state: as it came.

        Returns:
            the arm's joint state, with the gripper's position where a fresh one is known; None where the message has
            none of the arm's joints.
        """
        if self._gripper_joint in state.names:
            index = state.names.index(self._gripper_joint)
            if index < len(state.positions):
                self._gripper = (state.stamp, float(state.positions[index]))
        if not self._joints & set(state.names):
            return None
        gripper = self._gripper
        if self._gripper_joint in state.names or gripper is None or abs(state.stamp - gripper[0]) > LONGEST_APART:
            return state
        if len(state.positions) != len(state.names):
            return state  # whoever selects from it says so
        velocities = state.velocities
        return replace(
            state,
            names=(*state.names, self._gripper_joint),
            positions=np.append(state.positions, gripper[1]),
            velocities=None if velocities is None else np.append(velocities, 0.0),
        )
