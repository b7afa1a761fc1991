# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A score as one HTML page that needs nothing beside it: styles, plots and pictures are in it."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape

import numpy as np

from instructvla_ros.bags.scoring.figures import FIGURES, figures_of
from instructvla_ros.bags.scoring.metrics import DIMENSIONS
from instructvla_ros.bags.scoring.page_plots import chunk_plots, horizon_plots, time_plots
from instructvla_ros.bags.scoring.page_style import STYLE
from instructvla_ros.bags.scoring.scores import BagScore, PolicyScore, Shown
from instructvla_ros.robot.action_chunk import ActionChunk

STYLES = ("first", "second")
"""Classes of the style sheet, for one policy and the other."""

_TILES = (
    ("translation of a step", "translation_mm", 1.0, " mm"),
    ("of the error of not moving", "translation_share", 100.0, " %"),
    ("rotation of a step", "rotation_mrad", 1.0, " mrad"),
    ("gripper disagrees", "gripper_disagreement", 100.0, " %"),
    ("join, p95", "join_p95_mm", 1.0, " mm"),
    ("a limit would act", "limited_share", 100.0, " %"),
    ("latency, p95", "latency_p95_ms", 1.0, " ms"),
)


def page_of(scores: Sequence[PolicyScore], about: Mapping[str, str]) -> str:
    """The page.

    Args:
        scores: of one policy, or of two on the same bags.
        about: what made it, for its end.

    Returns:
        HTML.
    """
    figures = [figures_of(score) for score in scores]
    names = " and ".join(
        f'<span class="{style}">{escape(score.name)}</span>' for score, style in zip(scores, STYLES, strict=False)
    )
    bags = ", ".join(escape(bag.name) for bag in scores[0].bags)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Score on {bags}</title><style>{STYLE}</style></head><body>",
        f"<h1>{names} on {bags}</h1>",
        *_summary(scores[0]),
        f'<div class="tiles">{"".join(_tiles(figures))}</div>',
        "<h2>Error by step of the chunk</h2>",
        f'<div class="row">{"".join(plot.svg() for plot in horizon_plots(scores, STYLES))}</div>',
        "<h2>Error by dimension</h2>",
        *_dimensions(scores),
    ]
    for index, bag in enumerate(scores[0].bags):
        both = [score.bags[index] for score in scores]
        parts += [
            f"<h2>{escape(bag.name)} over time</h2>",
            *_over_time(both),
            *_limits(both, scores),
            *_held(both, scores),
        ]
        if bag.shown:
            parts += [
                "<h3>Observations</h3>",
                f'<p class="dim">Where the gripper goes from each: recorded, and by {names}.</p>',
                f'<div class="cards">{"".join(_cards(both))}</div>',
            ]
    parts += ["<h2>All figures</h2>", *_all_figures(scores, figures), "<h2>Made with</h2>", *_table(
        ("", ""), [(escape(key), f"<code>{escape(value)}</code>") for key, value in about.items()], words=True
    ), "</body></html>"]  # fmt: skip
    return "\n".join(parts)


def _summary(score: PolicyScore) -> Iterator[str]:
    for bag in score.bags:
        yield (
            f'<p class="dim"><code>{escape(bag.path)}</code>: {bag.duration:.1f} s, {bag.looks} observations, '
            f"{len(bag.chunks)} chunks, held against {escape(bag.reference.name)}"
            f"{f'; {bag.aligned.left_out} steps left out' if bag.aligned.left_out else ''}.</p>"
        )
        notes = "".join(f"<li>{escape(note)}</li>" for note in bag.notes)
        if notes:
            yield f'<ul class="dim">{notes}</ul>'


def _tiles(figures: Sequence[Mapping[str, float]]) -> Iterator[str]:
    for label, key, factor, unit in _TILES:
        values = "".join(
            f'<b class="{style if len(figures) > 1 else ""}">{_number(factor * of[key])}{unit}</b>'
            for of, style in zip(figures, STYLES, strict=False)
        )
        yield f'<div class="tile" title="{escape(FIGURES[key])}"><span class="dim">{label}</span>{values}</div>'
    speeds = "".join(
        f'<b class="{style if len(figures) > 1 else ""}">{_number(1.0 / of["time_share"])} x</b>'
        for of, style in zip(figures, STYLES, strict=False)
        if of["time_share"] > 0.0
    )
    yield (
        f'<div class="tile" title="length of the recordings over the time of scoring">'
        f'<span class="dim">speed against real time</span>{speeds}</div>'
    )


def _dimensions(scores: Sequence[PolicyScore]) -> Iterator[str]:
    errors = [score.errors for score in scores]
    heads = ["", *(f"{escape(score.name)}: mean, p95, bias" for score in scores), "recorded motion"]
    rows = []
    for name in DIMENSIONS:
        unit = "mm" if name in DIMENSIONS[:3] else "mrad"
        cells = [f"{name} [{unit}]"]
        for of, style in zip(errors, STYLES, strict=False):
            at = of.dimensions[name]
            cells.append(
                f'<span class="{style if len(scores) > 1 else ""}">{_number(at.mean)}</span>, {_number(at.p95)}, '
                f"{_signed(at.bias)}"
            )
        rows.append((*cells, _number(errors[0].dimensions[name].moved)))
    agreement = ["gripper: agrees, when closed, when open"]
    for of in errors:
        shares = (of.gripper_agreement, of.gripper_agreement_closed, of.gripper_agreement_open)
        agreement.append(", ".join(f"{_number(100.0 * share)} %" for share in shares))
    yield from _table(heads, [*rows, (*agreement, "")])


def _over_time(bags: Sequence[BagScore]) -> Iterator[str]:
    yield f'<div class="row">{"".join(plot.svg() for plot in time_plots(bags, STYLES))}</div>'
    words = "".join(
        f'<li><span class="{style if len(bags) > 1 else ""}">{stamp - bag.start:.1f} s</span>: {escape(text)}</li>'
        for bag, style in zip(bags, STYLES, strict=False)
        for stamp, text in bag.words
    )
    if words:
        yield f"<p>What the model said:</p><ul>{words}</ul>"


def _limits(bags: Sequence[BagScore], scores: Sequence[PolicyScore]) -> Iterator[str]:
    filtered = [bag.filtered for bag in bags if bag.filtered is not None]
    if len(filtered) < len(bags):
        return
    names = sorted({name for entry in filtered for name in entry.limits})
    if not names:
        yield "<p>No limit of the safety filter would have acted.</p>"
        return
    heads = ["limit that would have acted", *(f"{escape(score.name)}: chunks" for score in scores), "first, in words"]
    rows = []
    for name in names:
        counts = [
            f"{entry.limits[name].chunks} of {entry.chunks}" if name in entry.limits else "0" for entry in filtered
        ]
        first = next(entry.limits[name] for entry in filtered if name in entry.limits)
        words = f"{first.stamp - bags[0].start:.1f} s: {first.example}"
        rows.append((escape(name), *counts, f'<span class="dim">{escape(words)}</span>'))
    yield from _table(heads, rows)


def _held(bags: Sequence[BagScore], scores: Sequence[PolicyScore]) -> Iterator[str]:
    reasons = sorted({reason for bag in bags for reason in bag.held})
    if reasons:
        heads = ["why the policy held", *(f"{escape(score.name)}: times" for score in scores)]
        yield from _table(heads, [(escape(reason), *(str(bag.held[reason]) for bag in bags)) for reason in reasons])


def _cards(bags: Sequence[BagScore]) -> Iterator[str]:
    by_stamp: list[dict[float, ActionChunk]] = [{chunk.stamp: chunk for chunk in bag.chunks} for bag in bags]
    for shown in bags[0].shown:
        chunks = [of.get(shown.stamp) for of in by_stamp]
        plots = "".join(plot.svg() for plot in chunk_plots(chunks, bags[0].reference, STYLES))
        told = f"{_pictures(shown)}<p>{_caption(shown, bags[0])}</p>"
        yield f'<div class="card">{told}<div class="row">{plots}</div></div>'


def _pictures(shown: Shown) -> str:
    pictures = "".join(
        f'<img alt="frame" src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}">' for jpeg in shown.jpegs
    )
    return f'<div class="pictures">{pictures}</div>'


def _caption(shown: Shown, bag: BagScore) -> str:
    badge = ' <span class="badge">among the worst</span>' if shown.worst else ""
    error = f", {_number(shown.error)} mm off a step" if np.isfinite(shown.error) else ""
    return f'{shown.stamp - bag.start:.2f} s{error}{badge}<br><span class="dim">{escape(shown.instruction)}</span>'


def _all_figures(scores: Sequence[PolicyScore], figures: Sequence[Mapping[str, float]]) -> Iterator[str]:
    keys = [*FIGURES, *sorted({key for of in figures for key in of if key not in FIGURES})]
    heads = ["figure", *(escape(score.name) for score in scores), "what it is"]
    rows = []
    for key in keys:
        meaning = FIGURES.get(key, f"share of chunks in which {key[6:]} would have acted")
        values = [_number(of.get(key, 0.0 if key not in FIGURES else math.nan), digits=4) for of in figures]
        rows.append((f"<code>{escape(key)}</code>", *values, f'<span class="dim">{escape(meaning)}</span>'))
    yield from _table(heads, rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], words: bool = False) -> Iterator[str]:
    """A table of cells that are HTML already; the last column is of words where it is the third or more."""
    yield '<div class="scroll"><table>'
    if any(heads):
        yield f"<tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>"
    for row in rows:
        cells = []
        for column, cell in enumerate(row):
            is_words = words or (column == len(row) - 1 and cell.startswith("<span"))
            cells.append(f'<td class="words">{cell}</td>' if is_words else f"<td>{cell}</td>")
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</table></div>"


def _number(value: float, digits: int = 3) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}g}" if abs(value) < 1000.0 else f"{value:.0f}"


def _signed(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:+.2f}"
