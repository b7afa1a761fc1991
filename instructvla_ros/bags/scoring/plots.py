# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plots as SVG text, for a page that stands alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np

_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 12.0, 22.0, 30.0  # margins [px]
_LETTER = 5.6  # width of a small letter, about [px]
_NUMBERS = itertools.count()  # a page has many plots, each with a name of its own for where it is cut off
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass
class Plot:
    """One plot; things are drawn in the order in which they are added.

    Attributes:
        title: above it.
        x_label: under it.
        x_range: lowest and highest value shown.
        y_range: likewise; see :func:`range_of`.
        width: [px].
        height: [px].
        whole_x: whether ticks of x are whole numbers.
    """

    title: str
    x_label: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    width: float = 420.0
    height: float = 230.0
    whole_x: bool = False
    _parts: list[str] = field(default_factory=list)
    _legend: list[tuple[str, str, str]] = field(default_factory=list)
    _clip_name: str = field(default_factory=lambda: f"clip{next(_NUMBERS)}")

    def line(
        self,
        x: Sequence[float] | np.ndarray,
        y: Sequence[float] | np.ndarray,
        style: str,
        label: str = "",
        dots: bool = False,
    ) -> None:
        """A line through ``(N,)`` points, broken where a value is not finite.

        Args:
            x: values.
            y: values.
            style: class of the page's style sheet, which gives its colour.
            label: in the legend.
            dots: whether each point is marked.
        """
        path, pen_up = [], True
        for a, b in zip(x, y, strict=True):
            if not (math.isfinite(a) and math.isfinite(b)):
                pen_up = True
                continue
            path.append(f"{'M' if pen_up else 'L'}{self._x(a):.1f} {self._y(b):.1f}")
            pen_up = False
            if dots:
                self._parts.append(f'<circle class="dot {style}" cx="{self._x(a):.1f}" cy="{self._y(b):.1f}" r="2.6"/>')
        if path:
            self._parts.append(f'<path class="line {style}" d="{"".join(path)}"/>')
        if label:
            self._legend.append(("line", style, label))

    def bands(self, spans: Iterable[tuple[float, float]], style: str, label: str = "") -> None:
        """Shade spans of x."""
        low, high = self.x_range
        shown = False
        for start, end in spans:
            start, end = max(start, low), min(end, high)
            if start < end:
                shown = True
                self._parts.append(
                    f'<rect class="{style}" x="{self._x(start):.1f}" y="{_TOP}" '
                    f'width="{max(self._x(end) - self._x(start), 1.0):.1f}" height="{self._inner_height:.1f}"/>'
                )
        if label and shown:
            self._legend.append(("band", style, label))

    def ticks(self, x: Iterable[float], style: str, label: str = "") -> None:
        """Short strokes at the lower edge."""
        base = self.height - _BOTTOM
        places = [self._x(value) for value in x if self.x_range[0] <= value <= self.x_range[1]]
        self._parts += [
            f'<path class="line {style}" d="M{place:.1f} {base:.1f}V{base - 7.0:.1f}"/>' for place in places
        ]
        if label and places:
            self._legend.append(("line", style, label))

    def marks(self, entries: Iterable[tuple[float, str]]) -> None:
        """Upright lines with a text each, as much of it as there is room for."""
        shown = [(self._x(x), text) for x, text in entries if self.x_range[0] <= x <= self.x_range[1]]
        for index, (place, text) in enumerate(shown):
            end = shown[index + 1][0] if index + 1 < len(shown) else self.width - _RIGHT
            room = int((end - place - 6.0) / _LETTER)
            said = text if len(text) <= room else f"{text[: max(room - 2, 0)]}.." if room > 4 else ""
            self._parts.append(
                f'<path class="line mark" d="M{place:.1f} {_TOP}V{self.height - _BOTTOM:.1f}"/>'
                f'<text class="small" x="{place + 3.0:.1f}" y="{_TOP + 9.0}">{escape(said)}</text>'
            )

    def svg(self) -> str:
        """All of it."""
        width, height = self.width, self.height
        parts = [
            f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img" '
            f'aria-label="{escape(self.title)}">'
        ]
        for value in ticks_of(*self.y_range, count=max(3, int(height / 45.0))):
            place = self._y(value)
            parts.append(
                f'<path class="grid" d="M{_LEFT} {place:.1f}H{width - _RIGHT:.1f}"/>'
                f'<text class="tick" x="{_LEFT - 5.0}" y="{place + 3.5:.1f}" text-anchor="end">{_said(value)}</text>'
            )
        for value in ticks_of(*self.x_range, count=max(2, min(10, int(width / 110.0))), whole=self.whole_x):
            parts.append(
                f'<text class="tick" x="{self._x(value):.1f}" y="{height - _BOTTOM + 13.0:.1f}" '
                f'text-anchor="middle">{_said(value)}</text>'
            )
        parts.append(
            f'<clipPath id="{self._clip_name}"><rect x="{_LEFT}" y="{_TOP - 4.0}" width="{width - _LEFT - _RIGHT:.1f}" '
            f'height="{self._inner_height + 8.0:.1f}"/></clipPath><g clip-path="url(#{self._clip_name})">'
        )
        parts += self._parts
        parts.append("</g>")
        parts.append(f'<text class="title" x="{_LEFT}" y="13">{escape(self.title)}</text>')
        parts.append(
            f'<text class="tick" x="{width - _RIGHT:.1f}" y="{height - 4.0:.1f}" text-anchor="end">'
            f"{escape(self.x_label)}</text>"
        )
        parts.append(self._legend_svg())
        parts.append("</svg>")
        return "".join(parts)

    @property
    def _inner_height(self) -> float:
        return self.height - _TOP - _BOTTOM

    def _x(self, value: float) -> float:
        low, high = self.x_range
        return _LEFT + (value - low) / (high - low) * (self.width - _LEFT - _RIGHT)

    def _y(self, value: float) -> float:
        low, high = self.y_range
        return self.height - _BOTTOM - (value - low) / (high - low) * self._inner_height

    def _legend_svg(self) -> str:
        parts, place = [], self.width - _RIGHT
        for kind, style, label in reversed(self._legend):
            place -= 6.1 * len(label)
            parts.append(f'<text class="tick" x="{place:.1f}" y="13">{escape(label)}</text>')
            place -= 20.0
            shape = f'M{place:.1f} 9.5h15" class="line {style}'
            parts.append(
                f'<path d="{shape}"/>'
                if kind == "line"
                else f'<rect class="{style}" x="{place:.1f}" y="4" width="15" height="10"/>'
            )
            place -= 10.0
        return "".join(parts)


def range_of(*values: Sequence[float] | np.ndarray, zero: bool = False, least: float = 1e-3) -> tuple[float, float]:
    """A range that shows all values that are finite, with a little room.

    Args:
        values: to be shown.
        zero: whether it begins at 0.
        least: its extent at least.
    """
    parts = [np.asarray(part, dtype=float).ravel() for part in values]
    finite = np.concatenate([part[np.isfinite(part)] for part in parts]) if parts else np.zeros(0)
    if not finite.size:
        return 0.0, 1.0
    low, high = (0.0 if zero else float(finite.min())), float(finite.max())
    spare = max(0.06 * (high - low), 0.5 * (least - (high - low)), 0.0)
    return (0.0 if zero else low - spare), high + max(spare, 0.06 * least)


def ticks_of(low: float, high: float, count: int = 5, whole: bool = False) -> list[float]:
    """Round values within a range, ``count`` of them or a few more or less."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in _STEPS if power * factor >= rough - 1e-12)
    if whole:
        step = max(1.0, float(round(step)))
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def _said(value: float) -> str:
    return f"{value:.6g}" if value else "0"
