#!/usr/bin/env python3
# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Everything that docs/performance.md quotes, measured anew and written as one page.

    python bench/report.py [--out bench_report.md] [--only act beside ...] [--quick]

Each part is a command of its own, which the page names; what a part prints is put under it as it is. Parts that this
machine cannot run, for want of a GPU, of memory or of ROS, say so. p50 and p99 need quiet: leave the machine alone.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from bench.support.hardware import hardware  # noqa: E402

SHIPPED = "models/tabletop"
FULL_SIZE_MEMORY = 14e9  # [B] of a full-size model in float32 and the plain form beside it
QUICK = {"--count": "2", "--warm-up": "1", "--plain": "1", "--tokens": "2", "--seconds": "1", "--acts": "2"}


@dataclass(frozen=True)
class Part:
    """One command of the page.

    Attributes:
        name: by which it is chosen.
        title: its heading.
        command: script and arguments.
        needs: of ``gpu``, ``memory``, ``bfloat16`` (of the processor) and ``ros``.
    """

    name: str
    title: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()


def parts() -> list[Part]:
    """What is measured, in order."""
    act = ("performance.py", SHIPPED, "--threads", "1", "--count", "60", "--plain", "10")
    cpu = ("--threads", str(os.cpu_count()), "--warm-up", "1")
    plain = (*cpu, "--count", "3", "--tokens", "6", "--plain", "1")
    quick = (*cpu, "--count", "4", "--tokens", "12")
    gpu = ("performance.py", "--device", "cuda", "--dtype", "bfloat16", "--count", "200", "--warm-up", "20")
    gpu += ("--plain", "20", "--tokens", "200")
    return [
        Part("act", "The shipped model on a CPU", act),
        Part("beside", "Acting while the model speaks", ("side_by_side.py", SHIPPED, "--threads", "1")),
        Part("graph", "From picture to command through the live graph", ("graph_latency.py", SHIPPED), ("ros",)),
        Part("joins", "Joins of chunks", ("joins.py", SHIPPED, "--episodes", "5")),
        *_full_size("expert", plain, quick),
        *_full_size("generalist", plain, quick),
        Part("gpu_expert", "Expert, published size, GPU", (gpu[0], "expert", *gpu[1:]), ("gpu",)),
        Part("gpu_generalist", "Generalist, published size, GPU", (gpu[0], "generalist", *gpu[1:]), ("gpu",)),
    ]


def _full_size(kind: str, plain: tuple[str, ...], quick: tuple[str, ...]) -> list[Part]:
    """The published size on a CPU: in float32 and in 8 bits against our plain form, and in bfloat16."""
    name, command = kind.capitalize(), ("performance.py", kind)
    return [
        Part(kind, f"{name}, published size, CPU, float32", (*command, *plain), ("memory",)),
        Part(
            f"{kind}_bfloat16", f"{name}, published size, CPU, bfloat16", (*command, *quick, "--dtype", "bfloat16"),
            ("memory", "bfloat16"),
        ),
        Part(f"{kind}_int8", f"{name}, published size, CPU, int8", (*command, *plain, "--dtype", "int8"), ("memory",)),
    ]  # fmt: skip


def lacks(part: Part) -> str:
    """What this machine lacks for a part, in words; empty for nothing."""
    if "gpu" in part.needs:
        import torch

        if not torch.cuda.is_available():
            return "torch sees no GPU here"
    if "memory" in part.needs and os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") < FULL_SIZE_MEMORY:
        return f"it takes {FULL_SIZE_MEMORY / 1e9:.0f} GB of memory"
    if "bfloat16" in part.needs:
        from instructvla_ros.model.loading import has_bfloat16

        if not has_bfloat16():
            return "this processor has no instructions for bfloat16, and is many times slower in it than in float32"
    if "ros" in part.needs and importlib.util.find_spec("rclpy") is None:
        return "rclpy is not importable: source a ROS 2 distribution or run make bench"
    return ""


def run(part: Part, quick: bool) -> str:
    """A part's section of the page.

    Args:
        part: to be measured.
        quick: with counts that only show that it runs.
    """
    command = list(part.command)
    for place, word in enumerate(command[:-1]):
        if quick and word in QUICK:
            command[place + 1] = QUICK[word]
    shown = f"## {part.title}\n\n`python bench/{' '.join(command)}`\n\n"
    missing = lacks(part)
    if missing:
        return f"{shown}Not run: {missing}.\n"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"} if "ros" in part.needs else None
    done = subprocess.run(
        [sys.executable, f"bench/{command[0]}", *command[1:]],
        cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        return f"{shown}Failed with exit code {done.returncode}:\n\n```\n{done.stderr[-2000:]}\n```\n"
    return f"{shown}{done.stdout.strip()}\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and write; the exit code is 1 where a part failed."""
    names = [part.name for part in parts()]
    parser = argparse.ArgumentParser(description="Everything that docs/performance.md quotes, as one page.")
    parser.add_argument("--out", type=Path, default=Path("bench_report.md"), help="default: bench_report.md")
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="parts to measure (default: all)")
    parser.add_argument("--quick", action="store_true", help="with counts that only show that the commands run")
    arguments = parser.parse_args(argv)
    day = time.strftime("%Y-%m-%d")
    page = [f"# Performance, measured on {day}\n\n{hardware()}. p50, p95 and p99 are percentiles.\n"]
    print(page[0])
    for part in parts():
        if part.name in arguments.only:
            page.append(run(part, arguments.quick))
            print(page[-1], flush=True)
            arguments.out.write_text("\n".join(page), encoding="utf-8")
    return int(any("\nFailed with exit code" in section for section in page))


if __name__ == "__main__":
    sys.exit(main())
