# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Loss curves as pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from instructvla_ros.training.extras import import_extra

_SMOOTH = 10  # logged rows


def draw_curves(rows: Sequence[dict[str, Any]], title: str, file: Path) -> None:
    """Draw every number that a stage logged over its steps.

    Args:
        rows: what was logged: ``step`` and numbers by name.
        title: of the picture.
        file: a `.png` file.
    """
    import_extra("matplotlib", "to draw loss curves").use("Agg")
    pyplot = import_extra("matplotlib.pyplot", "to draw loss curves")
    names = sorted({name for row in rows for name in row if name != "step"})
    if not names:
        return
    columns = min(4, len(names))
    lines = -(-len(names) // columns)
    figure, axes = pyplot.subplots(lines, columns, figsize=(4 * columns, 2.6 * lines), squeeze=False)
    for axis, name in zip(axes.flat, names, strict=False):
        steps = [row["step"] for row in rows if name in row]
        values = [row[name] for row in rows if name in row]
        axis.plot(steps, values, color="0.8", linewidth=0.8)
        smooth = [sum(values[max(0, i - _SMOOTH) : i + 1]) / (i + 1 - max(0, i - _SMOOTH)) for i in range(len(values))]
        axis.plot(steps, smooth, color="tab:blue", linewidth=1.4)
        axis.set_title(name.replace("_", " "), fontsize=9)
        axis.tick_params(labelsize=7)
        axis.grid(alpha=0.3)
    for axis in list(axes.flat)[len(names) :]:
        axis.set_visible(False)
    figure.suptitle(title, fontsize=10)
    figure.tight_layout()
    figure.savefig(file, dpi=90)
    pyplot.close(figure)
