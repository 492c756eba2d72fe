"""Plots without a window: a light and a dark theme, and the figure as PNG."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class PlotTheme:
    """The inks of a plot: of the paper, of what is read first, of axes and grids, and of two series."""

    name: str
    paper: str
    ink: str
    quiet: str
    rule: str
    first: str
    second: str
    third: str


#: blue, orange and green of Okabe and Ito, which stay apart without red-green vision
LIGHT = PlotTheme("light", "#ffffff", "#16191d", "#5c6570", "#d7dce2", "#0072b2", "#d55e00", "#009e73")
DARK = PlotTheme("dark", "#13161b", "#eef1f5", "#98a0ab", "#343a42", "#56b4e9", "#f0883e", "#3ecf9f")
THEMES = (LIGHT, DARK)

_DPI = 130


@contextmanager
def plot(theme: PlotTheme, width_in: float, height_in: float) -> Iterator[tuple[Figure, Axes]]:
    """A figure with one pair of axes in a theme; nothing of matplotlib's own settings is changed."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context(
        {
            "figure.facecolor": theme.paper,
            "axes.facecolor": theme.paper,
            "savefig.facecolor": theme.paper,
            "text.color": theme.ink,
            "axes.labelcolor": theme.quiet,
            "axes.edgecolor": theme.rule,
            "axes.titlecolor": theme.ink,
            "axes.titlesize": 11,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": False,
            "grid.color": theme.rule,
            "grid.linewidth": 0.6,
            "xtick.color": theme.quiet,
            "ytick.color": theme.quiet,
            "font.size": 9.5,
            "legend.frameon": False,
            "text.parse_math": False,  # a dollar in a class's name is a dollar
        }
    ):
        figure = Figure(figsize=(width_in, height_in), dpi=_DPI, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure, figure.add_subplot()


def png_of(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG file, the same ones every time."""
    out = io.BytesIO()
    with warnings.catch_warnings():
        # a name in letters that the font lacks is drawn as boxes, and need not be said
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()
