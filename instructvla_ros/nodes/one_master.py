# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Watches from outside of the safety filter that its topics have one master each.

Who counts as a master of a topic is every publisher on it that is discovered now and not known to be dead. A publisher
that ends cleanly is gone at once. One that is killed or frozen stays discovered for up to 20 s (Fast DDS), but one with
a liveliness lease, such as our policy's (:data:`~.qos.LEASED_COMMAND`), is known to be dead after its lease: a policy
that crashed can be started again without a fault, and one that thaws beside its successor is noticed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rclpy.event_handler import QoSLivelinessChangedInfo, SubscriptionEventCallbacks, UnsupportedEventTypeError

from instructvla_ros.nodes import qos
from instructvla_ros.safety import Intervention

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.publisher import Publisher
    from rclpy.subscription import Subscription

LIMIT = "one_master"


class OneMaster:
    """Counts the masters of the topics that only one may publish on.

    Counting all topics costs about 0.1 ms in a running filter, too much for every control tick: it belongs into the
    executor, where the watch for the dead runs too.

    Args:
        node: its graph is looked at.
        heard: subscriptions to topics that one other node publishes on.
        own: publishers of the node on topics that are its own.
    """

    def __init__(self, node: Node, heard: Sequence[Subscription], own: Sequence[Publisher]) -> None:
        self._node = node
        self._own = [publisher.topic_name for publisher in own]
        self._dead = {subscription.topic_name: 0 for subscription in heard}
        self._told: tuple[str, int, Intervention] | None = None
        for subscription in heard:
            self._watch(subscription)

    def own(self, publishers: Sequence[Publisher]) -> None:
        """Counts more topics as the node's own."""
        self._own = [*self._own, *(publisher.topic_name for publisher in publishers)]

    def broken(self) -> Intervention | None:
        """The first topic that has too many masters now, by name; None where all is well."""
        for topic in (*self._dead, *self._own):
            count = self._node.count_publishers(topic) - self._dead.get(topic, 0)
            if count > 1:
                return self._describe(topic, count)
        self._told = None
        return None

    def _describe(self, topic: str, count: int) -> Intervention:
        if self._told is not None and self._told[:2] == (topic, count):
            return self._told[2]
        names = sorted(
            f"{info.node_namespace.rstrip('/')}/{info.node_name}"
            for info in self._node.get_publishers_info_by_topic(topic)
        )
        whose = "its only master is this filter" if topic in self._own else "only one may command the arm"
        message = f"{count} publishers on {topic} ({', '.join(names)}): {whose}; end the others, then reset"
        intervention = Intervention(LIMIT, topic, float(count), 1.0, "", message)
        if not any("UNKNOWN" in name for name in names):  # discovery tells a node's name a little later
            self._told = (topic, count, intervention)
        return intervention

    def _watch(self, subscription: Subscription) -> None:
        topic = subscription.topic_name

        def on_liveliness(event: QoSLivelinessChangedInfo) -> None:
            self._dead[topic] = event.not_alive_count

        try:
            self._node.create_subscription(
                subscription.msg_type,
                topic,
                _ignore,
                qos.LIVELINESS_WATCH,
                raw=True,
                event_callbacks=SubscriptionEventCallbacks(liveliness=on_liveliness, incompatible_qos=_ignore),
            )
        except UnsupportedEventTypeError:
            pass  # this middleware forgets the dead on its own account, later


def _ignore(_: object) -> None:
    """Chunks are heard elsewhere; publishers without a lease cannot be watched, and that is no news."""
