# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How long the network takes on this machine: encoding a frame, each token of reasoning, one action chunk.

From the repository's root: `PYTHONPATH=. python bench/model_latency.py RUN_DIR [--device cuda] [--dtype bfloat16]`.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from instructvla_ros.model import InstructVLA

INSTRUCTION = "pick up the red block and put it in the bowl"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the latency of an InstructVLA model.")
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--base-vlm", type=Path, default=None)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16", "float16"))
    parser.add_argument("--count", type=int, default=30, help="measured repetitions (default: 30)")
    parser.add_argument("--warm-up", type=int, default=5, help="repetitions before that (default: 5)")
    parser.add_argument("--threads", type=int, default=None, help="torch threads on a CPU (default: torch's choice)")
    arguments = parser.parse_args(argv)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    model = InstructVLA.from_pretrained(
        arguments.run_dir, arguments.base_vlm, arguments.device, getattr(torch, arguments.dtype)
    )
    random = np.random.default_rng(0)
    frames = [random.integers(0, 256, (480, 640, 3), dtype=np.uint8) for _ in range(model.num_views)]
    state = np.zeros(model.state_size) if model.uses_state else None
    dataset = model.datasets[0]

    def encode() -> int:
        with torch.inference_mode():
            model.encode_images(model.prepare_frames(frames))
        return 1

    def reason() -> int:
        return len(model.reason(frames, INSTRUCTION).token_ids)

    def act() -> int:
        model.act(frames, INSTRUCTION, state, dataset=dataset)
        return 1

    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(f"model     {arguments.run_dir}, {parameters / 1e6:,.1f} M parameters, {arguments.dtype}")
    print(f"hardware  {_hardware(model.device)}")
    print(f"software  torch {torch.__version__}, Python {platform.python_version()}")
    print(f"{'':18}{'count':>6}{'p50':>10}{'p95':>10}{'p99':>10}   [ms]")
    for name, step in (("encode a frame", encode), ("reason, per token", reason), ("act", act)):
        times = _measure(step, arguments.warm_up, arguments.count, model.device)
        row = "".join(f"{value:10.2f}" for value in np.percentile(times, (50, 95, 99)))
        print(f"{name:18}{len(times):6}{row}")
    return 0


def _measure(step: Callable[[], int], warm_up: int, count: int, device: torch.device) -> list[float]:
    """Times of one step [ms]; a step says how many pieces of work it was and is timed per piece."""
    times = []
    for index in range(warm_up + count):
        _finish(device)
        started = time.perf_counter()
        pieces = step()
        _finish(device)
        if index >= warm_up:
            times.append((time.perf_counter() - started) * 1e3 / pieces)
    return times


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{name}, {os.cpu_count()} cores, {torch.get_num_threads()} torch threads"


if __name__ == "__main__":
    sys.exit(main())
