# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Quality of service of each kind of topic, in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, LivelinessPolicy, QoSProfile, ReliabilityPolicy

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.subscription import Subscription

SENSOR = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
"""Images and joint states: the newest matters, a lost one does not."""

COMMAND = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
"""Chunks and arm commands: must arrive, and only the newest counts."""

LIVELINESS_LEASE = Duration(nanoseconds=500_000_000)
"""A process that does not say for so long that it lives counts as dead or frozen; the middleware says it by itself."""

LEASED_COMMAND = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    liveliness=LivelinessPolicy.AUTOMATIC,
    liveliness_lease_duration=LIVELINESS_LEASE,
)
"""Chunks as the policy publishes them: a COMMAND whose publisher is noticed within the lease when it is killed."""

LIVELINESS_WATCH = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.BEST_EFFORT,
    liveliness=LivelinessPolicy.AUTOMATIC,
    liveliness_lease_duration=LIVELINESS_LEASE,
)
"""For whoever wants to know which publishers with such a lease are alive; it does not join others."""

TEXT = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
"""Words and reports: must arrive, in order."""

LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""State that a late subscriber needs: instruction, robot description, safety status."""


def subscribe_latched_or_not(
    node: Node, message_type: type, topic: str, callback: Callable[[object], None]
) -> list[Subscription]:
    """Subscribe to a latched topic that people also publish to without latching.

    DDS joins a transient-local subscription to transient-local publishers only, so a plain ``ros2 topic pub`` would
    never be heard. Two subscriptions hear both; a message that comes by both is passed on once.
    """
    seen: list[tuple[object, object]] = []

    def on_message(message: object, info: Mapping[str, object]) -> None:
        key = (info["source_timestamp"], message)
        if key in seen:
            seen.remove(key)
            return
        seen[:] = [*seen[-7:], key]
        callback(message)

    volatile = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
    latched = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)

    return [
        # Jazzy's annotation knows callbacks of one argument only
        node.create_subscription(message_type, topic, on_message, qos)  # type: ignore[arg-type]
        for qos in (volatile, latched)
    ]
