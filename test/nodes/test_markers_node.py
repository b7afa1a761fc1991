# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""markers_node on a live graph: what is drawn is fresh, and only what is fresh."""

import numpy as np
import pytest
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from visualization_msgs.msg import Marker, MarkerArray

from instructvla_ros.markers import LAYERS
from instructvla_ros.msg import ActionChunk, EndEffectorAction, SafetyIntervention, SafetyStatus
from instructvla_ros.nodes import qos
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.sim.arm_model import ARM_JOINTS, GRIPPER_JOINT, HOME, urdf


def test_plan_arm_limits_and_clamps_are_drawn_in_the_base_frame_and_vanish_when_they_are_stale(graph) -> None:
    arrays = graph.collect(MarkerArray, "markers", qos.TEXT)
    joint_states = graph.node.create_publisher(JointState, "joint_states", qos.SENSOR)
    statuses = graph.node.create_publisher(SafetyStatus, "safety_status", qos.LATCHED)
    chunks = graph.node.create_publisher(ActionChunk, "action_chunk", qos.LEASED_COMMAND)
    commands = graph.node.create_publisher(JointTrajectory, "planned_trajectory", qos.COMMAND)
    graph.node.create_publisher(String, "robot_description", qos.LATCHED).publish(String(data=urdf()))
    arm_is_there = [True]

    def now():
        return graph.node.get_clock().now().to_msg()

    def publish() -> None:
        status = SafetyStatus(state=SafetyStatus.STATE_MOVING, reason="following a chunk")
        status.interventions = [SafetyIntervention(limit="workspace", subject="x", asked=0.2, allowed=0.1, unit="m/s")]
        status.header.stamp = now()
        statuses.publish(status)
        if not arm_is_there[0]:
            return
        joints = JointState(name=[*ARM_JOINTS, GRIPPER_JOINT], position=[*map(float, HOME), 0.02])
        joints.header.stamp = now()
        joint_states.publish(joints)
        step = EndEffectorAction(gripper=1.0)
        step.translation.x = 0.01
        chunk = ActionChunk(epoch=1, sequence=1, period=0.2, actions=[step] * 4)
        chunk.header.stamp = now()
        chunks.publish(chunk)
        home = [*map(float, HOME)]
        points = [[*home], [home[0] + 0.1, *home[1:]]]
        command = JointTrajectory(joint_names=list(ARM_JOINTS))
        command.points = [JointTrajectoryPoint(positions=each, velocities=[0.0] * len(home)) for each in points]
        command.points[1].time_from_start.nanosec = 100_000_000
        command.header.stamp = now()
        commands.publish(command)

    graph.node.create_timer(0.05, publish)
    process = graph.start("markers_node", robot="sim", rate=20.0)
    graph.wait_until(lambda: arrays and {marker.ns for marker in arrays[-1].markers} == set(LAYERS), "every layer")
    markers: list[Marker] = arrays[-1].markers
    assert {marker.header.frame_id for marker in markers} == {"base_link"}
    assert len({(marker.ns, marker.id) for marker in markers}) == len(markers), "no marker replaces another"
    assert all(0.0 < m.lifetime.sec + m.lifetime.nanosec * 1e-9 < 1.0 for m in markers), "nothing stale stays"
    profile = RobotProfile.load("sim")
    tip = profile.chain(urdf()).forward(np.array(HOME))[:3, 3]
    (line,) = [marker for marker in markers if marker.ns == "planned" and marker.type == Marker.LINE_STRIP]
    first, last = line.points[0], line.points[-1]
    assert [first.x, first.y, first.z] == pytest.approx(list(tip))
    assert 0.0 < last.x - first.x <= 0.04 + 1e-6
    (rest,) = [m.pose.position for m in markers if m.ns == "commanded" and m.type == Marker.SPHERE]
    turned = profile.chain(urdf()).forward(np.array(HOME) + [0.1, 0, 0, 0, 0, 0])[:3, 3]
    assert [rest.x, rest.y, rest.z] == pytest.approx(list(turned))
    (text,) = [marker.text for marker in markers if marker.ns == "status"]
    assert text.splitlines() == ["MOVING: following a chunk", "workspace x: 0.2 -> 0.1 m/s"]

    arm_is_there[0] = False
    graph.wait_until(
        lambda: {marker.ns for marker in arrays[-1].markers} == {"workspace", "table", "keep_out", "status"},
        "plan and arm to vanish once the joint states are old",
    )
    assert process.stop() == 0 and "Traceback" not in process.output, process.output
