# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a step of each training stage takes, in process CPU time, which other work on the machine changes little.

From the repository's root: `OMP_NUM_THREADS=1 PYTHONPATH=. python bench/training_step.py DATASET [--config tabletop]`.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from instructvla_ros.training.processes import start_processes
from instructvla_ros.training.recipe import new_heads
from instructvla_ros.training.settings import PRECISIONS, TrainingSettings
from instructvla_ros.training.train import Training

_WARM_UP = 3  # steps


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="CPU time of a step of each training stage, from untrained weights.")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--config", default="tabletop")
    parser.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto")
    parser.add_argument("--steps", type=int, default=10)
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    settings = TrainingSettings.load(arguments.config)
    data = replace(settings.data, folder=arguments.dataset)
    settings = replace(settings, data=data, precision=PRECISIONS.get(arguments.precision))
    with tempfile.TemporaryDirectory() as folder:
        training = Training(settings, Path(folder), start_processes("cpu"), curves=False)
        training.read()
        model, _ = training.begin()
        print(f"{training.precision}, one thread, {arguments.steps} steps after {_WARM_UP} of warm-up [s]")
        for name in settings.stages:
            model = training._grown(model, name)
            stage, module = training._stage(name, model, new_heads(model, settings.seed))
            module.train()
            times = []
            for _ in range(_WARM_UP + arguments.steps):
                begun = time.process_time()
                stage._step(tqdm(disable=True))
                times.append(time.process_time() - begun)
            p50, p95, p99 = np.percentile(times[_WARM_UP:], (50, 95, 99))
            print(f"{name}: p50 {p50:.2f}, p95 {p95:.2f}, p99 {p99:.2f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
