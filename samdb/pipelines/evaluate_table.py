"""An evaluation as a table: a row per figure, a column per method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from samdb.pipelines.evaluate_report import EvalReport, Spread

_TITLES: Final[Mapping[str, str]] = {
    "labelled/accuracy": "accuracy",
    "labelled/macro_f1": "macro-F1",
    "labelled/rejected": "rejected",
    "labelled/accepted_accuracy": "right if accepted",
    "labelled/ece": "calibration error",
    "retrieval/p_at_10": "search: P@10",
    "retrieval/map_at_r": "search: MAP@R",
    "open_set/auroc": "open set: AUROC",
    "open_set/fpr95": "open set: FPR95",
    "automatic/map": "automatic: mAP",
    "automatic/precision": "automatic: precision",
    "automatic/recall": "automatic: recall",
    "automatic/precision_at_recall_50": "automatic: precision at recall .5",
    "automatic/precision_at_recall_50_of_shown": "automatic: the same, of labels shown",
    "automatic/labels_shown": "automatic: labels that a mask shows",
    "automatic/background_rejected": "automatic: background rejected",
    "automatic_without_background/map": "no background learned: mAP",
    "automatic_without_background/precision": "no background learned: precision",
    "automatic_without_background/background_rejected": "no background learned: background rejected",
}


def table_rows(report: EvalReport) -> tuple[tuple[str, ...], list[list[str]]]:
    """The columns, and the rows of cells: means, with ± the spread where there are several seeds."""
    by = report.settings.group_by
    names = list(dict.fromkeys(name for m in report.methods for name in m.figures))
    keys = [(key, title) for key, title in _TITLES.items() if key in names]
    sizes = [n for n in names if n.startswith("labelled/size/") and not n.endswith("/n")]
    groups = [n for n in names if n.startswith(f"labelled/{by}/") and not n.endswith("/n")]
    first = [k for k in keys if k[0].startswith("labelled/")]
    per_class = [(f"labelled/class/{c}/f1", f"F1 {c} ({report.class_counts[c]})") for c in report.classes]
    aps = [
        (f"automatic/class/{c}/ap", f"automatic: AP {c}")
        for c in report.classes
        if f"automatic/class/{c}/ap" in names
    ]
    rest = [k for k in keys if k not in first]
    order = [*first, *per_class, *((n, _subset(n, report)) for n in (*sizes, *groups)), *rest, *aps]
    n = report.settings.seeds
    rows = [[title, *(cell(m.figures.get(key), n) for m in report.methods)] for key, title in order]
    return ("figure", *(m.name for m in report.methods)), rows


def cell(spread: Spread | None, seeds: int) -> str:
    """A figure as it is shown: `.813 ± .004`, or `-`; it says so when only some of the seeds have it."""
    if spread is None or not spread.values:
        return "-"
    n, mean = len(spread.values), _short(spread.mean)
    shown = f"{mean} ± {_short(spread.std)}" if n > 1 else mean
    return shown if n == seeds else f"{shown} ({n} of {seeds} seeds)"


def _short(value: float) -> str:
    text = f"{value:.3f}"
    return text[1:] if text.startswith("0.") else text


def _subset(name: str, report: EvalReport) -> str:
    # a group may have a slash of its own: dawn/dusk
    head, _, figure = name.rpartition("/")
    _, kind, group = head.split("/", 2)
    n = next(m.figures[f"labelled/{kind}/{group}/n"].mean for m in report.methods if name in m.figures)
    low, _, high = group.partition("-")
    shown = group if kind != "size" else (f"{low} to {high} px²" if high else f"from {low} px²")
    what = {"accuracy": "accuracy", "macro_f1": "macro-F1"}[figure]
    return f"{what} {shown} ({n:.0f})"
