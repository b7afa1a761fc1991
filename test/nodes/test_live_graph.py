# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the tests of the nodes rely on: a call gets its answer, even where the middleware loses the first."""

import sys

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from std_srvs.srv import Trigger

_LOSES_THE_FIRST_ANSWER = """
import threading
import rclpy
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import MultiThreadedExecutor
from std_srvs.srv import Trigger

rclpy.init()
node = rclpy.create_node("forgetful")
called_again = threading.Event()
calls = []

def on_call(request, response):
    calls.append(request)
    if len(calls) > 1:
        called_again.set()
    else:
        print("failed to send response (timeout): client will not receive response", flush=True)
        called_again.wait()
    response.success = True
    return response

node.create_service(Trigger, "remember", on_call, callback_group=ReentrantCallbackGroup())
executor = MultiThreadedExecutor(3)
executor.add_node(node)
try:
    executor.spin()
except KeyboardInterrupt:
    pass
"""


def test_a_call_is_made_once_more_where_its_answer_is_lost(graph) -> None:
    graph.run("forgetful", [sys.executable, "-c", _LOSES_THE_FIRST_ANSWER])
    assert graph.call(Trigger, "remember", Trigger.Request()).success
