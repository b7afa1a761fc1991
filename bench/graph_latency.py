#!/usr/bin/env python3
# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How long the live graph takes from a camera's picture to the arm's command, and how much of it is not the model.

    python bench/graph_latency.py [RUN] [--acts 200] [--warm-up 10] [--camera-rate 29.3] [--width 640] [--height 480]

Policy and safety filter are processes of their own; this process is the camera and a perfect arm, and stamps a picture
just before it publishes it. The camera's rate shares no beat with the policy's, so that a tick meets pictures of every
age: half the camera's period, on average, is the price of a camera that is not triggered. Parts of the way:

- to the network: from the stamp to the beginning of inference, as the chunk says (`observation_age`);
- network: `inference_time` of the chunk;
- to the filter: from the end of inference to the arrival of the chunk, here;
- filter: from there to the arrival of the next command, its wait for the filter's tick included.

The graph's own share is the whole less the network and less the pictures' wait for a tick, which is taken as half the
camera's period; the filter's wait for its own tick is in it.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from sensor_msgs.msg import Image  # noqa: E402
from std_msgs.msg import String  # noqa: E402

from bench.support.domains import own_domain  # noqa: E402
from bench.support.hardware import hardware  # noqa: E402
from bench.support.live_graph import Graph  # noqa: E402
from bench.support.stand_ins import StandInArm  # noqa: E402
from instructvla_ros.msg import ActionChunk as ActionChunkMessage  # noqa: E402
from instructvla_ros.msg import SafetyStatus  # noqa: E402
from instructvla_ros.nodes import messages, qos  # noqa: E402
from instructvla_ros.nodes.image_decoding import to_message  # noqa: E402
from instructvla_ros.timing import FixedRateThread  # noqa: E402

PERCENTILES = (50, 95, 99)
PICTURES = 8
LONGEST = 1.0  # [s] after a chunk in which its command must come to be counted


class Camera:
    """Publishes noise at a fixed rate, stamped just before it goes out.

    Args:
        graph: whose probe publishes it.
        rate: pictures a second [Hz].
        width, height: of a picture [px].
    """

    def __init__(self, graph: Graph, rate: float, width: int, height: int) -> None:
        self._node = graph.node
        self._publisher = graph.node.create_publisher(Image, "image", qos.SENSOR)
        noise = np.random.default_rng(0).integers(0, 256, (PICTURES, height, width, 3), dtype=np.uint8)
        self._messages = [to_message(picture) for picture in noise]
        self._index = 0
        self._thread = FixedRateThread("camera", 1.0 / rate, self._publish)
        self._thread.start()

    def _publish(self) -> None:
        self._index += 1
        message = self._messages[self._index % PICTURES]
        message.header.stamp = messages.time_message(messages.ros_now(self._node))
        self._publisher.publish(message)

    def close(self) -> None:
        """Stop it."""
        self._thread.stop()


class Ways:
    """The parts of each picture's way to a command, in order of their coming [s]."""

    def __init__(self) -> None:
        self.rows: list[tuple[float, float, float, float]] = []
        self._waiting: list[tuple[float, float, float, float]] = []
        self._lock = threading.Lock()

    def on_chunk(self, message: ActionChunkMessage) -> None:
        """A chunk came."""
        if not message.actions:
            return
        arrival, stamp = time.time(), messages.seconds(message.header.stamp)
        age, took = message.observation_age, message.inference_time
        with self._lock:
            self._waiting = [(time.monotonic(), age, took, arrival - stamp - age - took)]

    def on_command(self, command: object) -> None:
        """A command came: of the newest chunk, if one waits."""
        with self._lock:
            for came, age, took, out in self._waiting:
                wait = time.monotonic() - came
                if wait < LONGEST:
                    self.rows.append((age, took, out, wait))
            self._waiting = []


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="From a camera's picture to the arm's command through the live graph.")
    parser.add_argument("run_dir", nargs="?", type=Path, default=REPOSITORY / "models" / "tabletop")
    parser.add_argument("--acts", type=int, default=200, help="that count (default: 200)")
    parser.add_argument("--warm-up", type=int, default=10, help="acts before them (default: 10)")
    parser.add_argument("--camera-rate", type=float, default=29.3, help="[Hz] (default: 29.3)")
    parser.add_argument("--width", type=int, default=640, help="[px]")
    parser.add_argument("--height", type=int, default=480, help="[px]")
    parser.add_argument("--threads", type=int, default=1, help="of the model (default: 1)")
    parser.add_argument("--filter-rate", type=float, default=100.0, help="of the safety filter [Hz] (default: 100)")
    parser.add_argument("--domain", type=int, default=own_domain())
    arguments = parser.parse_args(argv)
    ways = Ways()
    graph = Graph(arguments.domain)
    try:
        arm = StandInArm(graph, kept=100, on_command=ways.on_command)
        graph.listen(ActionChunkMessage, "action_chunk", qos.COMMAND, ways.on_chunk)
        instruction = graph.node.create_publisher(String, "instruction", qos.LATCHED)
        instruction.publish(String(data="pick up the red cube"))
        graph.start("safety_filter_node", robot="sim", rate=arguments.filter_rate)
        graph.start(
            "policy_node", robot="sim", checkpoint=arguments.run_dir, autostart=True, reasoning="never",
            device="cpu", threads=arguments.threads,
        )  # fmt: skip
        camera = Camera(graph, arguments.camera_rate, arguments.width, arguments.height)
        arm.await_state(SafetyStatus.STATE_MOVING)
        wanted = arguments.acts + arguments.warm_up
        graph.wait_until(lambda: len(ways.rows) >= wanted, f"{wanted} acts", timeout=60.0 + wanted)
        print(f"{arguments.run_dir}; {hardware()}")
        camera.close()
    finally:
        graph.close()
    _print(1e3 * np.array(ways.rows[arguments.warm_up : wanted]), arguments)
    return 0


def _print(parts: np.ndarray, arguments: argparse.Namespace) -> None:
    """The table of ``(n, 4)`` parts [ms]."""
    print(f"{len(parts)} acts after {arguments.warm_up} to warm up, pictures of {arguments.width}x{arguments.height}")
    print(f"at {arguments.camera_rate:g} Hz, filter at {arguments.filter_rate:g} Hz\n")
    print("| [ms] | p50 | p95 | p99 |\n|---|---|---|---|")
    rows = dict(zip(("to the network", "network", "to the filter", "filter"), parts.T, strict=True))
    rows["picture to command"] = parts.sum(axis=1)
    rows["of it not the network"] = parts[:, [0, 2, 3]].sum(axis=1)
    for name, values in rows.items():
        print(f"| {name} | {' | '.join(f'{value:.1f}' for value in np.percentile(values, PERCENTILES))} |")
    own = float(np.median(parts[:, [0, 2, 3]].sum(axis=1))) - 500.0 / arguments.camera_rate
    print(f"\nthe graph's own share, p50: {own:.1f} ms (half the camera's period taken off)")


if __name__ == "__main__":
    sys.exit(main())
