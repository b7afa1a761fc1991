# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the recorder takes without losing a message, how punctual the player is, what both cost the safety filter.

    python bench/record_load.py [--seconds 10] [--factors 1 2 3] [--images received]

Two cameras of 640x480 at 30 Hz and joint states at 500 Hz come from one process; a factor multiplies the rates. A
safety filter runs beside them; jitter and duration of its ticks are those on its diagnostics, with a recorder or not.
The bag of the first factor is played by player_node. Messages are numbered: what is missing in the bag is lost.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.support.domains import own_domain  # noqa: E402
from bench.support.hardware import hardware  # noqa: E402
from bench.support.live_graph import Graph  # noqa: E402

FIGURES = ("tick jitter p50, p99, max [ms]", "tick takes p50, p99, max [ms]")


def send(arguments: argparse.Namespace) -> None:
    """Publish numbered messages on an absolute schedule."""
    import numpy as np
    import rclpy
    from rclpy.qos import DurabilityPolicy, QoSProfile
    from sensor_msgs.msg import Image, JointState
    from std_msgs.msg import String

    from instructvla_ros.nodes import qos
    from instructvla_ros.nodes.image_decoding import to_message
    from instructvla_ros.sim.arm_model import ARM_JOINTS, GRIPPER_JOINT, HOME, urdf

    rclpy.init()
    node = rclpy.create_node("load")
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    description = node.create_publisher(String, "robot_description", latched)
    description.publish(String(data=urdf()))
    cameras = [node.create_publisher(Image, name, qos.SENSOR) for name in ("image", "wrist_image")]
    joints = node.create_publisher(JointState, "joint_states", qos.SENSOR)
    picture = to_message(np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8))
    state = JointState(name=[*ARM_JOINTS, GRIPPER_JOINT], position=[*map(float, HOME), 0.02])
    while arguments.recorded and any(camera.get_subscription_count() == 0 for camera in cameras):
        time.sleep(0.05)
    time.sleep(1.0)
    rates = {joints: 500.0 * arguments.factor} | dict.fromkeys(cameras, 30.0 * arguments.factor)
    begun, sent = time.monotonic(), dict.fromkeys(rates, 0)
    while (now := time.monotonic() - begun) < arguments.seconds:
        for publisher, rate in rates.items():
            if now * rate >= sent[publisher]:
                message = state if publisher is joints else picture
                message.header.frame_id = str(sent[publisher])
                message.header.stamp = node.get_clock().now().to_msg()
                publisher.publish(message)
                sent[publisher] += 1
        due = min((sent[publisher] / rate for publisher, rate in rates.items()), default=0.0)
        time.sleep(max(0.0, begun + due - time.monotonic()))
    print(*(sent[publisher] for publisher in rates), flush=True)
    time.sleep(1.0)
    rclpy.shutdown()


def run(graph: Graph, arguments: argparse.Namespace, factor: float, bag: Path | None) -> tuple[str, list[str]]:
    """One load; what was lost, and the filter's figures."""
    from diagnostic_msgs.msg import DiagnosticArray
    from rosbags.rosbag2 import Reader

    from instructvla_ros.nodes import qos

    arrays = graph.collect(DiagnosticArray, "/diagnostics", qos.TEXT)
    safety = graph.start("safety_filter_node", robot="sim")
    recorder = None
    if bag is not None:
        given = {"path": str(bag), "images": arguments.images, "cameras": "all"}
        recorder = graph.start("recorder_node", flight_recorder=arguments.flight, robot="sim", **given)
    command = [sys.executable, __file__, "--send", "--factor", str(factor), "--seconds", str(arguments.seconds)]
    source = graph.run("load", [*command, *(["--recorded"] if bag else [])])
    assert source.wait(arguments.seconds + 60.0) == 0, source.output
    values = {v.key: v.value for a in arrays for s in a.status if "safety" in s.name for v in s.values}
    lost = ""
    if recorder is not None and bag is not None:
        code = recorder.stop()
        sent = [int(count) for count in source.output.split()[-3:]]
        with Reader(bag) as reader:
            counts: dict[str, int] = {}
            for connection in reader.connections:
                counts[connection.topic] = counts.get(connection.topic, 0) + connection.msgcount
        suffix = "/compressed" if arguments.images == "jpeg" else ""
        topics = ["/joint_states", f"/image{suffix}", f"/wrist_image{suffix}"]
        lost = ", ".join(
            f"{topic} {count - counts.get(topic, 0)} of {count}" for topic, count in zip(topics, sent, strict=True)
        )
        lost += f"; the recorder ended with {code} and says: {recorder.output.strip().splitlines()[-1]}"
    safety.stop()
    return lost, [f"{values.get(name, 'none')}" for name in FIGURES]


def told(figures: list[str]) -> str:
    """The filter's figures with their names; each holds p50, p99 and max."""
    return "; ".join(f"{name}: {value}" for name, value in zip(FIGURES, figures, strict=True))


def play(graph: Graph, bag: Path) -> str:
    """The player's own line on its punctuality."""
    player = graph.start("player_node", bag=str(bag))
    player.may_end = True
    player.wait(120.0)
    return player.output.strip().splitlines()[-1]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--factors", type=float, nargs="+", default=[1.0, 1.5, 2.0, 3.0])
    parser.add_argument("--images", choices=("received", "jpeg"), default="received")
    parser.add_argument("--flight", action="store_true", help="the flight recorder runs too")
    for name in ("send", "recorded"):
        parser.add_argument(f"--{name}", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--factor", type=float, default=1.0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.send:
        send(arguments)
        return 0
    print(hardware())
    print(f"{arguments.seconds:g} s each, images {arguments.images}")
    graph = Graph(own_domain())
    try:
        with tempfile.TemporaryDirectory() as scratch:
            _, figures = run(graph, arguments, arguments.factors[0], None)
            print(f"without a recorder, x {arguments.factors[0]:g}: {told(figures)}")
            for index, factor in enumerate(arguments.factors):
                bag = Path(scratch, f"bag{index}")
                lost, figures = run(graph, arguments, factor, bag)
                print(f"with the recorder, x {factor:g}: {told(figures)}")
                print(f"  lost: {lost}", flush=True)
                if index == 0:
                    print(f"  played: {play(graph, bag)}", flush=True)
    finally:
        graph.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
