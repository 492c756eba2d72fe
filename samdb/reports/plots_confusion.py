"""A confusion matrix: who is taken for whom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from samdb.reports.plots import INK, drawing, head, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.patches import Rectangle

# more classes than this leave no room for two lines in a cell
_ROOM_FOR_COUNTS = 14


def plot_confusion(
    counts: NDArray[np.float64],
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    subtitle: str,
    path: Path,
) -> Path:
    """Draw counts (R, C), means over seeds, as shares of each row, with the counts below; rows are the truth.

    Columns beyond the rows' are set apart: they are no class. Returns `path`.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    n_rows, n_columns = shares.shape
    cell = 0.78 if n_rows <= _ROOM_FOR_COUNTS else 0.46
    gap = np.where(np.arange(n_columns) >= n_rows, 0.25, 0.0)
    with drawing():
        figure = new_figure(max(6.5, 3.0 + cell * n_columns), max(4.0, 2.9 + cell * n_rows))
        head(figure, title, subtitle)
        axes = figure.add_subplot()
        paint = _paint()
        for i in range(n_rows):
            for j in range(n_columns):
                x, value = j + gap[j], float(shares[i, j])
                axes.add_patch(_square(x, i, paint(value)))
                if counts[i, j] == 0:
                    continue
                ink = "white" if value > 0.5 else INK
                percent = f"{100 * value:.0f}" if value >= 0.005 else "<1"
                small = n_rows > _ROOM_FOR_COUNTS
                axes.text(
                    x, i if small else i - 0.12, percent, ha="center", va="center", color=ink,
                    fontsize=8 if small else 12, fontweight="bold" if i == j else "normal",
                )  # fmt: skip
                if not small:
                    axes.text(
                        x, i + 0.25, number(counts[i, j]), ha="center", va="center", color=ink, fontsize=7.5
                    )
        axes.set(xlim=(-0.5, n_columns - 0.5 + float(gap.max())), ylim=(n_rows - 0.5, -0.5))
        axes.set_xticks(np.arange(n_columns) + gap, columns, rotation=35, ha="right", rotation_mode="anchor")
        totals = counts.sum(axis=1)
        axes.set_yticks(np.arange(n_rows), [f"{r}  ({n:,.0f})" for r, n in zip(rows, totals, strict=True)])
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
        axes.set_xlabel(
            "answer (% of the row; below it the count)" if cell > 0.5 else "answer (% of the row)"
        )
        axes.set_ylabel("label (boxes)")
        return save_figure(figure, path)


def number(count: float) -> str:
    """A mean count: whole, and `<1` where it would be nothing."""
    return "<1" if 0 < count < 0.5 else f"{count:,.0f}"


def _paint() -> Colormap:
    """White to dark blue, evenly in lightness, so that it is read without colours too."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("samdb", ["#F4F7FA", "#9CC4E4", "#2C7FB8", "#08306B"])


def _square(x: float, y: float, colour: tuple[float, float, float, float]) -> Rectangle:
    """One cell, with a gap to its neighbours."""
    from matplotlib.patches import Rectangle

    return Rectangle((x - 0.48, y - 0.48), 0.96, 0.96, facecolor=colour, edgecolor="none")
