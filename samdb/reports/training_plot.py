"""The curves of a training run as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from samdb.errors import InputError
from samdb.reports.plot_theme import png_of

_SIZE_INCHES = (9.0, 4.0)
_DPI = 120


@dataclass(frozen=True, slots=True)
class TrainingCurve:
    """One member's training: `loss`, `macro_f1` and `accuracy` per epoch, from the first; the last two on
    images that were held out. `best_epoch` (from 1) is the one that was kept."""

    loss: tuple[float, ...]
    macro_f1: tuple[float, ...]
    accuracy: tuple[float, ...]
    best_epoch: int


def write_training_plot(curves: Sequence[TrainingCurve], path: Path, title: str) -> None:
    """Write the curves as a picture; its format follows from the name, such as `curve.png`.

    Raises InputError when it cannot be written.
    """
    try:
        _figure(curves, title).savefig(path)
    except (OSError, ValueError) as exc:
        raise InputError(f"cannot write the plot to {path} ({exc}): give another name, as x.png") from exc


def training_plot_png(curves: Sequence[TrainingCurve], title: str) -> bytes:
    """The curves as the bytes of a PNG file."""
    return png_of(_figure(curves, title))


def _figure(curves: Sequence[TrainingCurve], title: str) -> Figure:
    figure = Figure(figsize=_SIZE_INCHES, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    losses, judged = figure.subplots(1, 2)
    for number, curve in enumerate(curves):
        colour, epochs = f"C{number}", range(1, len(curve.loss) + 1)
        losses.plot(epochs, curve.loss, color=colour, label=f"member {number + 1}")
        judged.plot(epochs, curve.macro_f1, color=colour)
        judged.plot(epochs, curve.accuracy, color=colour, linestyle=":")
        judged.plot([curve.best_epoch], [curve.macro_f1[curve.best_epoch - 1]], "o", color=colour)
    losses.set(xlabel="epoch", ylabel="loss on the training images")
    losses.legend(frameon=False)
    judged.set(xlabel="epoch", ylabel="held-out images: macro-F1 (line), accuracy (dots)", ylim=(0, 1))
    figure.suptitle(title)
    return figure
