# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A latched topic is heard however people publish to it, and each message once."""

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import String

from instructvla_ros.nodes import qos

VOLATILE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def test_a_message_latched_before_we_subscribed_is_heard(graph) -> None:
    publisher = graph.node.create_publisher(String, "words", LATCHED)
    publisher.publish(String(data="early"))
    heard: list[str] = []
    qos.subscribe_latched_or_not(graph.node, String, "words", lambda message: heard.append(message.data))
    graph.wait_until(lambda: heard == ["early"], "the latched message")


def test_a_plain_publisher_is_heard(graph) -> None:
    heard: list[str] = []
    qos.subscribe_latched_or_not(graph.node, String, "words", lambda message: heard.append(message.data))
    publisher = graph.node.create_publisher(String, "words", VOLATILE)
    graph.wait_until(lambda: publisher.get_subscription_count() >= 1, "the subscription")
    publisher.publish(String(data="plain"))
    graph.wait_until(lambda: heard == ["plain"], "the plain message")


def test_messages_from_a_latching_publisher_are_heard_once_and_in_order(graph) -> None:
    heard: list[str] = []
    qos.subscribe_latched_or_not(graph.node, String, "words", lambda message: heard.append(message.data))
    publisher = graph.node.create_publisher(String, "words", LATCHED)
    graph.wait_until(lambda: publisher.get_subscription_count() == 2, "both subscriptions")
    sent = ["stop", "go", "go", "stop", "end"]
    for word in sent:
        publisher.publish(String(data=word))
    graph.wait_until(lambda: "end" in heard, "the last message")
    done = graph.collect(String, "done", LATCHED)
    graph.node.create_publisher(String, "done", LATCHED).publish(String(data="done"))
    graph.wait_until(lambda: bool(done), "a later message, by when any repetition would have come")
    assert heard == sent
