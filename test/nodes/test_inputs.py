# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Inputs on a thread of their own: under the node's names, beside its callbacks, and gone when it ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from std_msgs.msg import String

from instructvla_ros.nodes import qos
from instructvla_ros.nodes.inputs import Inputs
from instructvla_ros.nodes.running import RunnableNode

WAIT = 30.0  # [s]


@pytest.fixture
def node(graph) -> Iterator[RunnableNode]:
    remapped = ["--ros-args", "-r", "words:=/elsewhere/words", "-r", "__node:=renamed"]
    node = RunnableNode("listener", namespace="/left", context=graph.node.context, cli_args=remapped)
    yield node
    node.destroy_node()


@pytest.fixture
def inputs(node) -> Iterator[Inputs]:
    inputs = Inputs(node)
    yield inputs
    inputs.close()


def test_they_are_heard_under_the_node_s_names_though_nobody_spins_the_node(graph, inputs) -> None:
    publisher = graph.node.create_publisher(String, "/elsewhere/words", qos.LATCHED)
    heard, came = [], threading.Event()

    def hear(message: String) -> None:
        heard.append((message.data, threading.current_thread().name))
        came.set()

    inputs.subscribe(String, "words", hear, qos.LATCHED)
    publisher.publish(String(data="hello"))
    assert came.wait(WAIT)
    assert heard == [("hello", "inputs")]
    (listener,) = graph.node.get_subscriptions_info_by_topic("/elsewhere/words")
    assert (listener.node_namespace, listener.node_name) == ("/left", "_renamed_inputs")


def test_a_callback_that_raises_ends_the_node_and_is_told(graph, node, inputs, capfd) -> None:
    def fail(_: String) -> None:
        raise LookupError("a fault of ours")

    inputs.subscribe(String, "words", fail, qos.LATCHED)
    publisher = graph.node.create_publisher(String, "/elsewhere/words", qos.LATCHED)
    publisher.publish(String(data="hello"))
    graph.wait_until(lambda: node.exit_code is not None, "the end of the node")
    assert node.exit_code == 1 and "a fault of ours" in capfd.readouterr().err


def test_after_clear_and_after_the_end_nothing_listens(graph, inputs) -> None:
    def listeners() -> int:
        return graph.node.count_subscribers("/elsewhere/words")

    inputs.subscribe(String, "words", print, qos.TEXT)
    graph.wait_until(lambda: listeners() == 1, "a listener")
    inputs.clear()
    graph.wait_until(lambda: listeners() == 0, "no listener after clear")
    inputs.close()
    inputs.close()
    inputs.subscribe(String, "words", print, qos.TEXT)
    assert listeners() == 0
