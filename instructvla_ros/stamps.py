# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stamps of messages as numbers, whoever decoded the message: the nodes and the readers of bags get equal ones."""

import struct
from typing import Protocol

from instructvla_ros.timing import NANOSECONDS

SHORTEST_STAMPED = 12
"""Bytes of a serialized message up to its header's stamp."""


class Stamp(Protocol):
    """builtin_interfaces/Time, or Duration."""

    sec: int
    nanosec: int


def seconds(stamp: Stamp) -> float:
    """A time message as seconds; exact to about 0.2 microseconds at today's epoch."""
    return stamp.sec + stamp.nanosec / NANOSECONDS


def serialized_stamp(data: bytes) -> int:
    """The stamp of a serialized message that begins with a header [ns], without decoding the rest.

    CDR: four bytes of which the second tells the byte order, then the stamp's seconds and nanoseconds.

    Args:
        data: at least ``SHORTEST_STAMPED`` bytes.
    """
    whole, rest = struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, 4)
    return int(whole) * NANOSECONDS + int(rest)
