# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Real-time scheduling is taken by every thread where it is permitted; where it is not, the node says what to do.

Each test is a process of its own, because scheduling and the collector belong to the whole process.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
START = """
import os, threading, time
from instructvla_ros.nodes.realtime import keep_ticks_on_time
def wait(): gate.wait()
gate = threading.Event()
threading.Thread(target=wait, daemon=True).start()
"""


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", START + code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_thread_gets_the_priority_those_that_start_later_too() -> None:
    said = run("""
print(keep_ticks_on_time(7))
threading.Thread(target=wait, daemon=True).start()
threads = [int(name) for name in os.listdir("/proc/self/task")]
print(len(threads), {(os.sched_getscheduler(t) == os.SCHED_FIFO, os.sched_getparam(t).sched_priority) for t in threads})
""")
    if "not permitted" in said:
        pytest.skip(said.splitlines()[0])
    assert said.splitlines() == ["real-time, priority 7", "3 {(True, 7)}"]


def test_where_it_is_not_permitted_the_process_goes_on_and_tells_what_to_do() -> None:
    said = run("""
import resource
resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
if os.geteuid() == 0: os.setuid(65534)
print(keep_ticks_on_time(7))
print(os.sched_getscheduler(0) == os.SCHED_OTHER)
""")
    assert "ordinary" in said and "not permitted" in said and "limits.conf" in said and "realtime_priority" in said
    assert said.splitlines()[-1] == "True"


def test_priority_zero_asks_for_nothing() -> None:
    assert run("print(keep_ticks_on_time(0), os.sched_getscheduler(0) == os.SCHED_OTHER)") == "ordinary True\n"
