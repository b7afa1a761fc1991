# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`ros2 run instructvla_ros check_bag BAG...`: what is in bags, and what is wrong with them. Needs no ROS."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from instructvla_ros.bags.findings import said
from instructvla_ros.bags.reading import Bag, BagReadingError
from instructvla_ros.timing import NANOSECONDS


def report(bag: Bag) -> list[str]:
    """Lines for people, after all messages have been read and decoded."""
    for _ in bag.decoded():
        pass
    lines = [f"{bag.path}: no messages"]
    if bag.count:
        duration = (bag.end - bag.start) / NANOSECONDS
        lines = [f"{bag.path}: {bag.count} messages, {said(bag.start)} to {said(bag.end)} (UTC), {duration:.3f} s"]
    lines += [
        f"  {topic.count:>8}  {name}  {topic.message_type or 'of unknown type'}{'  latched' * topic.quality.latched}"
        for name, topic in sorted(bag.topics.items())
    ]
    return [*lines, *(f"  {finding.trouble.name}: {finding}" for finding in bag.findings)]


def main(argv: Sequence[str] | None = None) -> int:
    """Check bags; 0: nothing is wrong, 1: something was found, 2: one cannot be read at all."""
    parser = argparse.ArgumentParser(description="What is in bags, and what is wrong with them.")
    parser.add_argument("bags", type=Path, nargs="+", help="folders, or lone .mcap or .db3 files")
    worst = 0
    for path in parser.parse_args(argv).bags:
        try:
            with Bag(path) as bag:
                print("\n".join(report(bag)))
                worst = max(worst, int(bool(bag.findings)))
        except BagReadingError as error:
            print(f"error: {error}", file=sys.stderr)
            worst = 2
    return worst


if __name__ == "__main__":
    sys.exit(main())
