"""Score thresholds, fitted on held-out segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

# a class with fewer held-out right answers than this takes the threshold of all classes together: with 20
# the 5 % that may be rejected is one segment, with fewer it is none
_ENOUGH = 20
#: the score that no answer reaches, where none can be built upon
_NEVER = 2.0


def fit_thresholds(
    truth: NDArray[np.int64],
    winner: NDArray[np.int64],
    score: NDArray[np.float64],
    classes: Sequence[str],
    max_rejected: float,
) -> Mapping[str, float]:
    """For each class the score below which an answer is better withheld.

    `truth` and `winner` (N,) are class indices, len(classes) being background; `score` (N,) in [0, 1].
    Of the answers "class c", the right ones should stay and the wrong ones (background and other classes
    taken for c) should go: the threshold is where the share of the wrong that goes exceeds the share of
    the right that goes by most (Youden's J), among those that reject at most `max_rejected` of the right.
    A threshold of 0 rejects nothing. Ties go to the lower threshold.
    """
    answered = winner < len(classes)
    right = answered & (winner == truth)
    wrong = answered & (winner != truth)
    everyone = _threshold(score[right], score[wrong], max_rejected)
    fitted = {}
    for index, name in enumerate(classes):
        own = winner == index
        enough = int((right & own).sum()) >= _ENOUGH
        fitted[name] = (
            _threshold(score[right & own], score[wrong & own], max_rejected) if enough else everyone
        )
    return fitted


def fit_sure(
    truth: NDArray[np.int64],
    winner: NDArray[np.int64],
    score: NDArray[np.float64],
    classes: Sequence[str],
    precision: float,
) -> Mapping[str, float]:
    """For each class the lowest score from which at least `precision` of its answers are right.

    The arguments are those of `fit_thresholds`. A class with few right answers takes the score of all classes
    together; 2 stands where no score is high enough. A share as it was seen, without a margin.
    """
    answered = (winner >= 0) & (winner < len(classes))
    right = winner == truth
    everyone = _sure(score[answered], right[answered], precision)
    fitted = {}
    for index, name in enumerate(classes):
        own = winner == index
        enough = int((right & own).sum()) >= _ENOUGH
        fitted[name] = _sure(score[own], right[own], precision) if enough else everyone
    return fitted


def _sure(score: NDArray[np.float64], right: NDArray[np.bool_], precision: float) -> float:
    order = np.argsort(-score, kind="stable")
    score, hits = score[order], np.cumsum(right[order])
    # equal scores stay together
    last = np.searchsorted(-score, -score, side="right") - 1
    enough = np.flatnonzero(hits[last] >= precision * (last + 1))
    return float(score[enough[-1]]) if len(enough) else _NEVER


def _threshold(right: NDArray[np.float64], wrong: NDArray[np.float64], max_rejected: float) -> float:
    if not len(right) or not len(wrong):
        return 0.0
    right = np.sort(right)
    # a right answer's own score is a threshold that just keeps it; those before it in the order are lost
    lost = np.searchsorted(right, right, side="left") / len(right)
    allowed = lost <= max_rejected
    gone = np.searchsorted(np.sort(wrong), right, side="left") / len(wrong)
    gain = np.where(allowed, gone - lost, -np.inf)
    best = int(np.argmax(gain))
    return float(right[best]) if gain[best] > 0.0 else 0.0
