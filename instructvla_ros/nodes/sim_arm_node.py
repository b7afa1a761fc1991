# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""sim_arm_node: a simulated arm on a table, with the topics of a real one.

In: ``joint_trajectory``, ``gripper_command``. Out: ``image``, ``wrist_image``, ``joint_states``, ``robot_description``.
Like a driver it executes what it is sent; keeping it safe is the safety filter's business.
"""

from __future__ import annotations

import sys
import threading
import time

from rclpy.node import Node
from sensor_msgs.msg import Image
from sensor_msgs.msg import JointState as JointStateMessage
from std_msgs.msg import Float64MultiArray, Header, String
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMessage

from instructvla_ros.nodes import messages, qos
from instructvla_ros.nodes.image_decoding import to_message
from instructvla_ros.nodes.parameters import SIM_ARM_NODE, declare
from instructvla_ros.nodes.running import run_node
from instructvla_ros.sim.arm_model import urdf
from instructvla_ros.sim.realtime import SimulatedArm
from instructvla_ros.timing import FixedRateThread
