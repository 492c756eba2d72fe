"""Reliability diagrams: is an answer with confidence .8 right 8 times of 10?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from samdb.core.metrics_calibration import Reliability
from samdb.reports.plots import COLOURS, FAINT, INK, drawing, head, new_figure, save_figure, share, unit_axes


def plot_reliability(
    methods: Sequence[tuple[str, Reliability]], title: str, subtitle: str, path: Path
) -> Path:
    """Draw each method's accuracy by confidence, its distance from the diagonal, and below how many answers
    have that confidence. Returns `path`.
    """
    with drawing():
        figure = new_figure(max(6.0, 4.5 * len(methods) + 0.4), 6.5)
        head(figure, title, subtitle)
        grid = figure.add_gridspec(2, len(methods), height_ratios=(4, 1.15))
        for i, (name, bins) in enumerate(methods):
            n = len(bins.counts)
            centre, used = (np.arange(n) + 0.5) / n, bins.counts > 0
            axes = figure.add_subplot(grid[0, i])
            unit_axes(axes, "", "share of right answers" if i == 0 else "")
            axes.set_title(f"{name}   ECE {share(bins.ece)}")
            axes.bar(
                centre[used], bins.accuracy[used], 0.88 / n, color=COLOURS[0], label="right answers", zorder=2
            )
            for x, accuracy, confidence in zip(
                centre[used], bins.accuracy[used], bins.confidence[used], strict=True
            ):
                axes.plot(
                    [x - 0.44 / n, x + 0.44 / n],
                    [confidence] * 2,
                    color=COLOURS[1],
                    lw=2.4,
                    zorder=4,
                    label="_" if x > centre[used][0] else "mean confidence",
                )
                axes.plot([x, x], [accuracy, confidence], color=COLOURS[1], lw=1.1, zorder=3)
            axes.plot([0, 1], [0, 1], color=INK, lw=1.0, ls=(0, (4, 3)), zorder=5, label="as it should be")
            if i == 0:
                # below everything: in the picture it would lie on bars
                handles, labels = axes.get_legend_handles_labels()
                figure.legend(handles, labels, loc="outside lower left", ncols=3)
            axes.tick_params(labelbottom=False)
            below = figure.add_subplot(grid[1, i], sharex=axes)
            percent = 100 * bins.counts / max(int(bins.counts.sum()), 1)
            below.bar(centre, percent, 0.88 / n, color=FAINT)
            below.set(xlabel="confidence", ylabel="% of answers" if i == 0 else "")
            below.grid(visible=True, axis="y")
            below.set_ylim(0, max(float(percent.max()) * 1.15, 1.0))
        return save_figure(figure, path)
