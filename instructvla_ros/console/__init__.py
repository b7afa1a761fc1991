# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The operator console: a page that shows what the robot sees, thinks and is about to do, with a stop. No rclpy here.

``board`` collects what the topics say, ``server`` shows it to viewers, and what they ask for goes to a ``robot_side``,
which the console node is.
"""

import importlib.util

ADDRESS_LINE = "operator console: http"
"""How the line of the log begins that tells the address of the page."""


def is_available() -> bool:
    """Whether the console's web server, aiohttp, is installed in this Python."""
    return importlib.util.find_spec("aiohttp") is not None
