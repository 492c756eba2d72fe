"""Figures of a ranking by score: AUROC, FPR95, precision and recall, average precision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """A precision-recall curve: one point per distinct score, the highest score first.

    `scores`, `precision` and `recall` are (P,); the point of a score counts all answers of at least it.
    """

    scores: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]

    @property
    def average_precision(self) -> float:
        """The area below the steps of the curve, 0 for an empty one: nothing is interpolated, and what was
        never found adds nothing.
        """
        return float(np.sum(np.diff(self.recall, prepend=0.0) * self.precision))

    def precision_at(self, recall: float) -> float | None:
        """The best precision at which at least `recall` is found; None when it never is."""
        reached = self.precision[self.recall >= recall - 1e-12]
        return float(reached.max()) if len(reached) else None

    def on_grid(self, recalls: NDArray[np.float64]) -> NDArray[np.float64]:
        """`precision_at` of every recall of a grid, NaN where it is never reached: for a plot."""
        found = [self.precision_at(float(r)) for r in recalls]
        return np.array([np.nan if p is None else p for p in found])


def precision_recall(
    scores: NDArray[np.float64], right: NDArray[np.bool_], n_positives: int
) -> PrecisionRecall:
    """The curve of N answers with `scores` (N,), of which those with `right` (N,) are hits.

    `n_positives` is how many hits there could be, also those that no answer found.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    # answers of one score come together: no order among them is better than another
    last = np.flatnonzero(np.diff(ranked, append=-np.inf))
    hits = np.cumsum(right[order])[last]
    return PrecisionRecall(ranked[last], hits / (last + 1), hits / max(n_positives, 1))


def auroc(positives: NDArray[np.float64], negatives: NDArray[np.float64]) -> float:
    """The chance that a positive scores above a negative, ties counting half (Mann and Whitney's U).

    Raises ValueError when either is empty.
    """
    if not len(positives) or not len(negatives):
        raise ValueError("AUROC needs positives and negatives")
    ordered = np.sort(negatives)
    below = np.searchsorted(ordered, positives, side="left")
    not_above = np.searchsorted(ordered, positives, side="right")
    return float((below + not_above).mean() / (2 * len(negatives)))


def false_accepts_at(
    known: NDArray[np.float64], unknown: NDArray[np.float64], accepted: float = 0.95
) -> float:
    """FPR95: the share of `unknown` that is let in where `accepted` of `known` is, both by confidence.

    The threshold is the highest confidence that at least `accepted` of the known ones have.
    Source: Hendrycks and Gimpel, "A baseline for detecting misclassified and out-of-distribution examples".
    Raises ValueError when either is empty.
    """
    if not len(known) or not len(unknown):
        raise ValueError("FPR95 needs known and unknown examples")
    keep = int(np.ceil(accepted * len(known) - 1e-9))
    threshold = np.sort(known)[::-1][max(keep, 1) - 1]
    return float((unknown >= threshold).mean())
