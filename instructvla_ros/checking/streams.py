# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rates and stamps of a topic that was listened to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from instructvla_ros.checking.findings import Finding, error, good, warning
from instructvla_ros.checking.seen import Stream

_SHOWN = 6


def judge_stream(stream: Stream, longest: float, future: float, what: str, faster: str) -> Iterator[Finding]:
    """Whether messages come often enough and are young enough.

    Args:
        stream: at least one message came.
        longest: oldest that is acted on [s].
        future: how far a stamp may lie ahead of our clock [s].
        what: the messages, in words.
        faster: what to do where they come too seldom.
    """
    if any(math.isinf(age) for age in stream.ages):
        yield error(
            stream.topic,
            "its messages have no time stamp (header.stamp is zero)",
            "the driver must stamp them when they are measured: nobody can tell how old they are",
        )
        return
    if len(stream.arrivals) < 2:
        yield error(stream.topic, f"only one message came; {what} must not be older than {longest:g} s", faster)
        return
    fine = True
    if stream.period > longest:
        fine = False
        yield error(
            stream.topic,
            f"comes at {stream.rate:.3g} Hz, one every {stream.period:.2f} s; {what} must not be older than "
            f"{longest:g} s",
            faster,
        )
    youngest, age = min(stream.ages), stream.age
    if youngest < -future:
        fine = False
        yield error(
            stream.topic,
            f"is stamped up to {-youngest:.3f} s in the future, more than {future:g} s",
            "the clock of its sender is ahead of this machine's: synchronise both (chrony), see docs/two_machines.md",
        )
    elif age > longest:
        fine = False
        yield error(
            stream.topic,
            f"is {age:.3f} s old when it comes, more than {longest:g} s",
            "the clock of its sender is behind this machine's (chrony), or the link is slow: "
            "try image_transport:=compressed; see docs/two_machines.md",
        )
    gaps = np.diff(stream.arrivals)
    if fine and float(gaps.max()) > longest:
        yield warning(
            stream.topic,
            f"{stream.rate:.3g} Hz, but once nothing came for {gaps.max():.2f} s, longer than {longest:g} s",
            "look at the load of both machines and at the link",
        )
    elif fine:
        yield good(stream.topic, f"{stream.rate:.3g} Hz, {1000 * age:.0f} ms old when it comes")


def nobody_publishes(stream: Stream, what: str, key: str, topics: Mapping[str, tuple[str, ...]]) -> Finding:
    """No message came: why, as far as it can be told.

    Args:
        stream: without messages.
        what: it should carry, in words.
        key: of the profile that names it.
        topics: of the graph, types by name, from which others are proposed.
    """
    types = sorted({publisher.type for publisher in stream.publishers})
    if stream.type in types:
        by = ", ".join(publisher.node for publisher in stream.publishers)
        return error(
            stream.topic,
            f"{by} publishes it, but nothing arrives",
            "is the sensor running? Between machines: multicast, firewall and ROS_DOMAIN_ID, see docs/two_machines.md",
        )
    if types:
        return error(
            stream.topic,
            f"carries {', '.join(types)}, expected {stream.type}",
            f"correct {key} of the profile",
        )
    others = sorted(name for name, kinds in topics.items() if stream.type in kinds and name != stream.topic)
    there = f"; topics of this type: {', '.join(others[:_SHOWN])}" if others else ""
    return error(
        stream.topic,
        f"nobody publishes {what}{there}",
        f"start its driver, or correct {key} of the profile",
    )
