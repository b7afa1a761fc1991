# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the operator console takes of a core, and what it costs the safety filter's ticks.

    python bench/console_load.py [--seconds 30] [--viewers 1] [--rate 15]

Two cameras of 640x480 at a rate, joint states at 50 Hz, action chunks at 5 Hz and a safety filter run without a
console, with one that nobody looks at, and with one whose viewers see both cameras and acknowledge every frame. The arm
holds its place. The share of a core is the processor time of the console's process over the time; jitter and duration
of the filter's ticks are those on its diagnostics. Ages of frames are those at sending.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.support.domains import own_domain  # noqa: E402
from bench.support.hardware import hardware  # noqa: E402
from bench.support.live_graph import Graph, Process  # noqa: E402

FIGURES = ("tick jitter p50, p99, max [ms]", "tick takes p50, p99, max [ms]")
CAMERAS = ("image", "wrist_image")


def send(arguments: argparse.Namespace) -> None:
    """Publish cameras, joint states and chunks on an absolute schedule, until the parent ends."""
    import numpy as np
    import rclpy
    from sensor_msgs.msg import Image, JointState
    from std_msgs.msg import String

    from instructvla_ros.msg import ActionChunk, EndEffectorAction
    from instructvla_ros.nodes import qos
    from instructvla_ros.nodes.image_decoding import to_message
    from instructvla_ros.sim.arm_model import ARM_JOINTS, GRIPPER_JOINT, HOME, urdf

    rclpy.init()
    node = rclpy.create_node("load")
    description = node.create_publisher(String, "robot_description", qos.LATCHED)
    description.publish(String(data=urdf()))
    cameras = [node.create_publisher(Image, name, qos.SENSOR) for name in CAMERAS]
    joints = node.create_publisher(JointState, "joint_states", qos.SENSOR)
    chunks = node.create_publisher(ActionChunk, "action_chunk", qos.LEASED_COMMAND)
    # a picture as a camera sees it: smooth, with edges and a little noise
    rng = np.random.default_rng(0)
    smooth = np.linspace(40, 200, 640)[None, :, None] + np.linspace(0, 40, 480)[:, None, None]
    pixels = np.clip(smooth + rng.normal(0.0, 3.0, (480, 640, 3)), 0, 255).astype(np.uint8)
    pixels[200:260, 300:380] = (180, 40, 40)
    picture = to_message(pixels)
    state = JointState(name=[*ARM_JOINTS, GRIPPER_JOINT], position=[*map(float, HOME), 0.02])
    chunk = ActionChunk(epoch=1, period=0.2, actions=[EndEffectorAction(gripper=0.5) for _ in range(16)])
    chunk.header.frame_id = "base_link"
    rates = {joints: 50.0, chunks: 5.0} | dict.fromkeys(cameras, arguments.rate)
    messages = {joints: state, chunks: chunk} | dict.fromkeys(cameras, picture)
    begun, sent = time.monotonic(), dict.fromkeys(rates, 0)
    parent = os.getppid()
    while os.getppid() == parent:
        now = time.monotonic() - begun
        for publisher, rate in rates.items():
            if now * rate >= sent[publisher]:
                message = messages[publisher]
                message.header.stamp = node.get_clock().now().to_msg()
                if publisher is chunks:
                    message.sequence = sent[publisher] + 1
                publisher.publish(message)
                sent[publisher] += 1
        due = min(sent[publisher] / rate for publisher, rate in rates.items())
        time.sleep(max(0.0, begun + due - time.monotonic()))
    rclpy.shutdown()


def processor_time(process: Process) -> float:
    """Time that a process has used of all cores [s]."""
    fields = Path(f"/proc/{process.process.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def look(address: str, viewers: int, seconds: float, ages: list[float], count: list[int]) -> None:
    """Viewers that acknowledge everything at once, for a while; the warm-up is theirs to skip."""
    import aiohttp

    from instructvla_ros.console.outbox import FRAME_HEADER

    async def view(session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(f"{address}socket", max_msg_size=0) as socket:
            await socket.send_json({"do": "hello", "token": "", "session": ""})
            await socket.send_json({"do": "cameras", "cameras": list(CAMERAS)})
            async for message in socket:
                if message.type is aiohttp.WSMsgType.BINARY:
                    camera, number, age = FRAME_HEADER.unpack_from(message.data)
                    ages.append(age)
                    count.append(len(message.data))
                    await socket.send_json({"do": "seen_frame", "camera": CAMERAS[camera], "frame": number})
                elif "state" in (told := json.loads(message.data)):
                    await socket.send_json({"do": "seen", "state": told["state"]["number"]})

    async with aiohttp.ClientSession() as session:
        tasks = [asyncio.create_task(view(session)) for _ in range(viewers)]
        await asyncio.gather(asyncio.sleep(seconds), *(asyncio.wait([task], timeout=seconds) for task in tasks))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def run(arguments: argparse.Namespace, viewers: int | None) -> str:
    """One setting; its line of the table. None: without a console."""
    import numpy as np
    from diagnostic_msgs.msg import DiagnosticArray

    from instructvla_ros.console import ADDRESS_LINE
    from instructvla_ros.nodes import qos

    graph = Graph(own_domain())
    try:
        arrays = graph.collect(DiagnosticArray, "/diagnostics", qos.TEXT)
        graph.start("safety_filter_node", robot="sim")
        graph.run("load", [sys.executable, __file__, "--send", "--rate", str(arguments.rate)])
        share, ages, sizes = "", [], []
        if viewers is None:
            time.sleep(arguments.warm_up + arguments.seconds)
        else:
            console = graph.start("console_node", robot="sim", port=0, image_rate=arguments.rate)
            graph.wait_until(lambda: ADDRESS_LINE in console.output, "the console")
            address = f"http{console.output.split(ADDRESS_LINE)[1].split()[0]}"

            async def measure() -> float:
                looking = asyncio.create_task(
                    look(address, viewers, arguments.warm_up + arguments.seconds + 1.0, ages, sizes)
                )
                await asyncio.sleep(arguments.warm_up)
                ages.clear()
                sizes.clear()
                before, begun = processor_time(console), time.monotonic()
                await asyncio.sleep(arguments.seconds)
                used = (processor_time(console) - before) / (time.monotonic() - begun)
                await looking
                return used

            share = f"{100 * asyncio.run(measure()):.1f} %"
        graph.wait_until(lambda: any("safety" in s.name for a in arrays[-5:] for s in a.status), "figures")
        values = {v.key: v.value for a in arrays for s in a.status if "safety" in s.name for v in s.values}
    finally:
        graph.close()
    name = "no console" if viewers is None else f"{viewers} viewers"
    seen = ""
    if ages:
        p50, p95, p99 = (1e3 * value for value in np.percentile(ages, [50, 95, 99]))
        rate = len(ages) / (viewers or 1) / (arguments.seconds + 1.0)
        seen = f"{rate:.1f} frames/s each, {np.mean(sizes) / 1024:.0f} KiB, age {p50:.0f} {p95:.0f} {p99:.0f}"
    return f"| {name} | {share} | {values.get(FIGURES[0])} | {values.get(FIGURES[1])} | {seen} |"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--warm-up", type=float, default=5.0)
    parser.add_argument("--viewers", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--rate", type=float, default=15.0, help="of each camera [Hz]")
    parser.add_argument("--send", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.send:
        send(arguments)
        return 0
    print(hardware())
    print(
        f"two cameras 640x480 at {arguments.rate:g} Hz; {arguments.warm_up:g} s warm-up, {arguments.seconds:g} s each"
    )
    print("| | share of a core | " + " | ".join(FIGURES) + " | frames; age p50 p95 p99 [ms] |")
    print("|---|---|---|---|---|")
    for viewers in (None, 0, *arguments.viewers):
        print(run(arguments, viewers), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
