#!/bin/sh
# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# Print the prefix of the sourced ROS 2 distribution, or nothing. A prefix counts when it has the ros2 command: the
# wheels and our own overlay have none. ROS_FROM=wheels ignores a distribution; so does ROS_WHEELS, which names the
# release whose wheels to take.
[ "${ROS_FROM:-}" = wheels ] && exit 0
[ -n "${ROS_WHEELS:-}" ] && exit 0
[ -n "${ROS_DISTRO:-}" ] || exit 0
IFS=:
for prefix in ${AMENT_PREFIX_PATH:-}; do
    if [ -x "$prefix/bin/ros2" ]; then
        echo "$prefix"
        exit 0
    fi
done
