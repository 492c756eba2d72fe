"""Writing an evaluation: eval.json and its pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from samdb.core.points import PayloadValue
from samdb.errors import ConfigError
from samdb.pipelines.evaluate_figures import ALL
from samdb.pipelines.evaluate_report import EvalReport, MethodReport
from samdb.reports.plots_bars import Bars, plot_bars
from samdb.reports.plots_confusion import plot_confusion
from samdb.reports.plots_curves import Line, Panel, plot_precision_recall
from samdb.reports.plots_reliability import plot_reliability

_CHANCE = "chance"
# more panels than this side by side can no longer be read
_MOST_PANELS = 4


def write_report(report: EvalReport, record: Mapping[str, PayloadValue], folder: Path) -> list[Path]:
    """Write `record` as eval.json and the plots beside it: confusion, pr, reliability, per_class (PNG).

    Confusion and the curves per class are of the first method. Raises ConfigError when the folder cannot be
    written.
    """
    return [
        _write_json(record, folder / "eval.json"),
        _confusion(report, folder / "confusion.png"),
        _curves(report, folder / "pr.png"),
        _reliability(report, folder / "reliability.png"),
        _per_class(report, folder / "per_class.png"),
    ]


def _subtitle(report: EvalReport) -> str:
    counts, n = report.counts, report.settings.seeds
    seeds = "1 seed" if n == 1 else f"{n} seeds"
    return (
        f"{report.dataset}: {counts['val_boxes']:,} labelled boxes of at least "
        f"{report.settings.min_box_px2:g} px² in {counts['val_images']:,} images not learned from; {seeds}"
    )


def _confusion(report: EvalReport, path: Path) -> Path:
    method = report.methods[0]
    columns = (*report.classes, "another class", "rejected")
    counts = method.confusion / len(method.curves)
    return plot_confusion(
        counts, report.classes, columns, f"{method.name}: label and answer", _subtitle(report), path
    )


def _curves(report: EvalReport, path: Path) -> Path:
    first = report.methods[0]
    by_class = [Line(c, tuple(s.labelled[c] for s in first.curves)) for c in report.classes]
    everything = Line("all classes", tuple(s.labelled[ALL] for s in first.curves), strong=True)
    panels = [
        Panel(f"{first.name}, by class", (*by_class, everything)),
        Panel("labelled boxes, all classes", tuple(_line(m, automatic=False) for m in report.methods)),
    ]
    with_automatic = [m for m in report.methods if m.curves[0].automatic]
    if with_automatic:
        panels.append(
            Panel("automatic masks, all classes", tuple(_line(m, automatic=True) for m in with_automatic))
        )
    return plot_precision_recall(panels, "Precision and recall", _subtitle(report), path)


def _line(method: MethodReport, *, automatic: bool) -> Line:
    curves = tuple((s.automatic if automatic else s.labelled)[ALL] for s in method.curves)
    return Line(method.name, curves, pale=method.name == _CHANCE)


def _reliability(report: EvalReport, path: Path) -> Path:
    shown = [(m.name, m.reliability) for m in report.methods if m.name != _CHANCE][:_MOST_PANELS]
    return plot_reliability(shown, "Can confidence be believed?", _subtitle(report), path)


def _per_class(report: EvalReport, path: Path) -> Path:
    figures = [[m.figures[f"labelled/class/{c}/f1"] for c in report.classes] for m in report.methods]
    methods = [
        Bars(m.name, tuple(s.mean for s in own), tuple(s.std for s in own), pale=m.name == _CHANCE)
        for m, own in zip(report.methods, figures, strict=True)
    ]
    classes = [f"{c}\n{report.class_counts[c]:,} boxes" for c in report.classes]
    label = "F1 of the best guess (mean; line: standard deviation over seeds)"
    return plot_bars(classes, methods, label, "F1 per class", _subtitle(report), path)


def _write_json(record: Mapping[str, PayloadValue], path: Path) -> Path:
    part = path.with_name(path.name + ".part")
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8", errors="backslashreplace")
        os.replace(part, path)
    except OSError as exc:
        raise ConfigError(
            f"cannot write {path} ({exc.strerror or exc}): choose another place with --out"
        ) from exc
    return path
