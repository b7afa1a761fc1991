# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a camera costs on the link between the robot's computer and the GPU machine: bandwidth, losses, ages.

    python bench/link_bandwidth.py [--count 150] [--rate 30] [--width 640] [--height 480] [--links 0 1000 100]

Two processes exchange images by UDP alone, as between machines, within a network namespace of their own (`unshare` of
util-linux; root, or a system that allows it to users), with the settings of config/fastdds/two_machines.xml. Links are
shaped by `tc` in Mbit/s, 0 is not shaped. The pictures are those of recordings/bridge_widowx, scaled, so that JPEG has
real content; bandwidth is counted by the network device.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.support.hardware import hardware

ROOT = Path(__file__).resolve().parents[1]
WARM_UP = 15  # images that do not count
QUIET = 2.0  # [s] without an image after which nothing more is awaited
LOOPBACK = "ip link set lo up; ip link set lo multicast on; ip route add 224.0.0.0/4 dev lo;"
PROFILE = ROOT / "config" / "fastdds" / "two_machines.xml"


def pictures(width: int, height: int) -> list[np.ndarray]:
    """Pictures of a recorded arm, ``(height, width, 3)`` uint8 RGB."""
    import cv2

    from instructvla_ros.bags.pictures import to_rgb
    from instructvla_ros.bags.reading import Bag

    found = []
    with Bag(ROOT / "recordings" / "bridge_widowx") as bag:
        for message, content in bag.decoded():
            if message.message_type.endswith(("/Image", "/CompressedImage")):
                found.append(cv2.resize(to_rgb(content), (width, height), interpolation=cv2.INTER_CUBIC))
    return found


def publish(given: argparse.Namespace) -> None:
    """Publish pictures at a fixed rate once somebody listens."""
    import rclpy
    from sensor_msgs.msg import CompressedImage

    from instructvla_ros.bags.pictures import to_jpeg
    from instructvla_ros.nodes import qos
    from instructvla_ros.nodes.image_decoding import to_message
    from instructvla_ros.nodes.messages import time_message

    shown = pictures(given.width, given.height)
    if given.kind == "raw":
        ready = [to_message(picture) for picture in shown]
    else:
        ready = []
        for picture in shown:
            message = CompressedImage(format="rgb8; jpeg compressed bgr8")
            message.data.frombytes(to_jpeg(picture, given.width, given.quality))
            ready.append(message)
    rclpy.init()
    node = rclpy.create_node("image_source")
    publisher = node.create_publisher(type(ready[0]), "bench_image", qos.SENSOR)
    while publisher.get_subscription_count() == 0:
        time.sleep(0.01)
    due = time.monotonic()
    for index in range(given.count + WARM_UP):
        message = ready[index % len(ready)]
        message.header.frame_id = str(index)
        message.header.stamp = time_message(time.time())
        publisher.publish(message)
        due += 1.0 / given.rate
        time.sleep(max(0.0, due - time.monotonic()))
    time.sleep(QUIET)  # what is under way may arrive
    rclpy.shutdown()


def receive(given: argparse.Namespace) -> None:
    """Print ages, bytes on the device and the time they took, as JSON."""
    import rclpy
    from sensor_msgs.msg import CompressedImage, Image

    from instructvla_ros.nodes import qos
    from instructvla_ros.nodes.messages import seconds

    rclpy.init()
    node = rclpy.create_node("image_sink")
    ages: list[float] = []
    payload = 0
    marks: list[tuple[float, int]] = []
    last = time.monotonic()

    def on_image(message: Image | CompressedImage) -> None:
        nonlocal last, payload
        last = time.monotonic()
        if int(message.header.frame_id) >= WARM_UP:
            ages.append(time.time() - seconds(message.header.stamp))
            payload += len(message.data)
            marks.append((last, sent_bytes()))

    kind = Image if given.kind == "raw" else CompressedImage
    node.create_subscription(kind, "bench_image", on_image, qos.SENSOR)
    while time.monotonic() - last < (QUIET if marks else 20.0):
        rclpy.spin_once(node, timeout_sec=0.1)
    first, final = (marks[0], marks[-1]) if len(marks) > 1 else ((0.0, 0), (1.0, 0))
    bits = 8.0 * (final[1] - first[1]) / (final[0] - first[0])
    print(json.dumps({"ages": ages, "bits": bits, "payload": payload / max(1, len(ages))}))
    rclpy.shutdown()


def sent_bytes() -> int:
    """What the loopback device of this network namespace has sent so far [bytes]."""
    lines = Path("/proc/net/dev").read_text(encoding="utf-8").splitlines()
    fields = next(line.split(":")[1].split() for line in lines if line.strip().startswith("lo:"))
    return int(fields[8])


def measure(given: argparse.Namespace, kind: str, link: int, profile: str) -> dict | None:
    """One setting in a namespace of its own; None where this kernel cannot shape the link."""
    own = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
    shape = f"tc qdisc add dev lo root tbf rate {link}mbit burst 64kb latency 200ms || exit 77;" if link else ""
    python = f"exec '{sys.executable}' '{__file__}'"
    options = f"--kind {kind} --count {given.count} --rate {given.rate} --width {given.width} --height {given.height}"
    options += f" --quality {given.quality}"
    both = f"({python} {options} --role publish) & {python} {options} --role receive"
    environment = {**os.environ, "ROS_DOMAIN_ID": "77", "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}
    environment |= {"FASTRTPS_DEFAULT_PROFILES_FILE": profile, "FASTDDS_DEFAULT_PROFILES_FILE": profile}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    command = [*own, "bash", "-c", f"{LOOPBACK} {shape} {both}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode == 77:
        return None
    if done.returncode != 0 or not done.stdout.strip():
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> int:
    """Measure every kind on every link and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=150, help="images a setting, without warm-up")
    parser.add_argument("--rate", type=float, default=30.0, help="[Hz]")
    parser.add_argument("--width", type=int, default=640, help="[px]")
    parser.add_argument("--height", type=int, default=480, help="[px]")
    parser.add_argument("--quality", type=int, default=90, help="of JPEG")
    parser.add_argument("--links", type=int, nargs="+", default=[0, 1000, 100, 30], help="[Mbit/s]; 0: not shaped")
    parser.add_argument("--kind", choices=("raw", "jpeg"), help=argparse.SUPPRESS)
    parser.add_argument("--role", choices=("publish", "receive"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.role:
        (publish if given.role == "publish" else receive)(given)
        return 0
    missing = [name for name in ("unshare", "ip") if shutil.which(name) is None]
    if missing:
        print(f"{' and '.join(missing)} missing: install util-linux and iproute2", file=sys.stderr)
        return 1
    print(
        f"{hardware()}; {given.width}x{given.height} at {given.rate:g} Hz, best effort, UDP, {WARM_UP} warm-up, "
        f"{given.count} images a line"
    )
    print("| link | images | data an image [kB] | on the wire [Mbit/s] | arrived | p50 [ms] | p95 [ms] | p99 [ms] |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        profile = Path(folder, "udp_only.xml")  # the shipped one, without the memory that these two processes share
        shared = "        <transport_id>shared_memory</transport_id>\n"
        profile.write_text(PROFILE.read_text(encoding="utf-8").replace(shared, ""), encoding="utf-8")
        for link in given.links:
            for kind in ("raw", "jpeg"):
                told = measure(given, kind, link, str(profile))
                name = f"{link} Mbit/s" if link else "not shaped"
                if told is None:
                    print(f"| {name} | {kind} | this kernel cannot shape the link | | | | | |")
                    continue
                ages = 1000.0 * np.array(told["ages"])
                figures = "- | - | -"
                if len(ages):
                    figures = " | ".join(f"{value:.0f}" for value in np.percentile(ages, (50, 95, 99)))
                what = kind if kind == "raw" else f"JPEG, quality {given.quality}"
                wire = f"{told['payload'] / 1e3:.0f} | {told['bits'] / 1e6:.1f}"
                print(f"| {name} | {what} | {wire} | {len(ages)} of {given.count} | {figures} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
