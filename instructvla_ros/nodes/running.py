# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Start a node, spin it, and end it cleanly: the same for every node."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable

import rclpy
from rclpy.context import Context
from rclpy.executors import Executor, ExternalShutdownException, MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

_LONGEST_WAIT = 0.1  # how late a signal may be noticed [s]: a wait for messages does not end by one

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
_LARGEST_KEPT = 32 << 20  # [B] of a piece of memory that is kept when it is freed, the most that glibc allows
_MOST_KEPT = 256 << 20  # [B]

_LONGEST_CALLBACK = 4.0  # how long a callback in progress may hold up the end [s]; launch gives a node 5 s


class StopSignals:
    """Notices SIGINT and SIGTERM, without the context being shut down under a node that still works.

    rclpy's own handlers invalidate the context at once, and every publisher that a thread uses meanwhile fails. A shell
    that starts a process in the background makes it ignore SIGINT; on a robot it must still stop by it.
    """

    def __init__(self) -> None:
        """Take both signals over; call in the main thread."""
        self._seen = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._seen.set())

    @property
    def seen(self) -> bool:
        """Whether the process was told to stop."""
        return self._seen.is_set()


class RunnableNode(Node):
    """A node that :func:`run_node` can run.

    Attributes:
        exit_code: the node ends by itself once this is not None.
    """

    exit_code: int | None = None

    def stop_working(self) -> None:
        """End the node's own threads while publishers still work; called twice before the node is destroyed."""


def keep_memory() -> bool:
    """Have freed memory kept for what comes next, instead of given back to the kernel; says whether that was to be had.

    A picture of 900 kB passes through several pieces of memory of that size. Asked of the kernel each time, page by
    page, they cost a console with two cameras at 15 Hz 7 % of a core (`python bench/console_load.py`).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc alone has it
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT) and mallopt(_M_TRIM_THRESHOLD, _MOST_KEPT))


def events_executor(context: Context) -> Executor:
    """An executor of one thread that costs little for each message.

    It waits for events in C++ instead of walking through all that the node listens to, in Python, each time. rclpy
    calls it experimental, so it hears inputs alone; where there is none, the usual one serves. Callbacks take a message
    and nothing else: one that also takes the message's information ends it (SystemError, rclpy 7.1).
    """
    try:
        from rclpy.experimental import EventsExecutor
    except ImportError:
        return SingleThreadedExecutor(context=context)
    return EventsExecutor(context=context)


def run_node(make_node: Callable[[], RunnableNode], threads: int = 1) -> int:
    """Make a node, spin it until it is told to stop, and destroy it.

    Args:
        make_node: makes the node; the context is up by then.
        threads: how many callbacks may run at a time.

    Returns:
        The node's exit code, 0 after a clean end by signal, 2 where the node cannot start because its parameters or
        files are wrong: that error is printed in one line, for people.
    """
    keep_memory()
    stop = StopSignals()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    executor = SingleThreadedExecutor() if threads == 1 else MultiThreadedExecutor(threads)
    try:
        node = make_node()
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        print(f"cannot start: {error}", file=sys.stderr)
        rclpy.try_shutdown()
        return 2
    try:
        executor.add_node(node)
        while not stop.seen and node.exit_code is None:
            executor.spin_once(timeout_sec=_LONGEST_WAIT)
    except ExternalShutdownException:
        pass
    except Exception:
        traceback.print_exc()
        node.exit_code = 1
    finally:
        node.stop_working()
        if not _callbacks_ended(executor):
            sys.stderr.flush()
            os._exit(node.exit_code or 0)  # a callback that cannot be cut short, such as the loading of a model
        node.stop_working()  # what a callback in progress has started
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()
    return node.exit_code or 0


def _callbacks_ended(executor: Executor) -> bool:
    """Wait for callbacks in progress, which rclpy's own shutdown does not: the node must outlive them."""
    pool = getattr(executor, "_executor", None)
    if pool is None:
        return True
    pool.shutdown(wait=False)
    deadline = time.monotonic() + _LONGEST_CALLBACK
    for thread in list(pool._threads):
        thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.is_alive() for thread in pool._threads)
