"""The look of every plot, and writing it: matplotlib without a display, loaded when a plot is drawn."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from samdb.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Okabe and Ito's colours, which stay apart without red-green vision, darkest first after blue. Source:
#: jfly.uni-koeln.de/color; yellow is darkened, as it is hard to see on white
COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7A5195", "#8C6D1F")
INK: Final = "#22262B"
FAINT: Final = "#9AA3AD"
GRID: Final = "#E3E7EB"
#: lines of more than eight classes differ in their dashes, too
DASHES: Final = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))

_STYLE: Final[dict[str, object]] = {
    "font.size": 10.0,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10.0,
    "axes.labelsize": 10.0,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.9,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "lines.linewidth": 1.9,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Within it figures have samdb's look; nothing outside is changed, no window is opened."""
    import matplotlib as mpl

    with mpl.rc_context(_STYLE):  # type: ignore[arg-type]  # its stub lists every key by name
        yield


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure, in inches at 150 dpi; it leaves room for its labels by itself."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), dpi=150, layout="constrained", facecolor="white")


def head(figure: Figure, title: str, subtitle: str) -> None:
    """Put a title, and what it is measured on, above everything."""
    width, height = figure.get_size_inches()
    # a letter of the font is 0.6 em wide on average; a long text becomes smaller instead of being cut off
    sizes = [
        min(most, 72 * 0.97 * width / (0.6 * max(len(text), 1)))
        for most, text in ((14, title), (9, subtitle))
    ]
    top, below = 1 - 0.12 / height, 1 - 0.38 / height
    figure.text(0.012, top, title, ha="left", va="top", fontsize=sizes[0], fontweight="bold")
    figure.text(0.012, below, subtitle, ha="left", va="top", fontsize=sizes[1], color="#5B6670")
    figure.set_layout_engine("constrained", rect=(0.008, 0.01, 0.98, 0.98 - 0.72 / height))


def unit_axes(axes: Axes, x_label: str, y_label: str) -> None:
    """Both axes from 0 to 1, with a grid."""
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.03), xlabel=x_label, ylabel=y_label)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".50", ".75", "1"])
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".50", ".75", "1"])
    axes.grid(visible=True)


def share(value: float) -> str:
    """A share in [0, 1] with two digits: `.57`, `1.0`."""
    text = f"{value:.2f}"
    return text[1:] if text.startswith("0.") else text[:3]


def save_figure(figure: Figure, path: Path) -> Path:
    """Write the figure as PNG, making its folders; the file appears only whole. Returns `path`.

    Raises ConfigError when the place cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with warnings.catch_warnings():
                # a class name in letters that the font lacks is drawn as boxes
                warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
                figure.savefig(part, format="png", metadata={"Software": "samdb"})
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as exc:
        raise ConfigError(
            f"cannot write the plot {path} ({exc.strerror or exc}): choose another place with --out"
        ) from exc
    return path
