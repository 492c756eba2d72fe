"""Classification and retrieval figures: accuracy, F1 per class, macro-F1, balanced precision at k."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """How one class fared: shares in [0, 1], 0 where nothing could be divided.

    `n_true` segments are of the class, `n_predicted` were said to be.
    """

    class_name: str
    n_true: int
    n_predicted: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class ClassificationFigures:
    """How a classifier fared on `n` segments.

    `accuracy` is the share of right answers, `macro_f1` the mean F1 of the classes, all counting alike.
    """

    n: int
    accuracy: float
    macro_f1: float
    per_class: tuple[ClassFigures, ...]

    @property
    def f1(self) -> Mapping[str, float]:
        """F1 by class name."""
        return {c.class_name: c.f1 for c in self.per_class}


def classification_figures(
    truth: Sequence[str], predicted: Sequence[str | None], classes: Sequence[str] | None = None
) -> ClassificationFigures:
    """Compare answers with the truth; None is "no class" and is always wrong.

    `classes` (default: those in `truth`, sorted) are the ones that macro-F1 is the mean of. A truth outside
    them raises ValueError; an answer outside them is a miss.
    """
    if len(truth) != len(predicted):
        raise ValueError(f"{len(truth)} truths but {len(predicted)} predictions")
    names = sorted(set(truth)) if classes is None else list(classes)
    strangers = set(truth) - set(names)
    if strangers:
        raise ValueError(f"the truth holds classes that are not asked for: {sorted(strangers)}")
    per_class = tuple(_class_figures(name, truth, predicted) for name in names)
    n = len(truth)
    right = sum(t == p for t, p in zip(truth, predicted, strict=True))
    return ClassificationFigures(
        n=n,
        accuracy=right / n if n else 0.0,
        macro_f1=float(np.mean([c.f1 for c in per_class])) if per_class else 0.0,
        per_class=per_class,
    )


def balanced_precision(truth: Sequence[str], neighbours: Sequence[Sequence[str | None]]) -> float:
    """Class-balanced precision at k: of each query's neighbours the share of its own class, averaged within
    each class of `truth` first and then over the classes, so that frequent classes weigh no more.

    `neighbours` are the classes of each query's k nearest segments; a query with none counts as 0.
    """
    if len(truth) != len(neighbours):
        raise ValueError(f"{len(truth)} queries but {len(neighbours)} answers")
    by_class: dict[str, list[float]] = {}
    for name, near in zip(truth, neighbours, strict=True):
        share = sum(c == name for c in near) / len(near) if near else 0.0
        by_class.setdefault(name, []).append(share)
    return float(np.mean([np.mean(shares) for shares in by_class.values()])) if by_class else 0.0


def _class_figures(name: str, truth: Sequence[str], predicted: Sequence[str | None]) -> ClassFigures:
    n_true = sum(t == name for t in truth)
    n_predicted = sum(p == name for p in predicted)
    hits = sum(t == p == name for t, p in zip(truth, predicted, strict=True))
    return ClassFigures(
        class_name=name,
        n_true=n_true,
        n_predicted=n_predicted,
        precision=hits / n_predicted if n_predicted else 0.0,
        recall=hits / n_true if n_true else 0.0,
        f1=2 * hits / (n_true + n_predicted) if n_true + n_predicted else 0.0,
    )
