"""Plots: written whole, with nothing cut off at the border, however many classes there are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samdb.core.metrics_calibration import reliability
from samdb.core.metrics_ranking import precision_recall
from samdb.errors import ConfigError
from samdb.reports.plots import drawing, new_figure, save_figure, share
from samdb.reports.plots_bars import Bars, plot_bars
from samdb.reports.plots_confusion import number, plot_confusion
from samdb.reports.plots_curves import Line, Panel, plot_precision_recall
from samdb.reports.plots_reliability import plot_reliability

SUBTITLE = "a dataset: 1,639 labelled boxes of at least 1024 px² in 200 images not learned from; 3 seeds"


def assert_nothing_is_cut_off(path: Path) -> None:
    """The picture is no blank, and has nothing at its border."""
    pixels = np.asarray(Image.open(path).convert("L"))
    assert pixels.min() < 100
    border = np.concatenate(
        [pixels[:3].ravel(), pixels[-3:].ravel(), pixels[:, :3].ravel(), pixels[:, -3:].ravel()]
    )
    assert border.min() == 255


@pytest.mark.parametrize("n", [1, 2, 7, 20])
def test_a_confusion_matrix_of_any_size(n: int, tmp_path: Path) -> None:
    names = [f"a class with a long name {i}" for i in range(n)]
    counts = np.eye(n, n + 2) * 1000 + np.arange(n * (n + 2)).reshape(n, n + 2) % 3
    path = plot_confusion(
        counts, names, [*names, "another class", "rejected"], "t", SUBTITLE, tmp_path / "c.png"
    )
    assert_nothing_is_cut_off(path)


@pytest.mark.parametrize(("lines", "panels"), [(1, 1), (4, 2), (21, 3)])
def test_curves_of_any_number(lines: int, panels: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    curve = precision_recall(rng.random(50), rng.random(50) < 0.5, 30)
    panel = Panel(
        "a panel",
        (
            *(Line(f"traffic light {i}", (curve, curve)) for i in range(lines)),
            Line("all", (curve,), strong=True),
        ),
    )
    path = plot_precision_recall([panel] * panels, "Precision and recall", SUBTITLE, tmp_path / "pr.png")
    assert_nothing_is_cut_off(path)


def test_a_line_is_drawn_as_far_as_all_seeds_reach() -> None:
    # of two objects the first seed finds one, the second both, each rightly
    one = precision_recall(np.array([0.9]), np.array([True]), 2)
    both = precision_recall(np.array([0.9, 0.8]), np.array([True, True]), 2)
    line = Line("car", (one, both))
    assert line.average_precision == 0.75
    assert np.isnan(line.points).sum() == 100  # of 201 recalls, those above one half
    assert (line.points[:101] == 1.0).all()


def test_reliability_also_of_bins_without_answers(tmp_path: Path) -> None:
    bins = reliability(np.array([0.05, 0.55, 0.97]), np.array([False, True, True]))
    path = plot_reliability(
        [("bank", bins), ("prior work", bins)], "Confidence", SUBTITLE, tmp_path / "r.png"
    )
    assert_nothing_is_cut_off(path)


@pytest.mark.parametrize("n", [1, 7, 30])
def test_bars_of_any_number_of_classes(n: int, tmp_path: Path) -> None:
    methods = [
        Bars("blend bank", (1.0,) * n, (0.0,) * n),
        Bars("prior work", (0.5,) * n, (0.1,) * n),
        Bars("chance", (0.0,) * n, (0.0,) * n, pale=True),
    ]
    names = [f"traffic light {i}\n1,000 boxes" for i in range(n)]
    assert_nothing_is_cut_off(plot_bars(names, methods, "F1", "F1 per class", SUBTITLE, tmp_path / "b.png"))


def test_numbers_are_short() -> None:
    assert [share(v) for v in (0.0, 0.567, 0.999, 1.0)] == [".00", ".57", "1.0", "1.0"]
    assert [number(v) for v in (0.0, 0.33, 1.6, 12345.0)] == ["0", "<1", "2", "12,345"]


def test_a_plot_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with drawing(), pytest.raises(ConfigError, match="--out"):
        save_figure(new_figure(2, 2), tmp_path / "file" / "plot.png")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_letters_that_the_font_lacks_are_no_error(tmp_path: Path) -> None:
    path = plot_bars(["信号機"], [Bars("bank", (0.5,), (0.0,))], "F1", "t", "s", tmp_path / "b.png")
    assert path.stat().st_size > 1000


def test_matplotlib_is_loaded_when_something_is_drawn_and_not_before() -> None:
    code = (
        "import sys\n"
        "import samdb.pipelines.evaluate_plots, samdb.cli.evaluate, samdb.cli.main\n"
        "sys.exit('matplotlib' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
