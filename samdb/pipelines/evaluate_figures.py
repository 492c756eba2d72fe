"""The figures of one method and one seed on labelled boxes: named numbers, and what curves are drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from samdb.core.metrics import classification_figures
from samdb.core.metrics_calibration import reliability
from samdb.core.metrics_ranking import PrecisionRecall, auroc, false_accepts_at, precision_recall
from samdb.core.metrics_retrieval import average_precision_at_r, class_mean
from samdb.pipelines.evaluate_answers import Answers
from samdb.pipelines.evaluate_data import Segments

#: names with slashes to numbers, such as "labelled/class/car/f1"; a figure that cannot be had is not there
Figures: TypeAlias = Mapping[str, float]

#: bins of the area of labelled boxes, px²: COCO's "small" ends at 32² = 1,024, the others are 4 times apart
SIZE_EDGES: Final = (0.0, 1024.0, 4096.0, 16384.0, float("inf"))
#: the curve of all classes together
ALL: Final = "all"

_K = 10
# rows x gallery at a time: 4M similarities with their order are 48 MB
_CELLS = 4_000_000


def labelled_figures(answers: Answers, val: Segments, classes: Sequence[str], group_by: str) -> Figures:
    """Accuracy, macro-F1 and so on of boxes that are all of `classes`, of every size and of every group.

    `accuracy`, `macro_f1` and the figures per class judge the best guess of every box, rejected or not.
    """
    truth, guesses = val.labels, answers.guesses
    figures = classification_figures(truth, guesses, classes)
    right = np.array([t == g for t, g in zip(truth, guesses, strict=True)], dtype=bool)
    kept = ~answers.rejected
    found = {
        "labelled/accuracy": figures.accuracy,
        "labelled/macro_f1": figures.macro_f1,
        "labelled/rejected": float(answers.rejected.mean()),
        "labelled/ece": reliability(answers.confidence, right).ece,
    }
    if kept.any():
        found["labelled/accepted_accuracy"] = float(right[kept].mean())
    for own in figures.per_class:
        found |= {
            f"labelled/class/{own.class_name}/f1": own.f1,
            f"labelled/class/{own.class_name}/precision": own.precision,
            f"labelled/class/{own.class_name}/recall": own.recall,
        }
    groups = np.array(val.groups)
    subsets = {f"{group_by}/{name}": groups == name for name in sorted(set(val.groups))}
    for name, rows in {**size_bins(val.area_px2), **subsets}.items():
        found |= _subset(f"labelled/{name}", rows, truth, guesses)
    return found


def size_bins(area_px2: NDArray[np.float64]) -> dict[str, NDArray[np.bool_]]:
    """Which boxes (N,) lie in each bin of areas; bins without a box are left out."""
    bins = {}
    for low, high in pairwise(SIZE_EDGES):
        rows = (area_px2 >= low) & (area_px2 < high)
        if rows.any():
            bins[f"size/{low:.0f}-{'' if np.isinf(high) else f'{high:.0f}'}"] = rows
    return bins


def confusion(answers: Answers, val: Segments, classes: Sequence[str]) -> NDArray[np.int64]:
    """Counts (C, C + 2): a row per true class, a column per answer, then "another class" and "rejected"."""
    column = {name: i for i, name in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes) + 2), dtype=np.int64)
    for name, guess, rejected in zip(val.labels, answers.guesses, answers.rejected, strict=True):
        other = len(classes) if guess is not None and not rejected else len(classes) + 1
        counts[column[name], other if rejected or guess is None else column.get(guess, other)] += 1
    return counts


def labelled_curves(answers: Answers, val: Segments, classes: Sequence[str]) -> dict[str, PrecisionRecall]:
    """Precision and recall of the best guesses by confidence, of each class and of all together."""
    truth, guesses = np.array(val.labels), np.array([g or "" for g in answers.guesses])
    curves = {}
    for name in classes:
        own = guesses == name
        curves[name] = precision_recall(
            answers.confidence[own], (truth == name)[own], int((truth == name).sum())
        )
    return {**curves, ALL: precision_recall(answers.confidence, truth == guesses, len(truth))}


def retrieval_figures(
    queries: Segments, rows: NDArray[np.float32], gallery: Segments, gallery_rows: NDArray[np.float32]
) -> Figures:
    """Search with each labelled box among those of train; classes count alike in the means.

    `rows` (N, D) and `gallery_rows` (G, D) are what the method compares. P@10 is the share of the 10 nearest
    of the query's class; MAP@R asks for as many as train has of it. Equal cosines keep the gallery's order.
    """
    truth, names = queries.labels, np.array(gallery.labels)
    n_own = {name: int((names == name).sum()) for name in set(truth)}
    precisions: list[float] = []
    averages: list[float] = []
    step = max(1, _CELLS // max(len(names), 1))
    for start in range(0, len(rows), step):
        similar = rows[start : start + step] @ gallery_rows.T
        order = np.argsort(-similar, axis=1, kind="stable")
        for name, ranked in zip(truth[start : start + step], order, strict=True):
            relevant = names[ranked[: max(n_own[name], _K)]] == name
            precisions.append(float(relevant[:_K].mean()))
            averages.append(average_precision_at_r(relevant, n_own[name]))
    return {
        "retrieval/p_at_10": class_mean(precisions, truth),
        "retrieval/map_at_r": class_mean(averages, truth),
    }


def open_set_figures(known: NDArray[np.float64], unknown: NDArray[np.float64]) -> Figures:
    """How well 1 - confidence tells the boxes of classes that were left out from those of the others."""
    return {
        "open_set/auroc": auroc(1.0 - unknown, 1.0 - known),
        "open_set/fpr95": false_accepts_at(known, unknown),
    }


def _subset(
    name: str, rows: NDArray[np.bool_], truth: Sequence[str], guesses: Sequence[str | None]
) -> Figures:
    index = [i for i, wanted in enumerate(rows) if wanted]
    figures = classification_figures([truth[i] for i in index], [guesses[i] for i in index])
    return {
        f"{name}/n": float(figures.n),
        f"{name}/accuracy": figures.accuracy,
        f"{name}/macro_f1": figures.macro_f1,
    }
