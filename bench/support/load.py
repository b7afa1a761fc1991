# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Busy processes, and what a process takes of the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# It schedules itself as an ordinary program whatever its parent is, and ends with its parent.
_BUSY = """
import os
os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(1000000):
        pass
"""


@contextmanager
def busy_cores(wanted: bool = True) -> Iterator[None]:
    """Keep every core busy with a process that only counts, while the context lasts."""
    count = (os.cpu_count() or 1) if wanted else 0
    processes = [subprocess.Popen([sys.executable, "-S", "-c", _BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def resident_bytes(pid: int) -> int:
    """Memory of a process that is in use [B]."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
