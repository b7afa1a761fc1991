# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""sim_arm_node: a simulated arm on a table, with the topics of a real one.

In: ``joint_trajectory``, ``gripper_command``; service ``~/reset_scene``. Out: ``image``, ``wrist_image``,
``joint_states``, ``robot_description``; of each camera ``camera_info`` and ``camera_pose``; ``~/truth`` for judges.

Like a driver it executes what it is sent; keeping it safe is the safety filter's business.
"""

from __future__ import annotations

import sys
import time

from builtin_interfaces.msg import Time
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image, MultiDOFJointState
from sensor_msgs.msg import JointState as JointStateMessage
from std_msgs.msg import Float64MultiArray, Header, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMessage

from instructvla_ros.declaring import declare
from instructvla_ros.nodes import messages, qos
from instructvla_ros.nodes.image_decoding import to_message
from instructvla_ros.nodes.running import RunnableNode, run_node
from instructvla_ros.nodes.sim_calibration import SimCalibration
from instructvla_ros.nodes.table_truth import truth_to_message
from instructvla_ros.parameters import SIM_ARM_NODE
from instructvla_ros.sim.arm_model import urdf
from instructvla_ros.sim.realtime import SimulatedArm
from instructvla_ros.sim.table_top import TableTop
from instructvla_ros.sim.task_sampling import numbered_scene
from instructvla_ros.timing import FixedRateThread


class SimArmNode(RunnableNode):
    """Publishes what the simulated arm and its cameras measure, and passes commands on to it."""

    def __init__(self) -> None:
        """Build the scene and start physics, joint states and cameras, each in a thread of its own."""
        super().__init__("sim_arm_node")
        parameters = declare(self, SIM_ARM_NODE)
        self._size = (parameters.image_width, parameters.image_height)
        self._scene = parameters.scene
        self._arm = SimulatedArm(TableTop(0, (), smooth_edges=False))

        self._description = self.create_publisher(String, "robot_description", qos.LATCHED)
        self._description.publish(String(data=urdf()))
        self._joint_states = self.create_publisher(JointStateMessage, "joint_states", qos.SENSOR)
        self._truth = self.create_publisher(MultiDOFJointState, "~/truth", qos.SENSOR)
        self._cameras = {"front": self.create_publisher(Image, "image", qos.SENSOR)}
        self._calibrations = {"front": SimCalibration(self, "front", "", *self._size)}
        if parameters.wrist_camera:
            self._cameras["wrist"] = self.create_publisher(Image, "wrist_image", qos.SENSOR)
            self._calibrations["wrist"] = SimCalibration(self, "wrist", "wrist_", *self._size)
        self._lay()
        self.create_subscription(JointTrajectoryMessage, "joint_trajectory", self._on_trajectory, qos.COMMAND)
        self.create_subscription(Float64MultiArray, "gripper_command", self._on_gripper, qos.COMMAND)

        self.create_service(Trigger, "~/reset_scene", self._on_reset_scene)
        self.add_post_set_parameters_callback(self._on_parameters)

        self._threads = [
            FixedRateThread(
                "joint_states", 1.0 / parameters.joint_state_rate, self._publish_joint_states, on_error=self._on_error
            ),
            FixedRateThread("truth", 1.0 / parameters.truth_rate, self._publish_truth, on_error=self._on_error),
            FixedRateThread("cameras", 1.0 / parameters.image_rate, self._publish_images, on_error=self._on_error),
        ]
        self._arm.start()
        for thread in self._threads:
            thread.start()
        self.get_logger().info(f"simulated arm ready: {self._on_the_table()} on the table")

    def stop_working(self) -> None:
        """Stop the threads before their publishers go."""
        for thread in self._threads:
            thread.stop()
        self._arm.stop()

    def _ros_time(self, stamp: float) -> Time:
        """An instant of the arm's monotonic clock as ROS time."""
        now = messages.ros_now(self)
        return messages.time_message(now - (time.monotonic() - stamp))

    def _publish_joint_states(self) -> None:
        state = self._arm.joint_state()
        self._joint_states.publish(
            JointStateMessage(
                header=Header(stamp=self._ros_time(state.stamp), frame_id="base_link"),
                name=list(state.names),
                position=state.positions.tolist(),
                velocity=[] if state.velocities is None else state.velocities.tolist(),
            )
        )

    def _publish_truth(self) -> None:
        if self._truth.get_subscription_count():
            truth = self._arm.truth()
            self._truth.publish(truth_to_message(truth, self._ros_time(truth.stamp)))

    def _publish_images(self) -> None:
        for camera, publisher in self._cameras.items():
            if not publisher.get_subscription_count():
                continue  # on a CPU drawing costs more than all else here
            frame = self._arm.frame(camera, *self._size, shadows=False)
            message = to_message(frame.image)
            calibration = self._calibrations[camera]
            message.header = Header(stamp=self._ros_time(frame.stamp), frame_id=calibration.frame)
            publisher.publish(message)
            calibration.tell(message.header.stamp)

    def _on_trajectory(self, message: JointTrajectoryMessage) -> None:
        try:
            self._arm.command(messages.trajectory_from_message(message))
        except ValueError as error:
            self.get_logger().error(f"joint_trajectory refused: {error}", throttle_duration_sec=1.0)

    def _on_gripper(self, message: Float64MultiArray) -> None:
        if len(message.data) != 1:
            self.get_logger().error(
                f"gripper_command refused: {len(message.data)} numbers, expected the finger position [m] alone",
                throttle_duration_sec=1.0,
            )
            return
        try:
            self._arm.command_gripper(message.data[0])
        except ValueError as error:
            self.get_logger().error(f"gripper_command refused: {error}", throttle_duration_sec=1.0)

    def _on_parameters(self, parameters: list[Parameter]) -> None:
        for parameter in parameters:
            if parameter.name == "scene":
                self._scene = int(parameter.value)

    def _on_reset_scene(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._lay()
        response.success = True
        response.message = f"scene {self._scene}: {self._on_the_table()}"
        self.get_logger().info(response.message)
        return response

    def _lay(self) -> None:
        scene = numbered_scene(self._scene)
        self._arm.lay(scene)
        for calibration in self._calibrations.values():
            calibration.place(scene.looks)

    def _on_the_table(self) -> str:
        return ", ".join(thing.name for thing in self._arm.table_top.objects)

    def _on_error(self, error: Exception) -> None:
        self.get_logger().error(f"simulated arm: {error}", throttle_duration_sec=5.0)


def main() -> int:
    """Run the node until it is told to stop."""
    return run_node(SimArmNode)


if __name__ == "__main__":
    sys.exit(main())
