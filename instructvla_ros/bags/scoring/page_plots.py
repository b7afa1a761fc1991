# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The plots of a score's page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from instructvla_ros.bags.scoring.plots import Plot, range_of
from instructvla_ros.bags.scoring.references import Reference, as_steps
from instructvla_ros.bags.scoring.scores import BagScore, PolicyScore
from instructvla_ros.robot.action_chunk import ActionChunk

_AXES = ("x", "y", "z")
_MOST_WHISKERS = 120  # predicted chunks drawn over a recording
_MOST_POINTS = 600  # of a recorded way


def horizon_plots(scores: Sequence[PolicyScore], styles: Sequence[str]) -> Iterator[Plot]:
    """Errors by the step of the chunk: of the step, where it leads to, rotation, gripper."""
    errors = [score.errors for score in scores]
    longest = max((len(of.horizon) for of in errors), default=0)
    steps = np.arange(1, longest + 1)
    for title, attribute, still, factor in (
        ("translation error of the step [mm]", "translation", "still_translation", 1.0),
        ("distance from the recording at its end [mm]", "end_translation", "still_end_translation", 1.0),
        ("rotation error of the step [mrad]", "rotation", "", 1.0),
        ("gripper disagreement [%]", "gripper_agreement", "", -100.0),
    ):
        series = [np.array([getattr(step, attribute) for step in of.horizon]) for of in errors]
        if factor < 0.0:
            series = [100.0 + factor * values for values in series]
        standing = np.array([getattr(step, still) for step in errors[0].horizon]) if still else np.zeros(0)
        high = range_of(*series, standing, zero=True, least=1.0)
        plot = Plot(title, "step of the chunk", (0.5, max(longest, 1) + 0.5), high, whole_x=True, width=560.0)
        if still:
            plot.line(steps[: len(standing)], standing, "still", "not moving")
        for values, style in zip(series, styles, strict=False):  # the page's head tells whose colour is which
            plot.line(steps[: len(values)], values, style, dots=True)
        yield plot


def time_plots(bags: Sequence[BagScore], styles: Sequence[str]) -> Iterator[Plot]:
    """Over the time of a recording: where the gripper went, and where each predicted chunk leads from there."""
    bag = bags[0]
    span = (0.0, max(bag.duration, 1e-3))
    texts = [(max(start - bag.start, 0.0), text) for start, text in bag.spans.instructions if text]
    stops = [(start - bag.start, end - bag.start) for start, end in bag.spans.stopped]
    if bag.way is not None:
        times = np.linspace(bag.start, bag.end, min(_MOST_POINTS, max(2, len(bag.way.poses.times))))
        way = 1e3 * bag.way.poses.at(times)[0]  # (T, 3) mm
        for axis, name in enumerate(_AXES):
            whiskers = [list(_whiskers(of, bag, axis)) for of in bags]
            values = range_of(way[:, axis], *(y for of in whiskers for _, y in of), least=10.0)
            plot = Plot(f"{name} of the gripper [mm]", "time [s]", span, values, width=1128.0, height=180.0)
            plot.bands(stops, "stopped", "arm stopped")
            plot.marks(texts if axis == 0 else [])
            for of, score, style in zip(whiskers, bags, styles, strict=False):
                for index, (x, y) in enumerate(of):
                    legend = "each predicted chunk" if score is bag and index == 0 else ""
                    plot.line(x, y, f"whisker {style}", legend)
            plot.line(times - bag.start, way[:, axis], "done", "recorded")
            yield plot
    yield _gripper_plot(bags, styles, span, stops)


def chunk_plots(chunks: Sequence[ActionChunk | None], reference: Reference, styles: Sequence[str]) -> Iterator[Plot]:
    """One observation: x, y, z along the chunk from where the gripper was, predicted and recorded."""
    shown = next((chunk for chunk in chunks if chunk is not None), None)
    if shown is None:
        return
    ways = [None if chunk is None else _way(as_steps(chunk)) for chunk in chunks]
    done = _way(reference.steps(shown))
    values = range_of(done, *(way for way in ways if way is not None), least=10.0)
    for axis, name in enumerate(_AXES):
        plot = Plot(f"{name} [mm]", "s", (0.0, len(shown) * shown.period), values, width=150.0, height=120.0)
        plot.line((shown.edges - shown.stamp)[: len(done)], done[:, axis], "done")
        for chunk, way, style in zip(chunks, ways, styles, strict=False):
            if chunk is not None and way is not None:
                plot.line(chunk.edges - chunk.stamp, way[:, axis], style)
        yield plot


def _way(steps: np.ndarray) -> np.ndarray:
    """Way ``(H + 1, 3)`` along steps ``(H, 7)`` [mm]."""
    return 1e3 * np.concatenate((np.zeros((1, 3)), np.cumsum(steps[:, :3], axis=0)))


def _whiskers(of: BagScore, bag: BagScore, axis: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Time and place of each predicted chunk, from where the recorded gripper was [s, mm]."""
    assert bag.way is not None
    every = max(1, len(of.chunks) // _MOST_WHISKERS)
    for chunk in of.chunks[::every]:
        start = 1e3 * bag.way.poses.at(np.array([chunk.stamp]))[0][0, axis]
        yield chunk.edges - bag.start, start + _way(as_steps(chunk))[:, axis]


def _gripper_plot(
    bags: Sequence[BagScore], styles: Sequence[str], span: tuple[float, float], stops: list[tuple[float, float]]
) -> Plot:
    bag = bags[0]
    plot = Plot("gripper opening; limits, holds", "time [s]", span, (-0.15, 1.15), width=1128.0, height=150.0)
    plot.bands(stops, "stopped")
    way = bag.way
    if way is not None and way.openings is not None:
        times = np.linspace(bag.start, bag.end, _MOST_POINTS)
        plot.line(times - bag.start, way.openings.at(times), "done", "recorded")
    for of, style in zip(bags, styles, strict=False):
        stamps = np.array([chunk.stamp + chunk.period for chunk in of.chunks]) - bag.start
        first = np.array([chunk.grippers[0] for chunk in of.chunks])
        plot.line(stamps, first, style, "first step asks" if of is bag else "", dots=True)
        acted = [] if of.filtered is None else [stamp - bag.start for stamp, _ in of.filtered.acted]
        plot.ticks(acted, "limit", "a limit would act" if of is bag else "")
        plot.ticks([stamp - bag.start for stamp in of.held_stamps], "held", "held" if of is bag else "")
    return plot
