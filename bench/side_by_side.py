#!/usr/bin/env python3
# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Acting at a fixed rate: alone, with latent actions used twice, and with the model speaking beside it all the time.

    python bench/side_by_side.py RUN_DIR [--rate 10] [--seconds 20] [--threads 2] [--device cuda] [--dtype bfloat16]

The act loop of the node, on two threads, with a fresh picture and joint state for every act. The time of an act holds
its wait for the turn at the model: a word at most, or the beginning of a text, which reads picture and prompt at once.
With latent actions used twice, the language model looks at every other picture (`acts_per_latent: 2` of a profile).
"""

import argparse
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from bench.support.hardware import hardware  # noqa: E402
from instructvla_ros.model import InstructVLA  # noqa: E402
from instructvla_ros.model.loading import load_for_running  # noqa: E402
from instructvla_ros.policy.act_loop import ActLoop  # noqa: E402
from instructvla_ros.policy.policy import Policy  # noqa: E402
from instructvla_ros.policy.profile import ReasoningSettings, RobotProfile  # noqa: E402
from instructvla_ros.robot.joint_state import JointState  # noqa: E402
from instructvla_ros.sim.arm_model import ARM_JOINTS, FINGER_OPEN, GRIPPER_JOINT, HOME  # noqa: E402
from instructvla_ros.sim.execution import arm_chain  # noqa: E402
from instructvla_ros.timing import FixedRateThread  # noqa: E402

INSTRUCTION = "pick up the red cube"
WARM_UP = 2.0  # [s]


class Run:
    """One loop at work.

    Args:
        model: the network.
        rate: of acting [Hz].
        speaks: whether the model speaks beside it, one text after the other.
        acts_per_latent: how many acts follow one look of the language model.
    """

    def __init__(self, model: InstructVLA, rate: float, speaks: bool, acts_per_latent: int = 1) -> None:
        settings = ReasoningSettings("always" if speaks else "never", 1e-6)
        profile = replace(RobotProfile.load("sim"), reasoning=settings, acts_per_latent=acts_per_latent)
        self.words = 0
        self.loop = ActLoop(
            Policy(model, profile, arm_chain(), dataset=model.datasets[0], seed=0), on_reasoning=self._count
        )
        self.loop.set_instruction(INSTRUCTION)
        noise = np.random.default_rng(0)
        self._pictures = [noise.integers(0, 256, (480, 480, 3), dtype=np.uint8) for _ in range(8)]
        self._ticks = 0
        self._names, self._positions = (*ARM_JOINTS, GRIPPER_JOINT), np.array([*HOME, FINGER_OPEN])
        self._thread = FixedRateThread("policy", 1.0 / rate, self._tick)
        self._ending = False

    def measure(self, seconds: float) -> tuple[np.ndarray, int, int, float]:
        """Times of acts [s], ticks, deadlines missed, words a second."""
        thinking = threading.Thread(target=self._think)
        self._thread.start()
        thinking.start()
        time.sleep(WARM_UP)
        ticks, misses, words, begun = self._thread.ticks, self._thread.misses, self.words, time.monotonic()
        self.loop.act_times.clear()
        time.sleep(seconds)
        figures = (
            np.array(self.loop.act_times.percentiles(50, 95, 99)),
            self._thread.ticks - ticks,
            self._thread.misses - misses,
            (self.words - words) / (time.monotonic() - begun),
        )
        self._ending = True
        self.loop.close()
        self._thread.stop()
        thinking.join()
        return figures

    def _tick(self) -> None:
        now = time.monotonic()
        self._ticks += 1
        self.loop.put_image("primary", now, self._pictures[self._ticks % len(self._pictures)])
        self.loop.put_joint_state(JointState(now, self._names, self._positions))
        self.loop.tick(now)

    def _think(self) -> None:
        while not self._ending:
            if not self.loop.think(time.monotonic()):
                self.loop.wait_to_think(0.05)

    def _count(self, update: object) -> None:
        self.words += 1


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Acting at a fixed rate, without and with reasoning beside it.")
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--rate", type=float, default=10.0, help="of acting [Hz] (default: 10)")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement (default: 20)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16", "float16"))
    parser.add_argument("--threads", type=int, default=None, help="of a CPU (default: torch's choice)")
    arguments = parser.parse_args(argv)
    model = load_for_running(
        arguments.run_dir, device=arguments.device, dtype=arguments.dtype, threads=arguments.threads or 0
    )
    print(f"{arguments.run_dir}, {arguments.dtype}, {arguments.rate:g} Hz asked for, {arguments.seconds:g} s each")
    print(f"{hardware()}, {torch.get_num_threads()} torch threads")
    heads = ("", "acts", "deadlines missed", "p50 [ms]", "p95 [ms]", "p99 [ms]", "tokens a second")
    print(f"\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for name, speaks, acts in (
        ("acting alone", False, 1), ("latent actions used twice", False, 2), ("speaking beside it", True, 1)
    ):  # fmt: skip
        times, ticks, misses, words = Run(model, arguments.rate, speaks, acts).measure(arguments.seconds)
        percentiles = " | ".join(f"{1e3 * value:.1f}" for value in times)
        print(f"| {name} | {ticks} | {misses} | {percentiles} | {words:.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
