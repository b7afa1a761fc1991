# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Score a policy on recordings, without a robot and without ROS.

    ros2 run instructvla_ros score BAG [BAG ...] --checkpoint RUN --robot PROFILE
    python -m instructvla_ros.bags.score recordings/sim_stop --checkpoint models/tabletop --robot sim --html score.html

The policy acts on the recorded observations, as policy_node would; its chunks are held against what was done.

Exit code: 0, or 3 where a figure is above its threshold or chunks are not those expected, 2 for wrong arguments, 1
where it cannot be scored.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from instructvla_ros.bags.origin import checkpoint_hashes, versions
from instructvla_ros.bags.scoring.actions import KINDS
from instructvla_ros.bags.scoring.chunks_file import KeptChunks, differences
from instructvla_ros.bags.scoring.figures import FIGURES, above, as_json, figures_of
from instructvla_ros.bags.scoring.page import page_of
from instructvla_ros.bags.scoring.scores import LOOKS, PolicyScore, Settings, score_bag
from instructvla_ros.bags.scoring.table import lines_of
from instructvla_ros.bags.scoring.topics import Given
from instructvla_ros.policy.policy import Policy
from instructvla_ros.policy.profile import REASONING_MODES, RobotProfile
from instructvla_ros.safety import SafetyLimits

if TYPE_CHECKING:
    from instructvla_ros.model import InstructVLA

NOT_GOOD_ENOUGH = 3
"""Exit code where a figure is above its threshold, or chunks are not those expected."""


def main(argv: Sequence[str] | None = None) -> int:
    """Score from the command line."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        thresholds = dict(_threshold(text) for text in arguments.fail_above)
    except ValueError as error:
        parser.error(str(error))
    try:
        profile = RobotProfile.load(arguments.robot)
        expected = None if arguments.expect is None else KeptChunks.load(arguments.expect)
        settings = _settings(arguments, profile)
        checkpoints = [arguments.checkpoint, *([arguments.compare] if arguments.compare else [])]
        scores = [_score(arguments, checkpoint, profile, settings) for checkpoint in checkpoints]
        for name, score in zip(_names(checkpoints), scores, strict=True):
            score.name = name
        print("\n".join(lines_of(scores)))
        # hashing a checkpoint takes a while
        if any((arguments.json, arguments.html, arguments.save, arguments.expect)):
            about = _about(arguments, profile)
            made = KeptChunks.of(_named_chunks(scores[0]), about)
            _write(arguments, scores, about, made)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    wrong = above(figures_of(scores[0]), thresholds)
    if expected is not None:
        wrong += differences(expected, made, arguments.tolerance)
    for sentence in wrong:
        print(f"not good enough: {sentence}", file=sys.stderr)
    return NOT_GOOD_ENOUGH if wrong else 0


def _parser() -> argparse.ArgumentParser:
    meanings = {**FIGURES, "limit.<name>": "share of chunks in which that limit would have acted"}
    figures = "\n".join(f"  {name:22} {meaning}" for name, meaning in meanings.items())
    parser = argparse.ArgumentParser(
        description="Hold a policy against recordings, without a robot.",
        epilog=f"figures for --fail-above:\n{figures}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bags", type=Path, nargs="+", metavar="BAG", help="rosbag2 folders, or .mcap or .db3 files")
    parser.add_argument("--checkpoint", required=True, help="run folder of the model, or one checkpoint in it")
    parser.add_argument("--robot", required=True, help="robot profile: a name in config/robots, or a YAML file")
    parser.add_argument("--compare", default="", metavar="RUN", help="a second model, to stand beside the first")

    what = parser.add_argument_group("what is scored")
    what.add_argument(
        "--at",
        choices=LOOKS,
        default="ticks",
        help="observations: those a policy at the profile's rate would see, every frame, those of the recorded chunks",
    )
    what.add_argument("--rate", type=float, default=None, help="of the ticks [Hz] (the profile's)")
    what.add_argument(
        "--against",
        choices=KINDS,
        default=None,
        help=f"recorded actions (the first that a bag has of {', '.join(KINDS)})",
    )
    what.add_argument("--instruction", default=None, help="what was asked (what the bag says)")
    what.add_argument("--urdf", type=Path, default=None, help="the robot's description (the bag's, or the profile's)")
    what.add_argument("--limits", default="", help="of the safety filter (the profile's); none: it is not run")
    what.add_argument("--image", default="", help="topic of the third-person camera (the profile's)")
    what.add_argument("--wrist-image", default="", help="topic of the wrist camera (the profile's)")
    what.add_argument("--joint-states", default="", help="topic (the profile's)")
    what.add_argument("--instruction-topic", default="", help="topic (instruction)")
    what.add_argument("--pose", default="", help="topic of a measured pose of the gripper (the profile's)")

    how = parser.add_argument_group("how the policy runs")
    how.add_argument("--seed", type=int, default=0, help="of the flow's noise (default: 0)")
    how.add_argument("--reasoning", choices=REASONING_MODES, default=None, help="(the profile's)")
    how.add_argument("--dataset", default=None, help="key into the model's statistics (the profile's)")
    how.add_argument("--inference-time", type=float, default=0.0, help="that the network is said to take [s] (0)")
    how.add_argument("--device", default="auto", help="auto, cpu, cuda, ...")
    how.add_argument("--dtype", default="auto", help="auto, float32 or bfloat16")
    how.add_argument("--threads", type=int, default=0, help="of torch on the CPU; 0: as it likes")
    how.add_argument("--base-vlm", default="", help="folder of the base model, if it is not beside the run")

    out = parser.add_argument_group("what comes of it")
    out.add_argument("--json", type=Path, default=None, metavar="FILE", help="write all numbers")
    out.add_argument("--html", type=Path, default=None, metavar="FILE", help="write a page with plots and pictures")
    out.add_argument("--pictures", type=int, default=6, help="on the page: so many evenly, so many of the worst (6)")
    out.add_argument("--save", type=Path, default=None, metavar="FILE", help="keep the chunks")
    out.add_argument("--expect", type=Path, default=None, metavar="FILE", help="fail unless the chunks are those kept")
    out.add_argument("--tolerance", type=float, default=0.0, help="for --expect [m, rad]; 0: every bit is the same")
    out.add_argument(
        "--fail-above",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="fail if a figure of --checkpoint is above",
    )
    return parser


def _threshold(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    if name not in FIGURES and not name.startswith("limit."):
        raise ValueError(
            f"--fail-above {text}: there is no figure {name!r}; there are {', '.join(FIGURES)}, limit.<name>"
        )
    try:
        return name, float(value)
    except ValueError:
        raise ValueError(f"--fail-above {text}: {value!r} is no number; say {name}=5, for example") from None


def _settings(arguments: argparse.Namespace, profile: RobotProfile) -> Settings:
    given = {"primary": arguments.image, "wrist": arguments.wrist_image}
    return Settings(
        at=arguments.at,
        rate=arguments.rate,
        against=arguments.against,
        instruction=arguments.instruction,
        reasoning=arguments.reasoning,
        dataset=arguments.dataset,
        seed=arguments.seed,
        inference_time=arguments.inference_time,
        topics=Given(
            {view: topic for view, topic in given.items() if topic},
            arguments.joint_states,
            arguments.instruction_topic,
            arguments.pose,
        ),
        urdf=None if arguments.urdf is None else arguments.urdf.read_text(encoding="utf-8"),
        limits=None if arguments.limits == "none" else SafetyLimits.load(arguments.limits or profile.interface.limits),
        pictures=arguments.pictures if arguments.html else 0,
    )


def _score(arguments: argparse.Namespace, checkpoint: str, profile: RobotProfile, settings: Settings) -> PolicyScore:
    from instructvla_ros.model.loading import load_for_running

    model: InstructVLA = load_for_running(
        checkpoint, arguments.base_vlm, arguments.device, arguments.dtype, arguments.threads
    )
    # the first inference is slow, and no figure of the policy
    Policy(model, profile, None, dataset=arguments.dataset, check_chain=False).warm_up()
    bags = []
    for path in arguments.bags:
        progress = _Progress(f"{checkpoint} on {path}")
        bags.append(score_bag(path, model, profile, settings, progress.show))
        progress.clear()
    return PolicyScore(checkpoint, bags)


class _Progress:
    """How far it is, on one line of a terminal."""

    def __init__(self, what: str) -> None:
        self._what, self._shown, self._width = what, -1, 0

    def show(self, share: float) -> None:
        percent = int(100.0 * share)
        if sys.stderr.isatty() and percent != self._shown:
            self._shown = percent
            line = f"{self._what}: {percent} %"
            self._width = len(line)
            print(f"\r{line}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._width:
            print(f"\r{' ' * self._width}\r", end="", file=sys.stderr, flush=True)


def _names(checkpoints: Sequence[str]) -> list[str]:
    """Short names that differ."""
    short = [Path(checkpoint).expanduser().resolve().name for checkpoint in checkpoints]
    return short if len(set(short)) == len(short) else list(checkpoints)


def _named_chunks(score: PolicyScore) -> dict[str, list]:
    """Chunks by the bag's name; where names are the same, the later ones have a number."""
    named: dict[str, list] = {}
    for bag in score.bags:
        name, count = bag.name, 2
        while name in named:
            name, count = f"{bag.name} ({count})", count + 1
        named[name] = bag.chunks
    return named


def _about(arguments: argparse.Namespace, profile: RobotProfile) -> dict[str, str]:
    import torch

    hashes = [f"{name} {digest[:16]}" for name, digest in checkpoint_hashes(arguments.checkpoint).items()]
    told = versions()
    return {
        "checkpoint": ", ".join(hashes),
        "robot": profile.name,
        "seed": str(arguments.seed),
        "observations": f"{arguments.at}{'' if arguments.rate is None else f' at {arguments.rate:g} Hz'}",
        "device": f"{arguments.device} {arguments.dtype}, {torch.get_num_threads()} threads of {os.cpu_count()} cores",
        "package": told.get("instructvla_ros", "unknown"),
        "torch": told.get("torch", "unknown"),
        "numpy": np.__version__,
        "machine": told["machine"],
    }


def _write(
    arguments: argparse.Namespace, scores: Sequence[PolicyScore], about: Mapping[str, str], made: KeptChunks
) -> None:
    if arguments.json is not None:
        content = {"about": dict(about), "policies": [as_json(score) for score in scores]}
        arguments.json.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    if arguments.html is not None:
        arguments.html.write_text(page_of(scores, about), encoding="utf-8")
    if arguments.save is not None:
        made.save(arguments.save)


if __name__ == "__main__":
    sys.exit(main())
