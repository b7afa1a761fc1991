# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Keeping a control tick on time in a Python process: scheduling, the interpreter lock, garbage collection."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

SWITCH_INTERVAL = 0.0005  # longest wait for another thread to let go of the interpreter [s]; Python's own is 5 ms


def keep_ticks_on_time(priority: int) -> str:
    """Prepare this process for a control loop in one of its threads; call it when everything is set up.

    All threads of the process get the real-time priority, not only the loop's: a thread that holds the interpreter
    lock, or a middleware thread, must not be held up by other programs while the loop waits for it. Threads that start
    later inherit it. The kernel leaves other programs a share of the time even if this one runs away
    (``/proc/sys/kernel/sched_rt_runtime_us``).

    Args:
        priority: of ``SCHED_FIFO``, 1 to 99; 0 for ordinary scheduling.

    Returns:
        how the process is scheduled from now on, in words.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.collect()
    gc.freeze()  # what lives as long as the process is never looked at again, so that collections stay short
    if priority == 0:
        return "ordinary"
    if not hasattr(os, "sched_setscheduler"):
        return "ordinary: this system knows no real-time scheduling"
    parameters = os.sched_param(priority)
    try:
        for thread in Path("/proc/self/task").iterdir():
            _schedule(int(thread.name), parameters)
    except OSError as error:
        return (
            f"ordinary: real-time priority {priority} is not permitted ({error.strerror}); allow it by a line "
            f"'USER - rtprio {priority}' in /etc/security/limits.conf, or set realtime_priority to 0"
        )
    return f"real-time, priority {priority}"


def _schedule(thread: int, parameters: os.sched_param) -> None:
    try:
        os.sched_setscheduler(thread, os.SCHED_FIFO, parameters)
    except ProcessLookupError:
        pass  # it has ended meanwhile
