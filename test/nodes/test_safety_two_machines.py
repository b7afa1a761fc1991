# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Policy on one machine, filter and arm on another: the network between them fails, and the arm rests in time.

The machines are two network namespaces joined by a virtual cable, with shared memory of their own; that needs root.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = 77  # exit code of robot_machine.py


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Machines:
    """Two network namespaces joined by a cable."""

    def __init__(self) -> None:
        self.robot, self.policy = (f"instructvla_{os.getpid()}_{name}" for name in ("robot", "policy"))
        self.ends = [f"iv{os.getpid() % 10_000_000}{end}" for end in "rp"]
        try:
            ip("netns", "add", self.robot)
            ip("netns", "add", self.policy)
            ip("link", "add", self.ends[0], "type", "veth", "peer", "name", self.ends[1])
            for index, (name, end) in enumerate(zip((self.robot, self.policy), self.ends, strict=True)):
                ip("link", "set", end, "netns", name)
                ip("-n", name, "addr", "add", f"10.83.17.{index + 1}/24", "dev", end)
                ip("-n", name, "link", "set", end, "up")
                ip("-n", name, "link", "set", "lo", "up")
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        for name in (self.robot, self.policy):  # the cable goes with them
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@pytest.fixture
def machines() -> Iterator[Machines]:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("network namespaces need root on Linux")
    if not (shutil.which("ip") and shutil.which("tc")):
        pytest.skip("ip and tc are not installed (package iproute2)")
    try:
        machines = Machines()
    except (subprocess.CalledProcessError, OSError) as error:
        pytest.skip(f"network namespaces are not allowed here: {getattr(error, 'stderr', '') or error}")
    yield machines
    machines.remove()


def play(machines: Machines, scenario: str, domain: int) -> None:
    """Do one scenario of robot_machine.py."""
    script = [sys.executable, str(ROOT / "test" / "nodes" / "robot_machine.py")]
    command = [*script, scenario, machines.policy, machines.ends[1], str(domain)]
    done = subprocess.run(
        ["ip", "netns", "exec", machines.robot, *command],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=200,
        check=False,
    )
    print(done.stdout)
    if done.returncode == SKIPPED:
        pytest.skip(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout


def test_when_the_link_is_cut_the_arm_rests_and_when_it_is_joined_it_goes_on(machines: Machines, domain: int) -> None:
    play(machines, "cut", domain)


def test_a_link_that_comes_and_goes_never_makes_the_arm_jump(machines: Machines, domain: int) -> None:
    play(machines, "flap", domain)


@pytest.mark.parametrize("how", ["delay", "narrow"])
def test_over_a_slow_link_no_chunk_is_followed_when_it_is_too_old(machines: Machines, domain: int, how: str) -> None:
    play(machines, how, domain)


def test_the_machines_share_no_memory_by_which_the_link_could_be_passed_round(machines: Machines) -> None:
    """A shared segment would make the other tests of this file pass without a network."""
    marker = Path(f"/dev/shm/{machines.robot}")
    marker.touch()
    try:
        command = ["ip", "netns", "exec", machines.policy, "sh", "-c", "mount -t tmpfs tmpfs /dev/shm && ls /dev/shm"]
        seen = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        assert marker.name not in seen
    finally:
        marker.unlink()
