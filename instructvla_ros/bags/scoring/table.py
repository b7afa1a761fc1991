# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A score for the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from instructvla_ros.bags.scoring.figures import figures_of
from instructvla_ros.bags.scoring.metrics import DIMENSIONS, Errors
from instructvla_ros.bags.scoring.scores import BagScore, PolicyScore

_ROWS = (
    ("gripper disagreement", "gripper_disagreement", "share", 100.0, "%"),
    ("join, p50", "join_p50_mm", "mm", 1.0, ""),
    ("join, p95", "join_p95_mm", "mm", 1.0, ""),
    ("join, p50", "join_p50_mrad", "mrad", 1.0, ""),
    ("join, p95", "join_p95_mrad", "mrad", 1.0, ""),
    ("held", "held_share", "share", 100.0, "%"),
    ("a limit would act", "limited_share", "share", 100.0, "%"),
)


def lines_of(scores: Sequence[PolicyScore]) -> Iterator[str]:
    """Lines of the report; with several policies their numbers stand side by side."""
    for bag in scores[0].bags:
        yield from _about(bag)
    errors = [score.errors for score in scores]
    figures = [figures_of(score) for score in scores]
    names = [score.name for score in scores]
    yield ""
    yield from _table(
        ("mean error of a step", *(f"{name}" for name in names), "not moving"),
        [
            ("translation [mm]", *(_number(e.translation.mean) for e in errors), _number(errors[0].still_translation)),
            ("rotation [mrad]", *(_number(e.rotation.mean) for e in errors), _number(errors[0].still_rotation)),
            *(_dimension(name, errors) for name in DIMENSIONS),
        ],
    )
    yield ""
    yield from _horizon(names, errors)
    yield ""
    rows = []
    for label, key, unit, factor, sign in _ROWS:
        shown = "" if sign else f" [{unit}]"
        rows.append((f"{label}{shown}", *(f"{_number(factor * value[key])}{sign}" for value in figures)))
    limits = sorted({key for value in figures for key in value if key.startswith("limit.")})
    for key in limits:
        rows.append((f"  {key[6:]}", *(f"{_number(100.0 * value.get(key, 0.0))}%" for value in figures)))
    rows.append(
        (
            "latency p50, p95, p99 [ms]",
            *(", ".join(f"{value[f'latency_p{p}_ms']:.0f}" for p in (50, 95, 99)) for value in figures),
        )
    )
    rows.append(("speed against real time", *(_speed(value["time_share"]) for value in figures)))
    yield from _table(("", *names), rows)


def _about(bag: BagScore) -> Iterator[str]:
    held = f", {bag.held.total()} held" if bag.held else ""
    yield f"{bag.path}: {bag.duration:.1f} s, {bag.looks} observations, {len(bag.chunks)} chunks{held}"
    yield f"  against {bag.reference.name}: {bag.aligned.observations} observations" + (
        f"; {bag.aligned.left_out} steps left out (stopped, or another instruction)" if bag.aligned.left_out else ""
    )
    for reason, count in bag.held.most_common(3):
        yield f"  held {count} times: {reason}"
    for note in bag.notes:
        yield f"  note: {note}"


def _dimension(name: str, errors: Sequence[Errors]) -> tuple[str, ...]:
    unit = "mm" if name in DIMENSIONS[:3] else "mrad"
    return (
        f"  {name} [{unit}]",
        *(f"{_number(e.dimensions[name].mean)} (bias {e.dimensions[name].bias:+.2f})" for e in errors),
        _number(errors[0].dimensions[name].moved),
    )


def _horizon(names: Sequence[str], errors: Sequence[Errors]) -> Iterator[str]:
    longest = max((len(e.horizon) for e in errors), default=0)
    heads = ["step"]
    for name in names:
        heads += [f"{name}: [mm]", "[mrad]", "away at its end [mm]", "gripper"]
    rows = []
    for step in range(longest):
        row = [str(step + 1)]
        for entry in errors:
            if step < len(entry.horizon):
                at = entry.horizon[step]
                agreement = f"{_number(100.0 * at.gripper_agreement)}%"
                row += [_number(at.translation), _number(at.rotation), _number(at.end_translation), agreement]
            else:
                row += [""] * 4
        rows.append(tuple(row))
    yield from _table(tuple(heads), rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(line[column]) for line in (heads, *rows)) for column in range(len(heads))]
    for line in (heads, *rows):
        cells = [
            line[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
        ]
        yield "  ".join(cells).rstrip()


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}" if abs(value) < 100.0 else f"{value:.0f}"


def _speed(share: float) -> str:
    return "-" if math.isnan(share) or share <= 0.0 else f"{1.0 / share:.1f} x"
