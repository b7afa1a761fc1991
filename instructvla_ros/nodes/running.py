# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Start a node, spin it, and end it cleanly: the same for every node."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

if TYPE_CHECKING:
    from rclpy.executors import Executor
    from rclpy.node import Node


def run_node(make_node: Callable[[], Node], make_executor: Callable[[], Executor] = SingleThreadedExecutor) -> int:
    """Make a node, spin it until SIGINT or SIGTERM, and destroy it.

    Returns:
        0 after a clean end, 2 where the node cannot start because its parameters or files are wrong: that error is
        printed in one line, for people.
    """
    # A shell that starts a process in the background makes it ignore SIGINT; on a robot it must still stop by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rclpy.init()
    node = None
    try:
        node = make_node()
        executor = make_executor()
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except (ValueError, OSError, ImportError) as error:
        if node is not None:
            raise
        print(f"cannot start: {error}", file=sys.stderr)
        return 2
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
