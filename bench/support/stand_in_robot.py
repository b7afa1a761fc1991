# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A robot that is not there: its driver's topics as a profile names them, an arm that follows, a camera.

    python -m bench.support.stand_in_robot --robot fr3

Then, in another terminal: `ros2 launch instructvla_ros bringup.launch.py robot:=fr3 arm:=true checkpoint:=...`.
It speaks what the maker's driver speaks: joint names in the driver's order, joint states at the driver's rate, and a
trajectory controller that refuses what the real one refuses (stand_in_drivers.py). The gripper is told by topics only.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from sensor_msgs.msg import JointState as JointStateMessage
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMessage

from bench.support.arm_urdfs import ARMS, chain_of, ready_of, urdf_of
from bench.support.driven_arm import JOINT_STATE_RATES
from bench.support.stand_in_drivers import CommandRefused, CommandTooLate, TrajectoryDriver
from instructvla_ros.nodes import messages, qos
from instructvla_ros.nodes.image_decoding import to_message
from instructvla_ros.nodes.running import RunnableNode, run_node
from instructvla_ros.policy.profile import RobotProfile

_CAMERA_PERIOD = 0.1  # [s]
_HIGHEST_RATE = 250.0  # more joint states a second only keep Python busy [Hz]
_COMMANDS = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)


class StandInRobot(RunnableNode):
    """Publishes and listens where the profile's driver does."""

    def __init__(self, name: str) -> None:
        super().__init__("stand_in_robot")
        profile = RobotProfile.load(name)
        interface, arm = profile.interface, ARMS[name]
        if interface.output.kind != "joint_trajectory":
            raise ValueError(f"{name} is driven by {interface.output.kind}; the stand-in takes joint_trajectory")
        chain = chain_of(name)
        self._order = list(reversed(range(len(chain.joint_names))))
        names = tuple(chain.joint_names[index] for index in self._order)
        self._driver = TrajectoryDriver(names, ready_of(name)[self._order])
        self._gripper_joint, self._gripper = arm.gripper[0], profile.gripper.open
        self._refused = self._late = 0
        latched = self.create_publisher(String, interface.robot_description.topic, qos.LATCHED)
        latched.publish(String(data=urdf_of(name)))
        self._states = self.create_publisher(JointStateMessage, interface.joint_states, qos.SENSOR)
        self.create_subscription(JointTrajectoryMessage, interface.output.topic, self._on_trajectory, _COMMANDS)
        if interface.gripper_output.kind == "trajectory":
            self.create_subscription(
                JointTrajectoryMessage, interface.gripper_output.topic, self._on_gripper, _COMMANDS
            )
        self._cameras = [self.create_publisher(Image, c.topic, qos.SENSOR) for c in interface.cameras.values()]
        self._picture = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
        self.create_timer(1.0 / min(JOINT_STATE_RATES[name], _HIGHEST_RATE), self._publish_state)
        self.create_timer(_CAMERA_PERIOD, self._publish_pictures)
        self.get_logger().info(f"stand-in of {name}: {interface.output.topic}, {interface.joint_states}")

    def stop_working(self) -> None:
        """Tell what was refused, and what of it only because it came too late."""
        if self._late:
            print(f"came too late: {self._late} commands", flush=True)
        if self._refused:
            print(f"refused {self._refused} commands", flush=True)

    def _on_trajectory(self, message: JointTrajectoryMessage) -> None:
        now, stamp = time.monotonic(), messages.seconds(message.header.stamp)
        begin = now - (messages.ros_now(self) - stamp) if stamp else None
        try:
            self._driver.command(messages.trajectory_from_message(message), now, begin)
        except CommandTooLate as error:
            self._late += 1
            self.get_logger().warning(f"too late: {error}", throttle_duration_sec=1.0)
        except (CommandRefused, ValueError) as error:
            self._refused += 1
            self.get_logger().error(f"refused: {error}", throttle_duration_sec=1.0)

    def _on_gripper(self, message: JointTrajectoryMessage) -> None:
        if list(message.joint_names) != [self._gripper_joint] or len(message.points) != 1:
            self._refused += 1
            self.get_logger().error(
                f"gripper refused: joints {list(message.joint_names)}, {len(message.points)} points"
            )
            return
        self._gripper = message.points[0].positions[0]

    def _publish_state(self) -> None:
        positions, velocities = self._driver.setpoint(time.monotonic())
        message = JointStateMessage(
            name=[self._gripper_joint, *self._driver.joint_names],
            position=[float(self._gripper), *positions.tolist()],
            velocity=[0.0, *velocities.tolist()],
        )
        message.header.stamp = self.get_clock().now().to_msg()
        self._states.publish(message)

    def _publish_pictures(self) -> None:
        message = to_message(self._picture)
        message.header.stamp = self.get_clock().now().to_msg()
        for publisher in self._cameras:
            publisher.publish(message)


def main() -> int:
    """Be the robot until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--robot", choices=sorted(ARMS), required=True)
    arguments = parser.parse_args()
    return run_node(lambda: StandInRobot(arguments.robot))


if __name__ == "__main__":
    sys.exit(main())
