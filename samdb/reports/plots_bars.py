"""Bars per class, of several methods side by side, with their spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from samdb.reports.plots import COLOURS, FAINT, INK, drawing, head, new_figure, save_figure, share


@dataclass(frozen=True, slots=True)
class Bars:
    """One method: a mean in [0, 1] and its standard deviation per class; `pale` draws it in grey."""

    name: str
    means: tuple[float, ...]
    stds: tuple[float, ...]
    pale: bool = False


def plot_bars(
    classes: Sequence[str], methods: Sequence[Bars], x_label: str, title: str, subtitle: str, path: Path
) -> Path:
    """Draw a group of lying bars per class, the first method on top, each with its number. Returns `path`."""
    n = len(methods)
    thickness = 0.8 / n
    with drawing():
        figure = new_figure(8.4, 1.9 + len(classes) * (0.22 + 0.24 * n))
        head(figure, title, subtitle)
        axes = figure.add_subplot()
        places = np.arange(len(classes))
        colour = 0
        for i, method in enumerate(methods):
            y = places + (i - (n - 1) / 2) * thickness
            paint = FAINT if method.pale else COLOURS[colour % len(COLOURS)]
            colour += not method.pale
            axes.barh(y, method.means, thickness * 0.9, color=paint, label=method.name)
            axes.errorbar(
                method.means, y, xerr=method.stds, fmt="none", ecolor=INK, elinewidth=1.1, capsize=2.5
            )
            for place, mean, std in zip(y, method.means, method.stds, strict=True):
                axes.text(mean + std + 0.012, place, share(mean), va="center", fontsize=8.5)
        axes.set_yticks(places, classes)
        axes.set(xlim=(0, 1.08), ylim=(len(classes) - 0.5, -0.5), xlabel=x_label)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".50", ".75", "1"])
        axes.grid(visible=True, axis="x")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=min(n, 4), borderaxespad=0.3)
        return save_figure(figure, path)
