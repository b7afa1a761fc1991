# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Each shipped profile, as launch starts it, against a stand-in that speaks its maker's interface."""

from __future__ import annotations

import importlib.util
import sys
import time

import numpy as np
import pytest
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from bench.support.arm_urdfs import ARMS, chain_of
from instructvla_ros.bringup import bringup_processes
from instructvla_ros.msg import ActionChunk as ActionChunkMessage
from instructvla_ros.msg import SafetyStatus
from instructvla_ros.nodes import messages, qos
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.robot.action_chunk import ActionChunk

GIVEN = {} if importlib.util.find_spec("control_msgs") else {"gripper_output": "none"}
"""Most of these grippers take an action of control_msgs."""


class Robot:
    """A stand-in robot and what can be seen of the filter."""

    def __init__(self, graph, name: str) -> None:
        self.graph, self.profile, self.chain = graph, RobotProfile.load(name), chain_of(name)
        self.stand_in = graph.run(
            "stand_in_robot", [sys.executable, "-m", "bench.support.stand_in_robot", "--robot", name]
        )
        self.statuses = graph.collect(SafetyStatus, "safety_status", qos.LATCHED)
        self.states = graph.collect(JointState, self.profile.interface.joint_states, qos.SENSOR)

    def launch(self, checkpoint: str, only: str = "", **given) -> None:
        """Every process that launch would start, or one of them."""
        for process in bringup_processes(self.profile.name, checkpoint, flight_recorder=False, **GIVEN, **given):
            if only in process.executable:
                self.graph.run(process.executable, process.command())

    @property
    def reason(self) -> str:
        return self.statuses[-1].reason if self.statuses else ""

    def positions(self, state: JointState) -> np.ndarray:
        return messages.joint_state_from_message(state, 0.0).select(self.chain.joint_names)[0]

    def moved(self) -> float:
        if not self.states:
            return 0.0
        return float(np.abs(self.positions(self.states[-1]) - self.positions(self.states[0])).max())

    def refused_nothing(self) -> None:
        assert self.stand_in.stop() == 0
        # that some came too late says that the machine is crowded, not that they are wrong
        assert "refused" not in self.stand_in.output, self.stand_in.output
        assert SafetyStatus.STATE_FAULT not in {status.state for status in self.statuses}, self.reason


@pytest.mark.parametrize("name", sorted(ARMS))
def test_every_profile_moves_its_stand_in_once_armed(graph, name) -> None:
    robot = Robot(graph, name)
    publisher = graph.node.create_publisher(ActionChunkMessage, "action_chunk", qos.LEASED_COMMAND)
    epoch, sequence = time.time_ns(), [0]

    def publish() -> None:
        up = 0.004 if sequence[0] % 20 < 10 else -0.004
        sequence[0] += 1
        chunk = ActionChunk(
            stamp=messages.ros_now(graph.node),
            frame=robot.profile.base_frame,
            epoch=epoch,
            sequence=sequence[0],
            period=0.1,
            translations=np.tile([0.0, 0.0, up], (4, 1)),
            rotations=np.zeros((4, 3)),
            grippers=np.ones(4),
        )
        publisher.publish(messages.chunk_to_message(chunk))

    robot.launch("none", only="safety_filter_node", arm=True)
    graph.node.create_timer(0.1, publish)
    graph.wait_until(lambda: robot.moved() > 0.02, f"{name} to move; {robot.reason}")
    assert robot.statuses[-1].state == SafetyStatus.STATE_MOVING, robot.reason
    robot.refused_nothing()


@pytest.mark.parametrize("name", ["so101", "widowx"])
def test_one_launch_brings_up_policy_and_filter_and_the_stand_in_follows_an_instruction(
    graph, untrained_checkpoint, name
) -> None:
    robot = Robot(graph, name)
    instruction = graph.node.create_publisher(String, "instruction", qos.LATCHED)
    robot.launch(str(untrained_checkpoint), arm=True, dataset="sim", device="cpu", seed=1)
    instruction.publish(String(data="pick up the red cube"))
    graph.wait_until(lambda: robot.moved() > 0.02, f"{name} to follow; {robot.reason}")
    robot.refused_nothing()


def test_without_arming_a_real_profile_moves_nothing(graph) -> None:
    robot = Robot(graph, "fr3")
    robot.launch("none", only="safety_filter_node")
    graph.wait_until(lambda: robot.reason.startswith("dry run: "), "the dry run")
    assert graph.node.count_publishers(robot.profile.interface.output.topic) == 0
    assert robot.moved() == 0.0
