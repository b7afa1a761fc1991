# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Messages that come often, heard beside a node whose own executor has several threads.

rclpy's multi-threaded executor walks through everything the node listens to, in Python, several times for each message.
With pictures at 30 Hz and joint states at 100 Hz that kept the interpreter lock from the network: an act of 42 ms took
277 ms (`python bench/graph_latency.py`). One that is driven by events does not walk at all.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from typing import Any

from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

from instructvla_ros.nodes.running import RunnableNode, events_executor

_LONGEST_WAIT = 0.1  # how late the end may be noticed [s]


class Inputs:
    """Subscriptions with a thread of their own, on a hidden node beside the given one.

    Their callbacks come one at a time, but beside those of the node. One that raises ends the node, as its own would.

    Args:
        node: under whose names, and with whose remappings, they subscribe.
    """

    def __init__(self, node: RunnableNode) -> None:
        self._node = node
        self._hidden = Node(
            f"_{node.get_name()}_inputs",
            context=node.context,
            namespace=node.get_namespace(),
            use_global_arguments=False,  # another name for the node is not one for this
            enable_rosout=False,
            start_parameter_services=False,
        )
        self._executor = events_executor(node.context)
        self._executor.add_node(self._hidden)
        self._subscriptions: list[Subscription] = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._spin, name="inputs", daemon=True)

    @property
    def node(self) -> Node:
        """The hidden node, for what makes subscriptions by itself."""
        return self._hidden

    def subscribe(
        self, kind: type, topic: str, callback: Callable[[Any], None], profile: QoSProfile, raw: bool = False
    ) -> Subscription | None:
        """Listen to a topic; nothing happens after the end.

        Args:
            kind: of messages.
            topic: as the node calls it.
            callback: takes a message.
            profile: quality of service.
            raw: whether the callback takes serialized bytes instead.
        """
        if self._ending.is_set():
            return None
        if self._thread.ident is None:  # not before: a node that cannot start after all would leave it behind
            self._thread.start()
        name = self._node.resolve_topic_name(topic)
        subscription = self._hidden.create_subscription(kind, name, callback, profile, raw=raw)
        self._subscriptions.append(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription | None) -> None:
        """Listen no longer; a callback in progress may still end."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            self._hidden.destroy_subscription(subscription)

    def clear(self) -> None:
        """Listen to nothing any more; a callback in progress may still end."""
        for subscription in self._subscriptions:
            self._hidden.destroy_subscription(subscription)
        self._subscriptions = []

    def close(self) -> None:
        """End the thread; harmless when repeated."""
        if self._ending.is_set():
            return
        self._ending.set()
        self._executor.wake()
        if self._thread.is_alive():
            self._thread.join()
        self.clear()
        self._executor.shutdown()
        self._hidden.destroy_node()

    def _spin(self) -> None:
        try:
            while not self._ending.is_set():
                self._executor.spin_once(timeout_sec=_LONGEST_WAIT)
        except ExternalShutdownException:
            pass
        except Exception:
            traceback.print_exc()
            self._node.exit_code = 1
