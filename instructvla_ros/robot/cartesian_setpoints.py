# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Setpoints of the end effector for drivers that solve for the joints themselves: a pose, or a twist."""

import numpy as np

from instructvla_ros.robot.kinematics import KinematicChain
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
