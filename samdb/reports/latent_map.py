"""The latent space on a plane, coloured by class or attribute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from samdb.reports.palette import RGB, class_color
from samdb.reports.plot_theme import PlotTheme, plot, png_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: values that tell a colour by themselves
_TELLING: dict[str, RGB] = {
    "daytime": (240, 175, 40),
    "night": (88, 100, 220),
    "dawn/dusk": (226, 98, 120),
    "whole": (64, 156, 255),
    "part": (255, 140, 60),
    "subpart": (200, 90, 190),
}
#: the rarest values share one entry of the legend
_MAX_VALUES = 14
_OTHERS = "others"


def draw_map(
    xy: NDArray[np.floating], values: Sequence[str], title: str, axis_names: tuple[str, str], theme: PlotTheme
) -> bytes:
    """Points (N, 2) coloured by their values (N,) as PNG, rare values on top; the outer 0.5 % are cut off."""
    counts = Counter(values)
    kept = [name for name, _ in counts.most_common(_MAX_VALUES)]
    dim = 0.85 if theme.name == "light" else 1.0  # the palette was made for photographs
    shown = np.array([v if v in kept else _OTHERS for v in values])
    with plot(theme, 8.2, 5.6) as (figure, axes):
        for name in [*kept, *([_OTHERS] if len(counts) > len(kept) else [])]:
            rows = shown == name
            color = tuple(c / 255 * dim for c in (_TELLING.get(name) or class_color(_named(name))))
            axes.scatter(
                xy[rows, 0],
                xy[rows, 1],
                s=11,
                color=[color],
                alpha=0.75,
                linewidths=0,
                # matplotlib leaves out of the legend what begins with an underscore
                label=f"{name.replace('_', ' ')} ({int(rows.sum()):,})",
            )
        _trim(axes, xy)
        axes.set_title(title)
        axes.set_xlabel(axis_names[0])
        axes.set_ylabel(axis_names[1])
        axes.set_xticks([])
        axes.set_yticks([])
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), markerscale=2.2, handletextpad=0.3)
        return png_of(figure)


def _named(name: str) -> str | None:
    return None if name in (_OTHERS, "unknown", "undefined") else name


def _trim(axes: Axes, xy: NDArray[np.floating]) -> None:
    """Limits that a few stray points do not stretch."""
    low, high = np.percentile(xy, [0.5, 99.5], axis=0)
    margin = np.maximum((high - low) * 0.08, 1e-6)
    axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
    axes.set_ylim(low[1] - margin[1], high[1] + margin[1])
