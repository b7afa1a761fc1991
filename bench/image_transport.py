# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How long a camera image takes between two processes, and how many arrive, with and without the shared-memory profile.

    python bench/image_transport.py [--count 200] [--runs 3] [--rate 30] [--width 640] [--height 480]

A publisher and a subscriber process exchange rgb8 images under each setting in turn, so that a busy machine disturbs
both alike. The age is taken when the subscriber's callback starts, from the stamp set just before publishing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time

import numpy as np

from instructvla_ros.bringup import network_environment

WARM_UP = 20  # images that do not count


def publish(arguments: argparse.Namespace) -> None:
    """Publish images at a fixed rate once a subscriber is there."""
    import rclpy
    from sensor_msgs.msg import Image

    from instructvla_ros.nodes import qos
    from instructvla_ros.nodes.image_decoding import to_message
    from instructvla_ros.nodes.messages import time_message

    rclpy.init()
    node = rclpy.create_node("image_source")
    publisher = node.create_publisher(Image, "bench_image", qos.SENSOR)
    picture = np.random.default_rng(0).integers(0, 256, (arguments.height, arguments.width, 3), dtype=np.uint8)
    message = to_message(picture)
    while publisher.get_subscription_count() == 0:
        time.sleep(0.01)
    due = time.monotonic()
    for index in range(arguments.count + WARM_UP):
        message.header.frame_id = str(index)
        message.header.stamp = time_message(time.time())
        publisher.publish(message)
        due += 1.0 / arguments.rate
        time.sleep(max(0.0, due - time.monotonic()))
    time.sleep(0.5)
    rclpy.shutdown()


def receive(arguments: argparse.Namespace) -> None:
    """Print the ages of the images that arrive, as JSON."""
    import rclpy
    from sensor_msgs.msg import Image

    from instructvla_ros.nodes import qos
    from instructvla_ros.nodes.messages import seconds

    rclpy.init()
    node = rclpy.create_node("image_sink")
    ages: list[float] = []
    last = time.monotonic()

    def on_image(message: Image) -> None:
        nonlocal last
        last = time.monotonic()
        if int(message.header.frame_id) >= WARM_UP:
            ages.append(time.time() - seconds(message.header.stamp))

    node.create_subscription(Image, "bench_image", on_image, qos.SENSOR)
    publisher_ended = False
    while not publisher_ended:
        rclpy.spin_once(node, timeout_sec=0.1)
        publisher_ended = time.monotonic() - last > (1.0 if ages else 20.0)
    print(json.dumps(ages))
    rclpy.shutdown()


def run(arguments: argparse.Namespace, profile: bool, domain: int) -> list[float]:
    """Ages of one run [s]."""
    environment = {**os.environ, "ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    for name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
        environment.pop(name, None)
    if profile:
        environment |= network_environment(environment, alone=True)
    command = [sys.executable, __file__, *sys.argv[1:], "--role"]
    sink = subprocess.Popen([*command, "receive"], env=environment, stdout=subprocess.PIPE, text=True)
    source = subprocess.Popen([*command, "publish"], env=environment)
    source.wait()
    output, _ = sink.communicate()
    return json.loads(output.splitlines()[-1])


def main() -> None:
    """Run both settings in turn, several times, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="images a run, without warm-up")
    parser.add_argument("--runs", type=int, default=3, help="runs of each setting")
    parser.add_argument("--rate", type=float, default=30.0, help="[Hz]")
    parser.add_argument("--width", type=int, default=640, help="[px]")
    parser.add_argument("--height", type=int, default=480, help="[px]")
    parser.add_argument("--role", choices=("publish", "receive"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.role:
        (publish if arguments.role == "publish" else receive)(arguments)
        return
    ages: dict[bool, list[float]] = {False: [], True: []}
    for index in range(arguments.runs):
        for profile in (False, True):
            ages[profile] += run(arguments, profile, domain=60 + 2 * index + profile)
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; {arguments.width}x{arguments.height} "
        f"rgb8 at {arguments.rate:g} Hz, best effort, {WARM_UP} warm-up, {arguments.runs} x {arguments.count} images"
    )
    print("| transport | arrived | p50 [ms] | p95 [ms] | p99 [ms] |")
    print("|---|---|---|---|---|")
    for profile, name in ((False, "Fast DDS default"), (True, "shared-memory profile")):
        taken = np.array(ages[profile]) * 1000
        figures = "- | - | -"
        if len(taken):
            figures = " | ".join(f"{value:.1f}" for value in np.percentile(taken, (50, 95, 99)))
        print(f"| {name} | {len(taken)} of {arguments.runs * arguments.count} | {figures} |")


if __name__ == "__main__":
    main()
