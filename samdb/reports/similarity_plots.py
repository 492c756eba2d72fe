"""Plots of cosines: histograms of several kinds of pairs, and the mean of each pair of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samdb.reports.plot_theme import PlotTheme, plot, png_of

#: bars that a histogram is drawn with, and of how many cosines at least; of fewer it has a third
_BARS, _MANY = 81, 2000


@dataclass(frozen=True, slots=True)
class CosineSeries:
    """One kind of pairs: its name, counts (B,) in equal bins over [-1, 1], and their median."""

    name: str
    counts: NDArray[np.int64]
    median: float | None


def draw_histograms(series: Sequence[CosineSeries], title: str, theme: PlotTheme) -> bytes:
    """One to three histograms over each other as PNG, each of area 1, medians marked."""
    span = _span([s.counts for s in series])
    bars = _BARS if min(int(s.counts.sum()) for s in series) >= _MANY else _BARS // 3
    with plot(theme, 7.6, 3.5) as (figure, axes):
        for one, color in zip(series, (theme.first, theme.second, theme.third), strict=False):
            if one.counts.sum() == 0:
                continue
            edges, heights = _bars(one.counts, span, bars)
            median = "" if one.median is None else f", median {one.median:.3f}"
            axes.stairs(heights, edges, fill=True, color=color, alpha=0.28)
            axes.stairs(heights, edges, color=color, linewidth=1.6, label=f"{one.name}{median}")
            if one.median is not None:
                axes.axvline(one.median, color=color, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.set_title(title)
        axes.set_xlabel("cosine")
        axes.set_ylabel("density")
        axes.set_xlim(*span)
        axes.set_ylim(bottom=0)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        if axes.get_legend_handles_labels()[0]:
            size = {"fontsize": 8.5, "handlelength": 1.2, "columnspacing": 1.4}
            figure.legend(loc="outside lower center", ncols=len(series), **size)
        return png_of(figure)


def draw_matrix(
    values: NDArray[np.float64], names: Sequence[str], counts: Sequence[int], title: str, theme: PlotTheme
) -> bytes:
    """The heat map (C, C) of mean cosines as PNG, numbers in the cells; NaN stays empty."""
    n = len(names)
    side = max(4.2, 1.9 + 0.56 * n)
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    with plot(theme, side + 1.4, side) as (figure, axes):
        image = axes.imshow(values, cmap="viridis", vmin=low, vmax=high)
        axes.set_xticks(range(n), names, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(n), [f"{name}  ({count:,})" for name, count in zip(names, counts, strict=True)])
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        for (row, column), value in np.ndenumerate(values):
            if not np.isfinite(value):
                continue
            bright = high > low and (value - low) / (high - low) > 0.6
            weight = "bold" if row == column else "normal"
            text = f"{value:.2f}".replace("0.", ".", 1)
            ink = "#101418" if bright else "#ffffff"
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color=ink, fontweight=weight)
        bar = figure.colorbar(image, ax=axes, shrink=0.7, label="mean cosine")
        bar.outline.set_visible(False)
        axes.set_title(title)
        return png_of(figure)


def _span(all_counts: Sequence[NDArray[np.int64]]) -> tuple[float, float]:
    """The cosines to show: where at most a thousandth of all lies outside on either side."""
    total = np.sum([c / max(1, int(c.sum())) for c in all_counts], axis=0)
    below = np.cumsum(total) / max(float(total.sum()), np.finfo(np.float64).tiny)
    n = len(total)
    first, last = int(np.searchsorted(below, 0.001)), int(np.searchsorted(below, 0.999))
    low, high = 2 * first / n - 1, 2 * min(n, last + 1) / n - 1
    return (low, high) if high - low > 0.02 else (max(-1.0, low - 0.05), min(1.0, high + 0.05))


def _bars(
    counts: NDArray[np.int64], span: tuple[float, float], n_bars: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Edges (n_bars + 1,) and densities (n_bars,): the bins' counts shared out over the bars by overlap."""
    n = len(counts)
    edges = np.linspace(*span, n_bars + 1)
    before = np.concatenate([[0], np.cumsum(counts)]) / counts.sum()
    heights = np.diff(np.interp(edges, np.linspace(-1, 1, n + 1), before)) / np.diff(edges)
    return edges, heights
