# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How long an act and a word of reasoning take here, where the time goes, and how much our plain form would take.

    python bench/performance.py RUN_DIR [--device cuda] [--dtype bfloat16] [--threads 2] [--plain 5]

RUN_DIR is a run folder, or `expert` or `generalist` for random weights at the published size. The plain form (nothing
kept, nothing left out, nothing fused, same weights and type) is timed in the same run, before ours.
"""

import argparse
import json
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from bench.support.hardware import hardware  # noqa: E402
from bench.support.plain import PUBLISHED_FILM_DEPTH, PlainModel  # noqa: E402
from bench.support.stage_clock import StageClock  # noqa: E402
from instructvla_ros.model import InstructVLA  # noqa: E402
from instructvla_ros.model.images import dino_pixels, language_pixels  # noqa: E402
from instructvla_ros.model.loading import INT8, usual_type  # noqa: E402
from instructvla_ros.model.prompt import Prompts  # noqa: E402
from instructvla_ros.model.published import published_sizes  # noqa: E402
from instructvla_ros.model.statistics import Statistics  # noqa: E402
from instructvla_ros.model.untrained import BASE_FOLDER, statistics, write_untrained  # noqa: E402

INSTRUCTION = "pick up the red block and put it in the bowl"
PERCENTILES = (50, 95, 99)
PUBLISHED = {"expert": 1, "generalist": 2}
_IMAGE_TOKENS, _QUERIES = 256, 64
_SCENES = 8


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure acting and reasoning, ours and plain.")
    parser.add_argument("run_dir", help="a run folder, or expert or generalist: random weights at the published size")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16", "float16", INT8))
    parser.add_argument("--count", type=int, default=50, help="acts measured (default: 50)")
    parser.add_argument("--warm-up", type=int, default=5, help="acts before that (default: 5)")
    parser.add_argument("--tokens", type=int, default=24, help="of reasoning, timed after the first (default: 24)")
    parser.add_argument("--plain", type=int, default=0, help="acts of the plain form (default: none)")
    parser.add_argument("--threads", type=int, default=None, help="of a CPU (default: torch's choice)")
    parser.add_argument("--json", type=Path, default=None, help="file for the figures")
    arguments = parser.parse_args(argv)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    int8 = arguments.dtype == INT8
    others = usual_type(arguments.device, arguments.run_dir in PUBLISHED)
    kind = others if int8 else getattr(torch, arguments.dtype)
    model = _load(arguments.run_dir, torch.device(arguments.device), kind)
    random = np.random.default_rng(0)
    shape = (_SCENES, model.num_views, 480, 640, 3)
    scenes = [list(views) for views in random.integers(0, 256, shape, dtype=np.uint8)]
    state = np.zeros(model.state_size) if model.uses_state else None
    noise = random.standard_normal((model.chunk_length, model.action_size)).astype(np.float32)
    figures: dict[str, Any] = {
        "model": arguments.run_dir,
        "parameters [M]": round(sum(parameter.numel() for parameter in model.parameters()) / 1e6, 1),
        "dtype": f"int8 and {str(others).removeprefix('torch.')}" if int8 else arguments.dtype,
        "hardware": _hardware(model.device),
        "steps": "one by one",
        "software": f"torch {torch.__version__}, Python {platform.python_version()}",
    }
    plain_times, plain_actions, plain_words = _plain(model, scenes, state, noise, arguments)
    model.fuse(int8)
    if model.device.type == "cuda":
        figures["steps"] = "one by one" if model.record().recorded is None else "CUDA graphs"
    clock = StageClock(model)

    def act(index: int) -> np.ndarray:
        return model.act(scenes[index % len(scenes)], INSTRUCTION, state, None, noise, model.datasets[0]).raw

    for index in range(arguments.warm_up):
        act(index)
    times = [_timed(partial(act, index), model.device)[0] for index in range(arguments.count)]
    clock.attach()
    for index in range(max(arguments.count // 2, 3)):
        act(index)
        clock.act_done()
    rows = {"act": times, **clock.times, "preprocess": _preprocess_times(model, scenes, arguments.count)}
    figures["times [ms]"] = {name: _summary(values) for name, values in rows.items()}
    first, each = _speak(model, scenes, arguments.tokens, arguments.warm_up)
    figures["first token [ms]"], figures["token [ms]"] = _summary(first), _summary(each)
    figures["tokens a second"] = round(1.0 / float(np.median(each)), 1)
    if plain_times:
        figures["plain act [ms]"] = _summary(plain_times)
        figures["plain act / act, p50"] = round(float(np.median(plain_times) / np.median(times)), 2)
        figures["plain token / token, p50"] = round(plain_words / float(np.median(each)), 1)
        ours = act(0)
        figures["largest difference of raw actions"] = float(np.abs(ours - plain_actions).max())
    figures["memory [MB]"] = round(_memory(model.device) / 1e6)
    _print(figures)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def _load(run_dir: str, device: torch.device, dtype: torch.dtype) -> InstructVLA:
    if run_dir not in PUBLISHED:
        return InstructVLA.from_pretrained(run_dir, device=device, dtype=dtype)
    sizes = published_sizes(PUBLISHED[run_dir], state=True)
    with tempfile.TemporaryDirectory() as folder:
        prompts = Prompts(write_untrained(folder) / BASE_FOLDER, _QUERIES, _IMAGE_TOKENS)
    with torch.device("meta"):
        model = InstructVLA(sizes, prompts, Statistics(statistics()))
    model = model.to(dtype).to_empty(device=device)
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".norm" in name and name.endswith("weight") or name.endswith("_scale"):
                parameter.fill_(1.0)
            elif parameter.dim() > 1:
                parameter.normal_(std=parameter[0].numel() ** -0.5)
            else:
                parameter.zero_()
    return model.eval()


def _plain(
    model: InstructVLA, scenes: list[list[np.ndarray]], state: np.ndarray | None, noise: np.ndarray, arguments: Any
) -> tuple[list[float], np.ndarray, float]:
    """Times of acts of the plain form [s], its raw actions in the first scene, time of a token [s]."""
    if not arguments.plain:
        return [], np.zeros(0), 0.0
    published = arguments.run_dir in PUBLISHED
    plain = PlainModel(model, PUBLISHED_FILM_DEPTH if published else model.sizes.action_expert.vision.depth)
    actions = plain.act(scenes[0], INSTRUCTION, state, noise)[0].cpu().numpy()
    times = [
        _timed(partial(plain.act, scenes[index % len(scenes)], INSTRUCTION, state, noise), model.device)[0]
        for index in range(arguments.plain)
    ]
    tokens = min(4, arguments.tokens)
    spent, _ = _timed(partial(plain.speak, scenes[0], INSTRUCTION, tokens), model.device)
    return times, actions, spent / tokens


def _speak(
    model: InstructVLA, scenes: list[list[np.ndarray]], tokens: int, warm_up: int
) -> tuple[list[float], list[float]]:
    """Times to the first token and of each further one [s]; a text that ends early is begun anew."""
    first: list[float] = []
    each: list[float] = []
    index = 0
    while len(each) < tokens and index < 20 + warm_up:
        prompt = model.prompts.for_reasoning(INSTRUCTION)
        with torch.inference_mode():
            begun = time.perf_counter()
            embeddings = model.embed(prompt, model.encode_images(model.prepare_frames(scenes[index % len(scenes)])))
            moments = [begun]
            for _ in model.generate(embeddings, tokens + 1):
                moments.append(time.perf_counter())
        if index >= min(warm_up, 1):
            first.append(moments[1] - moments[0])
            each += np.diff(moments[1:]).tolist()
        index += 1
    return first, each or first


def _preprocess_times(model: InstructVLA, scenes: list[list[np.ndarray]], count: int) -> list[float]:
    tower, film = model.sizes.image_tower.image_size, model.sizes.action_expert.vision.image_size

    def preprocess(frames: list[np.ndarray]) -> None:
        prepared = model.prepare_frames(frames)
        language_pixels(prepared, tower)
        dino_pixels(prepared, film)

    cpu = torch.device("cpu")
    return [_timed(partial(preprocess, scenes[index % len(scenes)]), cpu)[0] for index in range(count)]


def _timed(step: Callable[[], Any], device: torch.device) -> tuple[float, Any]:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    outcome = step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started, outcome


def _summary(seconds: Sequence[float]) -> dict[str, float]:
    values = 1e3 * np.asarray(seconds)
    return {
        "count": len(values),
        **{f"p{p}": round(float(v), 3) for p, v in zip(PERCENTILES, np.percentile(values, PERCENTILES), strict=True)},
    }


def _memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _hardware(device: torch.device) -> str:
    host = f"{hardware()}, {torch.get_num_threads()} torch threads"
    return f"{torch.cuda.get_device_name(device)}; {host}" if device.type == "cuda" else host


def _print(figures: dict[str, Any]) -> None:
    for name, value in figures.items():
        if name == "times [ms]":
            heads = ["[ms]", "count", *(f"p{p}" for p in PERCENTILES)]
            print(f"\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
            for stage, row in value.items():
                print(f"| {stage} | {' | '.join(f'{number:g}' for number in row.values())} |")
            print()
        elif isinstance(value, dict):
            print(f"{name}: " + ", ".join(f"{key} {number:g}" for key, number in value.items()))
        else:
            print(f"{name}: {value}")


if __name__ == "__main__":
    sys.exit(main())
