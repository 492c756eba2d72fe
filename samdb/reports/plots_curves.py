"""Precision-recall curves, some panels side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from samdb.core.metrics_ranking import PrecisionRecall
from samdb.reports.plots import (
    COLOURS,
    DASHES,
    FAINT,
    INK,
    drawing,
    head,
    new_figure,
    save_figure,
    share,
    unit_axes,
)

_RECALLS: Final = np.linspace(0.0, 1.0, 201)


@dataclass(frozen=True, slots=True)
class Line:
    """One curve of each seed; what is drawn is their mean. `strong` ones are black, thick and on top, `pale`
    ones grey.
    """

    name: str
    curves: tuple[PrecisionRecall, ...]
    strong: bool = False
    pale: bool = False

    @property
    def average_precision(self) -> float:
        """The mean over the seeds."""
        return float(np.mean([c.average_precision for c in self.curves]))

    @property
    def points(self) -> NDArray[np.float64]:
        """Precision on the grid of recalls, NaN beyond what all seeds reach."""
        return np.asarray(np.mean([c.on_grid(_RECALLS) for c in self.curves], axis=0))


@dataclass(frozen=True, slots=True)
class Panel:
    """Curves that belong together."""

    title: str
    lines: tuple[Line, ...]


def plot_precision_recall(panels: Sequence[Panel], title: str, subtitle: str, path: Path) -> Path:
    """Draw panels side by side, each with its legend (AP behind the name) below it. Returns `path`."""
    deepest = max(-(-len(panel.lines) // _columns(panel)) for panel in panels)
    with drawing():
        figure = new_figure(4.9 * len(panels) + 0.4, 5.2 + 0.2 * deepest)
        head(figure, title, subtitle)
        for i, panel in enumerate(panels, 1):
            axes = figure.add_subplot(1, len(panels), i)
            unit_axes(axes, "recall", "precision" if i == 1 else "")
            axes.set_title(panel.title)
            colour = 0
            for line in panel.lines:
                label = f"{line.name}   AP {share(line.average_precision)}"
                if line.strong or line.pale:
                    ink, width, order = (INK, 2.8, 3) if line.strong else (FAINT, 1.9, 1.5)
                    axes.plot(_RECALLS, line.points, color=ink, lw=width, zorder=order, label=label)
                    continue
                axes.plot(
                    _RECALLS,
                    line.points,
                    color=COLOURS[colour % len(COLOURS)],
                    ls=DASHES[colour // len(COLOURS) % len(DASHES)],
                    label=label,
                )
                colour += 1
            axes.legend(
                loc="upper center",
                bbox_to_anchor=(0.5, -0.16),
                ncols=_columns(panel),
                handlelength=2.4,
            )
        return save_figure(figure, path)


def _columns(panel: Panel) -> int:
    """Of the legend."""
    return 1 if len(panel.lines) <= 4 else 2
