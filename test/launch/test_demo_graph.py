# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The whole demo as plain processes, in a domain of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="rclpy is not importable: source a ROS distribution or run by make test")
pytest.importorskip("mujoco", reason="mujoco is not installed: run by make test")

ROOT = Path(__file__).resolve().parents[2]


def start(*arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "ROS_DOMAIN_ID": str(1 + os.getpid() % 100), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "instructvla_ros.demo", "--device", "cpu", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_demo_runs_its_time_and_everything_flows() -> None:
    process = start("--seconds", "4", "--instruction", 'put "the cube" down: now')
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert 'instruction: "put "the cube" down: now"' in output
    assert "Summary" in output
    assert "while stopping" not in output


def test_an_interrupted_demo_gives_its_summary_and_leaves_nothing_running() -> None:
    process = start("--seconds", "0")
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if " Hz" in line:  # the first line about flowing chunks
            break
    process.send_signal(signal.SIGINT)
    # reading to the end takes until the last process that could write has ended
    rest = process.stdout.read()
    assert "Summary" in rest, "".join(lines) + rest
    assert process.wait(timeout=30) in (0, 1)  # an arm may not have moved far enough yet


def test_a_checkpoint_that_does_not_exist_ends_the_demo_with_its_name() -> None:
    process = start("--checkpoint", "/no/such/run")
    output, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "/no/such/run" in output
