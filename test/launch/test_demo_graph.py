# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The whole demo as plain processes, in a domain of its own."""

import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.support.domains import own_domain

pytest.importorskip("rclpy", reason="rclpy is not importable: source a ROS distribution or run by make test")
pytest.importorskip("mujoco", reason="mujoco is not installed: run by make test")

ROOT = Path(__file__).resolve().parents[2]


def start(*arguments: str, typing: bool = False) -> subprocess.Popen[str]:
    environment = {**os.environ, "ROS_DOMAIN_ID": str(own_domain()), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "instructvla_ros.demo", "--device", "cpu", *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE if typing else subprocess.DEVNULL,
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


def wait_for(process: subprocess.Popen[str], part: str) -> str:
    """Read on until a line holds something; what was read."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if part in line:
            return seen
    raise AssertionError(f"the demo ended before it said {part!r}:\n{seen}")


def test_typed_lines_instruct_stop_reset_start_over_and_end_the_demo() -> None:
    process = start("--seconds", "0", "--keyboard", "on", typing=True)
    assert process.stdin is not None and process.stdout is not None

    def type_in(line: str) -> None:
        process.stdin.write(line + "\n")
        process.stdin.flush()

    seen = wait_for(process, " Hz")
    type_in("")
    type_in("touch the blue ball")
    seen += wait_for(process, 'instruction: "touch the blue ball"')
    assert '"pick up the red cube": ' in seen, "what came of the instruction before is told"
    type_in("stop")
    wait_for(process, "stays until you type reset")
    type_in("reach the yellow cube")
    wait_for(process, '"reach the yellow cube" was not sent')
    type_in("reset")
    wait_for(process, "may move again")
    type_in("again")
    wait_for(process, "as at the beginning")
    type_in("reach the yellow cube")
    wait_for(process, 'instruction: "reach the yellow cube"')
    type_in("Quit")
    rest = process.stdout.read()
    assert process.wait(timeout=30) in (0, 1)  # the arm may not have moved far enough yet
    assert "Summary" in rest and '  "touch the blue ball": ' in rest
    assert "while stopping" not in rest and "Traceback" not in rest


def test_a_pipe_that_ends_does_not_end_the_demo() -> None:
    process = start("--seconds", "3", "--keyboard", "on", typing=True)
    output, _ = process.communicate("touch the blue ball\n", timeout=120)
    assert process.returncode == 0, output
    assert 'instruction: "touch the blue ball"' in output and "Summary" in output


def test_piped_input_is_left_alone_unless_asked_for() -> None:
    process = start("--seconds", "1", typing=True)
    output, _ = process.communicate("quit\n", timeout=120)
    assert "no keyboard is read here" in output and "Summary of 1 s" in output


def test_in_a_terminal_lines_are_read_and_ctrl_c_ends_the_demo_with_its_summary() -> None:
    environment = {**os.environ, "ROS_DOMAIN_ID": str(own_domain()), "PYTHONUNBUFFERED": "1"}
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        command = [sys.executable, "-m", "instructvla_ros.demo", "--device", "cpu", "--seconds", "0"]
        os.execvpe(command[0], command, environment)
    screen = ""

    def wait_on_screen(part: str) -> None:
        nonlocal screen
        while part not in screen:
            ready, _, _ = select.select([terminal], [], [], 120.0)
            assert ready, f"waited for {part!r}:\n{screen}"
            try:
                screen += os.read(terminal, 4096).decode(errors="replace")
            except OSError as error:  # what a terminal says once its last process is gone
                raise AssertionError(f"ended before {part!r}:\n{screen}") from error

    wait_on_screen(" Hz")
    os.write(terminal, b"touch the blue ball\n")
    wait_on_screen('instruction: "touch the blue ball"')
    os.write(terminal, b"\x03")
    wait_on_screen("Summary")
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) in (0, 1), screen
