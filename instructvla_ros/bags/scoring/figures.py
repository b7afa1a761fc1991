# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A score as named numbers: what thresholds are set on, and what a table, JSON and the page show."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from instructvla_ros.bags.scoring.metrics import DIMENSIONS, Spread
from instructvla_ros.bags.scoring.scores import BagScore, PolicyScore

FIGURES: dict[str, str] = {
    "translation_mm": "mean length of a step's translation error [mm]",
    "translation_p95_mm": "its 95th percentile [mm]",
    "translation_share": "its mean over that of a policy that does not move: below 1 it is better than none",
    "rotation_mrad": "mean length of a step's rotation error [mrad]",
    "rotation_p95_mrad": "its 95th percentile [mrad]",
    "first_translation_mm": "mean translation error of the first step of the chunk [mm]",
    "first_rotation_mrad": "mean rotation error of the first step of the chunk [mrad]",
    "end_translation_mm": "mean distance from the recording at the end of the chunk's last known step [mm]",
    "end_rotation_mrad": "likewise [mrad]",
    **{f"{name}_mm": f"mean absolute error along {name} [mm]" for name in DIMENSIONS[:3]},
    **{f"{name}_mrad": f"mean absolute error about {name[1]} [mrad]" for name in DIMENSIONS[3:]},
    "gripper_disagreement": "share of steps in which one gripper is open and the other closed",
    "join_p50_mm": "median change of mind between a chunk and the next: translation of the same step [mm]",
    "join_p95_mm": "its 95th percentile [mm]",
    "join_p50_mrad": "the same of rotation, median [mrad]",
    "join_p95_mrad": "its 95th percentile [mrad]",
    "held_share": "share of observations that the policy did not act on",
    "limited_share": "share of chunks in which a limit of the safety filter would have acted",
    "latency_p50_ms": "time to make a chunk here, median [ms]",
    "latency_p95_ms": "its 95th percentile [ms]",
    "latency_p99_ms": "its 99th percentile [ms]",
    "time_share": "time that scoring took over the length of the recordings: below 1 it is faster than real time",
}
"""Names and what they mean. Besides them ``limit.<name>``: share of chunks in which that limit would have acted."""


def figures_of(score: PolicyScore) -> dict[str, float]:
    """All figures of a score; NaN for what is not known."""
    errors, joins, bags = score.errors, 1e3 * score.joins, score.bags
    known = [step for step in errors.horizon if step.count]
    first, last = (known[0], known[-1]) if known else (None, None)
    nan = math.nan
    shifts, turns = Spread.of(joins[:, 0]), Spread.of(joins[:, 1])
    latencies = np.array([value for bag in bags for value in bag.latencies])
    p50, p95, p99 = 1e3 * np.percentile(latencies, (50, 95, 99)) if len(latencies) else (nan, nan, nan)
    chunks, held = sum(len(bag.chunks) for bag in bags), sum(bag.held.total() for bag in bags)
    figures = {
        "translation_mm": errors.translation.mean,
        "translation_p95_mm": errors.translation.p95,
        "translation_share": _ratio(errors.translation.mean, errors.still_translation),
        "rotation_mrad": errors.rotation.mean,
        "rotation_p95_mrad": errors.rotation.p95,
        "first_translation_mm": first.translation if first else nan,
        "first_rotation_mrad": first.rotation if first else nan,
        "end_translation_mm": last.end_translation if last else nan,
        "end_rotation_mrad": last.end_rotation if last else nan,
        **{f"{name}_mm": errors.dimensions[name].mean for name in DIMENSIONS[:3]},
        **{f"{name}_mrad": errors.dimensions[name].mean for name in DIMENSIONS[3:]},
        "gripper_disagreement": 1.0 - errors.gripper_agreement,
        "join_p50_mm": shifts.p50,
        "join_p95_mm": shifts.p95,
        "join_p50_mrad": turns.p50,
        "join_p95_mrad": turns.p95,
        "held_share": _ratio(held, chunks + held),
        "limited_share": nan,
        "latency_p50_ms": float(p50),
        "latency_p95_ms": float(p95),
        "latency_p99_ms": float(p99),
        "time_share": _ratio(sum(bag.seconds for bag in bags), sum(bag.duration for bag in bags)),
    }
    filtered = [bag.filtered for bag in bags if bag.filtered is not None]
    given = sum(entry.chunks for entry in filtered)
    if filtered:
        figures["limited_share"] = _ratio(sum(entry.limited for entry in filtered), given)
    for name in sorted({name for entry in filtered for name in entry.limits}):
        acted = sum(entry.limits[name].chunks for entry in filtered if name in entry.limits)
        figures[f"limit.{name}"] = _ratio(acted, given)
    return figures


def above(figures: Mapping[str, float], thresholds: Mapping[str, float]) -> list[str]:
    """Sentences on the figures that are above their thresholds, or not known; empty if none is.

    A limit that never acted counts as 0.
    """
    found = []
    for name, most in thresholds.items():
        value = figures.get(name, 0.0 if name.startswith("limit.") else math.nan)
        if math.isnan(value):
            found.append(f"{name} is not known for these recordings, so it cannot be held to {most:g}")
        elif value > most:
            found.append(f"{name} is {value:.6g}, above {most:g}")
    return found


def as_json(score: PolicyScore) -> dict[str, Any]:
    """All of a score but pictures, in plain types; None for what is not known."""
    errors = score.errors
    return _plain(
        {
            "name": score.name,
            "figures": figures_of(score),
            "errors": {**asdict(errors), "horizon": [asdict(step) for step in errors.horizon]},
            "bags": [_bag(bag) for bag in score.bags],
        }
    )


def _bag(bag: BagScore) -> dict[str, Any]:
    filtered = bag.filtered
    return {
        "path": bag.path,
        "start": bag.start,
        "duration": bag.duration,
        "against": bag.reference.name,
        "observations": bag.looks,
        "chunks": len(bag.chunks),
        "held": dict(bag.held),
        "steps_left_out": bag.aligned.left_out,
        "words": [{"stamp": stamp, "text": text} for stamp, text in bag.words],
        "seconds": bag.seconds,
        "limits": None
        if filtered is None
        else {
            name: {"chunks": count.chunks, "steps": count.steps, "first": count.example, "stamp": count.stamp}
            for name, count in sorted(filtered.limits.items())
        },
        "notes": bag.notes,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan
