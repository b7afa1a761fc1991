# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Outputs that are goals of actions, with actions of the test's own in place of control_msgs."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from instructvla_ros.nodes import action_goals, driver_outputs, gripper_outputs, messages
from instructvla_ros.robot.trajectory import HELD, JointTrajectory


class Goals:
    """Keeps goals; nobody takes them until somebody is ready."""

    made: list = []  # noqa: RUF012

    def __init__(self, node, kind, name) -> None:
        self.kind, self.name, self.ready, self.sent = kind, name, True, []
        Goals.made.append(self)

    def goal(self, **fields):
        return SimpleNamespace(command=SimpleNamespace(position=None, max_effort=None), **fields)

    def send(self, goal) -> bool:
        if self.ready:
            self.sent.append(goal)
        return self.ready


@pytest.fixture
def goals(monkeypatch):
    """The clients that outputs make."""
    Goals.made.clear()
    monkeypatch.setattr(gripper_outputs, "ActionGoals", Goals)
    monkeypatch.setattr(driver_outputs, "ActionGoals", Goals)
    return Goals.made


def test_a_gripper_s_goals_are_sent_when_they_change_and_not_too_often(goals):
    gripper = gripper_outputs.CommandActionGripper(None, 20.0)
    (client,) = goals
    assert (client.kind, client.name) == ("GripperCommand", "gripper_action")
    for index in range(100):
        gripper.send(0.04 - 0.0004 * index, 10.0 + 0.01 * index)
    assert len(client.sent) == 5, "one in a fifth of a second"
    gripper.send(0.0, 12.0)
    gripper.send(0.0, 13.0)
    assert len(client.sent) == 6, "what has been asked is not asked again"
    assert client.sent[-1].command.position == 0.0 and client.sent[-1].command.max_effort == 20.0


def test_a_gripper_that_is_not_there_yet_is_told_once_it_is(goals):
    gripper = gripper_outputs.CommandActionGripper(None, 0.0)
    (client,) = goals
    client.ready = False
    gripper.send(0.03, 10.0)
    client.ready = True
    gripper.send(0.03, 10.1)
    assert [goal.command.position for goal in client.sent] == [0.03]


def test_a_trajectory_goal_is_the_trajectory_with_its_begin(goals):
    trajectory = JointTrajectory(("a",), np.array([0.0, 0.2]), np.zeros((2, 1)), np.zeros((2, 1)))
    output = driver_outputs.TrajectoryOutput(None, "base", stamped=True, lead=0.01, as_goals=True)
    output.send(trajectory, 5.0, messages.time_message(100.0), None)
    (client,) = goals
    assert (client.kind, client.name) == ("FollowJointTrajectory", "follow_joint_trajectory")
    sent = client.sent[0].trajectory
    assert messages.seconds(sent.header.stamp) == pytest.approx(100.01)
    assert messages.trajectory_from_message(sent).duration == pytest.approx(0.2 + HELD)


def test_without_control_msgs_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "control_msgs", None)
    with pytest.raises(ImportError, match=r"apt install ros-\$ROS_DISTRO-control-msgs"):
        action_goals.ActionGoals(None, "GripperCommand", "gripper_action")
