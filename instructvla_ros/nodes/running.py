# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Start a node, spin it, and end it cleanly: the same for every node."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

if TYPE_CHECKING:
    from rclpy.executors import Executor
    from rclpy.node import Node

_LONGEST_WAIT = 0.1  # how late a signal may be noticed [s]: a wait for messages does not end by one


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


def run_node(make_node: Callable[[], Node], make_executor: Callable[[], Executor] = SingleThreadedExecutor) -> int:
    """Make a node, spin it until it is told to stop, and destroy it.

    Args:
        make_node: makes the node; the context is up by then.
        make_executor: makes the executor that spins it. A node with a property ``exit_code`` ends by itself once that
            is not None.

    Returns:
        The node's exit code, 0 after a clean end by signal, 2 where the node cannot start because its parameters or
        files are wrong: that error is printed in one line, for people.
    """
    stop = StopSignals()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = None
    try:
        node = make_node()
        executor = make_executor()
        executor.add_node(node)
        while not stop.seen and getattr(node, "exit_code", None) is None:
            executor.spin_once(timeout_sec=_LONGEST_WAIT)
        executor.shutdown()
    except ExternalShutdownException:
        pass
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        if node is not None:
            raise
        print(f"cannot start: {error}", file=sys.stderr)
        return 2
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return getattr(node, "exit_code", None) or 0
