"""From neighbours to predictions: the vote, then the thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samdb.bank.vote import NOBODY, Votes, vote
from samdb.core.bank import BankCard, Prediction, Prototype, RejectReason


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A prototype near a segment: its class (None: background) and its cosine to the segment."""

    prototype_id: str
    class_name: str | None
    cosine: float


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """The k nearest prototypes of N segments as arrays, nearest first.

    `classes` (N, k) index into the sorted class names, background being one past the last and NOBODY
    standing where there are fewer than k. `cosines` (N, k) are their similarities.
    """

    classes: NDArray[np.int64]
    cosines: NDArray[np.float64]

    def nearest(self, k: int) -> Neighbourhood:
        """Only the `k` nearest of them."""
        return Neighbourhood(self.classes[:, :k], self.cosines[:, :k])


def class_indices(names: Sequence[str | None], classes: Sequence[str]) -> NDArray[np.int64]:
    """Indices (N,) of names into `classes`; background (None) is one past the last.

    Raises ValueError on a name that is not among `classes`.
    """
    index = {name: i for i, name in enumerate(classes)}
    strangers = {n for n in names if n is not None and n not in index}
    if strangers:
        raise ValueError(f"{sorted(strangers)} are not among the classes {list(classes)}")
    return np.array([len(classes) if n is None else index[n] for n in names], dtype=np.int64)


def nearest_prototypes(
    vectors: NDArray[np.float32], prototypes: Sequence[Prototype], classes: Sequence[str], k: int
) -> Neighbourhood:
    """The `k` nearest of `prototypes` by cosine, found by scanning; `vectors` (N, D) are unit rows.

    Equal cosines are ordered by prototype id. Without k prototypes the rest is NOBODY.
    """
    ordered = sorted(prototypes, key=lambda p: p.prototype_id)
    matrix = np.stack([p.vector for p in ordered])
    codes = class_indices([p.class_name for p in ordered], classes)
    found = np.full((len(vectors), k), NOBODY, dtype=np.int64)
    cosines = np.zeros((len(vectors), k))
    k = min(k, len(ordered))
    # 4096 rows at a time keep the similarity matrix of a 1,000-prototype bank at 16 MB
    for start in range(0, len(vectors), 4096):
        stop = start + 4096
        similar = vectors[start:stop] @ matrix.T
        order = np.argsort(-similar, axis=1, kind="stable")[:, :k]
        found[start:stop, :k] = codes[order]
        cosines[start:stop, :k] = np.take_along_axis(similar, order, axis=1)
    return Neighbourhood(found, cosines)


def hold_vote(neighbourhood: Neighbourhood, temperature: float, n_classes: int) -> Votes:
    """The vote of a neighbourhood; class index `n_classes` is background."""
    return vote(
        neighbourhood.classes, neighbourhood.cosines, temperature, n_classes + 1, background=n_classes
    )


def classify(neighbours: Sequence[Sequence[Neighbour]], card: BankCard) -> list[Prediction]:
    """What the bank of `card` says of segments whose nearest prototypes these are, best first.

    Raises ValueError when a prototype's class is not on the card.
    """
    n, k = len(neighbours), card.k_neighbours
    codes = np.full((n, k), NOBODY, dtype=np.int64)
    cosines = np.zeros((n, k))
    for i, near in enumerate(neighbours):
        codes[i, : len(near[:k])] = class_indices([m.class_name for m in near[:k]], card.classes)
        cosines[i, : len(near[:k])] = [m.cosine for m in near[:k]]
    votes = hold_vote(Neighbourhood(codes, cosines), card.vote_temperature, len(card.classes))
    return [_prediction(votes, i, near, card) for i, near in enumerate(neighbours)]


def _prediction(votes: Votes, row: int, near: Sequence[Neighbour], card: BankCard) -> Prediction:
    if not near:
        return Prediction(None, 0.0, reason="no_neighbours")
    names = (*card.classes, None)
    winner = names[votes.winner[row]]
    second = votes.runner_up[row]
    runner_up = None if second == NOBODY else names[second]
    voted = np.flatnonzero(votes.scores[row] > 0.0)
    # the winner first, even when another class scores as much by a closer prototype
    order = sorted(voted.tolist(), key=lambda i: (i != votes.winner[row], -votes.scores[row, i]))
    scores = tuple((names[i], float(votes.scores[row, i])) for i in order)
    score = float(votes.score[row])
    classes = () if winner is None else possible_classes(winner, scores, card)
    reason: RejectReason | None = None
    if winner is None:
        reason = "background"
    elif not classes:
        winner, runner_up, reason = None, winner, "low_score"
    return Prediction(winner, score, runner_up, reason, near[0].prototype_id, classes, scores)


def possible_classes(
    winner: str, scores: Sequence[tuple[str | None, float]], card: BankCard
) -> tuple[str, ...]:
    """The classes that a segment may be of, the winner first; none when its score is too low for any.

    Those that reach their limit on the card (see `samdb.bank.conformal`). Where any does, so does the winner,
    and where none does, the winner still when it reaches its threshold: of classes that are easily told apart
    the limit would refuse a tenth for nothing. A larger set misses no more. A bank without limits goes by the
    threshold alone.
    """
    found = [name for name, score in scores if name is not None and score >= card.conformal.get(name, 0.0)]
    if card.conformal and found:
        return (winner, *(name for name in found if name != winner))
    own = next((score for name, score in scores if name == winner), 0.0)
    return (winner,) if own >= card.thresholds.get(winner, 0.0) else ()
