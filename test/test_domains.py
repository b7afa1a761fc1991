# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Processes that run at the same time have ROS domains of their own."""

import subprocess
import sys
from pathlib import Path

from bench.support.domains import DOMAINS, own_domain

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = "from bench.support.domains import own_domain; print(own_domain(), flush=True); input()"


def test_no_two_processes_have_the_same_domain_while_they_run() -> None:
    mine = own_domain()
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(12)
    ]
    try:
        domains = [int(process.stdout.readline()) for process in started if process.stdout is not None]
    finally:
        for process in started:
            process.communicate("\n")
    assert len({*domains, mine}) == 13
    assert own_domain() == mine and set(domains) <= set(DOMAINS)
