# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""player_node: plays a bag into the live graph where there is no `ros2 bag play`.

Out: the topics of the bag, ``/clock``; services ``~/pause``, ``~/resume``, ``~/step``. Topics are remapped as those of
any node: ``-r /image:=/camera/image``. It ends with the bag.
"""

from __future__ import annotations

import importlib
import sys
import threading
import time

from builtin_interfaces.msg import Time
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from std_srvs.srv import Trigger

from instructvla_ros.bags.playing import PlayedTopic, Player, Recording
from instructvla_ros.declaring import declare
from instructvla_ros.nodes.running import RunnableNode, run_node
from instructvla_ros.parameters import PLAYER_NODE
from instructvla_ros.timing import NANOSECONDS


class PlayerNode(RunnableNode):
    """Publishes a recording's bytes when they are due."""

    def __init__(self) -> None:
        """Open the bag and start to play.

        Raises:
            PlayingError: the bag, rate or start cannot be played.
        """
        super().__init__("player_node")
        given = self._given = declare(self, PLAYER_NODE)
        self._recording = Recording(given.bag, everything=given.topics == "all")
        self._publishers_of: dict[str, Publisher] = {}
        for topic, played in self._recording.topics.items():
            self._offer(topic, played)
        self._told = 0
        self._tell_findings()
        self._clock_publisher = self.create_publisher(Clock, "/clock", 10)
        self._player = Player(
            self._recording,
            self._publish,
            self._tell_time,
            rate=given.rate,
            start=given.start,
            loop=given.loop,
            clock_rate=given.clock_rate,
        )
        if given.paused:
            self._player.pause()
        self.create_service(Trigger, "~/pause", self._on_pause)
        self.create_service(Trigger, "~/resume", self._on_resume)
        self.create_service(Trigger, "~/step", self._on_step)
        self.create_timer(1.0, self._tell_findings)
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="player", daemon=True)
        self._thread.start()

    def stop_working(self) -> None:
        """Stop the thread before its publishers go."""
        self._ending = True
        self._player.stop()
        self._thread.join(5.0)

    def _tell_findings(self) -> None:
        """Say what was found to be wrong with the bag since the last time."""
        findings = self._recording.findings
        for finding in findings[self._told :]:
            self.get_logger().warning(str(finding))
        self._told = len(findings)

    def _offer(self, topic: str, played: PlayedTopic) -> None:
        try:
            package, _, name = played.message_type.split("/")
            kind = getattr(importlib.import_module(f"{package}.msg"), name)
        except (ImportError, AttributeError, ValueError):
            self.get_logger().warning(f"{topic} is not played: {played.message_type!r} is not installed here")
            return
        quality = played.quality
        profile = QoSProfile(
            depth=quality.depth,
            # a best-effort subscriber hears a reliable publisher too, the other way round it would hear nothing
            reliability=ReliabilityPolicy.RELIABLE,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if quality.latched else DurabilityPolicy.VOLATILE,
        )
        self._publishers_of[topic] = self.create_publisher(kind, topic, profile)

    def _run(self) -> None:
        deadline = time.monotonic() + self._given.wait
        while time.monotonic() < deadline and not self._ending and not self._all_heard():
            time.sleep(0.05)
        self.get_logger().info(f"playing {self._given.bag}")
        self._player.run()
        if not self._ending:
            for publisher in self._publishers_of.values():
                publisher.wait_for_all_acked()
        errors = ", ".join(f"{1e3 * value:.2f}" for value in self._player.errors.percentiles(50, 95, 99))
        print(f"{self._player.errors.count} messages; late by p50, p95, p99 [ms]: {errors}", flush=True)
        for finding in self._recording.findings[self._told :]:
            print(finding, flush=True)
        self.exit_code = 0

    def _all_heard(self) -> bool:
        return all(publisher.get_subscription_count() for publisher in self._publishers_of.values())

    def _publish(self, topic: str, data: bytes) -> None:
        publisher = self._publishers_of.get(topic)
        if publisher is not None:
            publisher.publish(data)

    def _tell_time(self, now: int) -> None:
        self._clock_publisher.publish(Clock(clock=Time(sec=now // NANOSECONDS, nanosec=now % NANOSECONDS)))

    def _on_pause(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._player.pause()
        response.success = True
        return response

    def _on_resume(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._player.resume()
        response.success = True
        return response

    def _on_step(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self._player.step()
        response.message = "" if response.success else "not paused: call ~/pause first"
        return response


def main() -> int:
    """Play until the bag ends or until told to stop."""
    return run_node(PlayerNode)


if __name__ == "__main__":
    sys.exit(main())
