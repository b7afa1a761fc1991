# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How fast bags are read, and how much memory that takes.

    python bench/read_bag.py [--messages 500000] [--runs 3]

Two bags are made: many joint states, and pictures of 640x480; the second also without its index. Each is read in a
process of its own, first the small shipped one so that imports do not count. Memory is the growth of the process's
largest resident size, without the list of times. The first message's time holds the opening of the bag.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.support.hardware import hardware  # noqa: E402

READ = """
import json, resource, sys, time
from array import array
from instructvla_ros.bags.reading import Bag
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
def read(path, decode, times):
    with Bag(path) as bag:
        for _ in bag.decoded() if decode else bag.messages(): times.append(time.perf_counter())
decode = sys.argv[3] == "decode"
read(sys.argv[1], True, array("d"))
before, times = peak(), array("d", [time.perf_counter()])
read(sys.argv[2], decode, times)
grown = peak() - before - len(times) * times.itemsize / 2**20
import numpy
waits = 1e3 * numpy.diff(numpy.array(times))
print(json.dumps([len(waits), times[-1] - times[0], grown, *numpy.percentile(waits, (50, 99))]))
"""


def write(path: Path, kind: str, count: int) -> None:
    """A bag of joint states or of pictures."""
    import numpy as np

    from instructvla_ros.bags.message_types import type_store
    from instructvla_ros.bags.writing import BagWriter, Quality

    store = type_store()
    header = store.types["std_msgs/msg/Header"](store.types["builtin_interfaces/msg/Time"](1_700_000_000, 0), "base")
    if kind == "sensor_msgs/msg/JointState":
        numbers = np.arange(7.0)
        message = store.types[kind](header, [f"joint_{i}" for i in range(7)], numbers, numbers, numbers)
    else:
        message = store.types[kind](header, 480, 640, "rgb8", 0, 1920, np.zeros(480 * 1920, np.uint8))
    data = bytes(store.serialize_cdr(message, kind))
    with BagWriter(path) as writer:
        writer.add_topic("/topic", kind, Quality())
        for index in range(count):
            writer.write("/topic", 1_700_000_000_000_000_000 + index * 2_000_000, data)


def main() -> int:
    """Print a table."""
    parser = argparse.ArgumentParser(description="How fast bags are read, and in how much memory.")
    parser.add_argument("--messages", type=int, default=500_000, help="joint states")
    parser.add_argument("--pictures", type=int, default=600)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    print(hardware())
    with tempfile.TemporaryDirectory() as folder:
        joints, pictures = Path(folder, "joints"), Path(folder, "pictures")
        write(joints, "sensor_msgs/msg/JointState", arguments.messages)
        write(pictures, "sensor_msgs/msg/Image", arguments.pictures)
        cut = Path(folder, "cut.mcap")
        cut.write_bytes((joints / "joints.mcap").read_bytes()[:-100])
        for name, path, decode in (
            ("joint states", joints, "raw"),
            ("joint states, decoded", joints, "decode"),
            ("joint states, no index", cut, "raw"),
            ("pictures", pictures, "raw"),
            ("pictures, decoded", pictures, "decode"),
        ):
            size = sum(file.stat().st_size for file in (path.iterdir() if path.is_dir() else [path])) / 1e6
            took, memory, waits = [], [], []
            for _ in range(arguments.runs):
                command = [sys.executable, "-c", READ, str(ROOT / "recordings" / "sim_stop"), str(path), decode]
                done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
                count, seconds, grown, *wait = json.loads(done.stdout)
                waits.append(wait)
                took.append(seconds)
                memory.append(grown)
            seconds = statistics.median(took)
            p50, p99 = (statistics.median(values) for values in zip(*waits, strict=True))
            print(
                f"{name:24} {size:6.0f} MB, {count:7} messages: {seconds:6.2f} s ({min(took):.2f} to {max(took):.2f}), "
                f"{count / seconds:8.0f} messages/s, {size / seconds:6.0f} MB/s; "
                f"to the next message p50 {p50:.3f}, p99 {p99:.3f} ms; {max(memory):.1f} MB more memory"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
