"""The similarity-weighted vote of the nearest prototypes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: in an array of class indices: nobody there
NOBODY = -1


@dataclass(frozen=True, slots=True)
class Votes:
    """Outcomes for N segments.

    `winner` and `runner_up` (N,) are class indices or NOBODY. `score` (N,) is in [0, 1], and `scores` (N, C)
    is what each class would have scored as the winner: 0 without a vote.
    """

    winner: NDArray[np.int64]
    score: NDArray[np.float64]
    runner_up: NDArray[np.int64]
    scores: NDArray[np.float64]


def vote(
    classes: NDArray[np.int64],
    cosines: NDArray[np.floating],
    temperature: float,
    n_classes: int,
    background: int = NOBODY,
) -> Votes:
    """Let the k nearest prototypes of N segments vote.

    `classes` (N, k) are class indices below `n_classes`, NOBODY where there are fewer neighbours;
    `cosines` (N, k) their similarities, in [-1, 1]. A prototype weighs exp((cosine - 1) / temperature), a
    class the sum over its prototypes; the largest wins (ties: the lower index). The score is the winner's
    share of all weights times its best cosine, a negative one counting as 0. `background` is the index that
    votes and wins like the others but is never a runner-up.
    """
    n, _ = classes.shape
    if n == 0:
        nobody = np.empty(0, dtype=np.int64)
        return Votes(nobody, np.empty(0), nobody, np.empty((0, n_classes)))
    present = classes != NOBODY
    cosine = np.where(present, np.asarray(cosines, dtype=np.float64), -np.inf)
    # taking each row's best off first leaves every share as it is and keeps exp() from underflowing
    best = np.where(present.any(axis=1), cosine.max(axis=1, initial=-np.inf), 0.0)
    weights = np.exp((cosine - best[:, None]) / temperature)
    totals = np.zeros((n, n_classes))
    closest = np.zeros((n, n_classes))
    row, column = np.nonzero(present)
    np.add.at(totals, (row, classes[row, column]), weights[row, column])
    np.maximum.at(closest, (row, classes[row, column]), np.clip(cosine[row, column], 0.0, 1.0))
    # weights underflow to 0 for a far neighbour, which still was one: presence decides, not the weight
    voted = np.zeros((n, n_classes), dtype=bool)
    voted[row, classes[row, column]] = True

    ranked = np.where(voted, totals, -1.0)
    winner = ranked.argmax(axis=1)
    rows = np.arange(n)
    share = totals / np.maximum(totals.sum(axis=1), np.finfo(np.float64).tiny)[:, None]
    scores = np.minimum(share * closest, 1.0)
    score = scores[rows, winner]
    ranked[rows, winner] = -1.0
    if background != NOBODY:
        ranked[:, background] = -1.0
    second = ranked.argmax(axis=1)
    has_second = ranked[rows, second] >= 0.0
    return Votes(
        winner=np.where(present.any(axis=1), winner, NOBODY).astype(np.int64),
        score=np.where(present.any(axis=1), score, 0.0),
        runner_up=np.where(has_second, second, NOBODY).astype(np.int64),
        scores=scores,
    )
