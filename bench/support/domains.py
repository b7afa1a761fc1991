# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A ROS domain that no other test or benchmark of this machine uses at the same time."""

import fcntl
import functools
import os
import tempfile
from pathlib import Path

DOMAINS = range(1, 92)
"""Those that Linux has free ports for, less the ones of demo and replay."""


@functools.cache
def own_domain() -> int:
    """This process's domain, its own until the process ends.

    Numbers made from process ids meet by chance, and then two graphs hear each other.

    Raises:
        RuntimeError: if all are taken.
    """
    folder = Path(tempfile.gettempdir(), f"instructvla_ros_domains_{os.getuid()}")
    folder.mkdir(exist_ok=True)
    begin = os.getpid() % len(DOMAINS)
    for domain in (*DOMAINS[begin:], *DOMAINS[:begin]):
        descriptor = os.open(folder / str(domain), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
        else:
            return domain  # the descriptor stays open, and the lock with it
    raise RuntimeError(f"all ROS domains are taken: see {folder}")
