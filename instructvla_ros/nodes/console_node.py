# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""console_node: the operator console, a page that shows what the robot sees, thinks and is about to do, with a stop.

In: the topics of policy, filter, arm and cameras. Out: ``instruction``, ``emergency_stop``; it calls the services of
filter, policy, recorder and player. What it hears is :mod:`instructvla_ros.nodes.console_eyes`, what it does
:mod:`instructvla_ros.nodes.console_hand`; page, server and access rules are :mod:`instructvla_ros.console`.
"""

from __future__ import annotations

import logging
import socket
import sys

import cv2

from instructvla_ros.console import ADDRESS_LINE
from instructvla_ros.console.access import AccessRules
from instructvla_ros.console.board import Board
from instructvla_ros.console.projection import pose_from_text
from instructvla_ros.console.reports import Camera
from instructvla_ros.declaring import ParameterError, declare
from instructvla_ros.nodes import messages
from instructvla_ros.nodes.console_eyes import ConsoleEyes
from instructvla_ros.nodes.console_hand import ConsoleHand
from instructvla_ros.nodes.inputs import Inputs
from instructvla_ros.nodes.running import RunnableNode, run_node
from instructvla_ros.parameters import CONSOLE_NODE
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.policy.profile_interface import CAMERAS, IMAGE_NAMES

LABELS = dict(zip(CAMERAS, ("Front camera", "Wrist camera"), strict=True))


class ConsoleNode(RunnableNode):
    """Serves the page in a thread of its own, beside the executor."""

    def __init__(self) -> None:
        """Read the profile, open the port, and say where the page is.

        Raises:
            ParameterError, ProfileError: a parameter or the profile is wrong.
            ImportError: aiohttp is missing.
            OSError: the port cannot be opened.
        """
        super().__init__("console_node")
        from instructvla_ros.console.server import ConsoleServer, ConsoleSettings
        from instructvla_ros.console.serving import ServerThread

        given = declare(self, CONSOLE_NODE)
        profile = RobotProfile.load(given.robot)
        cameras = [
            Camera(IMAGE_NAMES[view], LABELS[view], profile.ages.image)
            for view in CAMERAS
            if view in profile.interface.cameras
        ]
        board = Board(
            profile.name,
            profile.base_frame,
            profile.chain,
            profile.gripper,
            cameras,
            profile.ages.joint_state,
            now=lambda: messages.ros_now(self),
        )
        for camera in cameras:
            name = camera.name.replace("image", "camera_pose")
            text = getattr(given, name)
            if text:
                try:
                    board.places[camera.name].put_pose(pose_from_text(text), profile.base_frame)
                except ValueError as error:
                    raise ParameterError(f"parameter {name}: {error}") from None
        description = profile.urdf()
        if description is not None:
            board.put_description(description)
        try:
            names = [name for name in given.allowed_hosts.replace(",", " ").split() if name]
            rules = AccessRules.make(given.address, given.token, names)
        except ValueError as error:
            raise ParameterError(str(error)) from None
        hand = ConsoleHand(self, board)
        server = ConsoleServer(board, hand, rules, ConsoleSettings(given.stop_on_disconnect, given.connection_timeout))
        self._inputs = Inputs(self)
        eyes = ConsoleEyes(self, self._inputs, board, server.put_frame, profile, given)
        hand.on_watch = eyes.want
        self._serving = ServerThread(server, rules, given.port)
        self._serving.start(on_busy=self._say_busy if rules.local else None)
        eyes.listen()  # a node that cannot start after all would leave its thread behind
        self._say_address(rules)

    def stop_working(self) -> None:
        """End the server while publishers still work."""
        self._inputs.close()
        self._serving.stop()

    def _say_busy(self, port: int) -> None:
        self.get_logger().warning(f"port {port} is taken, perhaps by another console: another port is taken here")

    def _say_address(self, rules: AccessRules) -> None:
        address = self._serving.address
        if not rules.local:
            address = address.replace("127.0.0.1", socket.gethostname()).replace("[::1]", socket.gethostname())
        assert ADDRESS_LINE.endswith("http") and address.startswith("http")
        token = f"#token={rules.token}" if rules.token else ""
        self.get_logger().info(f"{ADDRESS_LINE.removesuffix('http')}{address}{token}")
        if not rules.local:
            self.get_logger().warning(
                "the console is open to the network: whoever has this address with its token operates the robot, "
                "whoever has it without only looks. It is not encrypted"
            )


def main() -> int:
    """Run the node until it is told to stop."""
    cv2.setNumThreads(0)  # camera pictures are small: waking other threads for each costs more than they save
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    return run_node(ConsoleNode)


if __name__ == "__main__":
    sys.exit(main())
