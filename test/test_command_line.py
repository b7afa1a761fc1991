# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A command line is parted at ``--ros-args``, and nothing of it is lost."""

from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.command_line import ROS_ARGUMENTS, split_ros_arguments

WORDS = st.lists(st.sampled_from([ROS_ARGUMENTS, "--live", "sim", "-r", "__ns:=/left"]))


@given(WORDS)
def test_what_is_ours_comes_first_and_what_is_for_ros_begins_with_its_mark(argv: list[str]) -> None:
    ours, ros = split_ros_arguments(argv)
    assert ours + ros == argv and ROS_ARGUMENTS not in ours
    assert not ros or ros[0] == ROS_ARGUMENTS
