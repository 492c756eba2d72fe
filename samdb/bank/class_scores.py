"""What a neighbourhood says of every class, not only of the winner."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from samdb.bank.classifier import Neighbourhood
from samdb.bank.vote import NOBODY


def class_scores(near: Neighbourhood, temperature: float, n_classes: int) -> NDArray[np.float64]:
    """Scores (N, n_classes + 1) in [0, 1], background last: each class's share of the vote times its best
    cosine, 0 for a class that no neighbour has. The winner's is the score of `samdb.bank.vote`.
    """
    scores = np.zeros((len(near.classes), n_classes + 1))
    present = near.classes != NOBODY
    if not present.any():
        return scores
    cosine = np.where(present, near.cosines, -np.inf)
    best = np.where(present.any(axis=1), cosine.max(axis=1), 0.0)
    weights = np.exp((cosine - best[:, None]) / temperature)
    total = np.maximum(weights.sum(axis=1), np.finfo(np.float64).tiny)
    for index in range(n_classes + 1):
        own = near.classes == index
        share = np.where(own, weights, 0.0).sum(axis=1) / total
        closest = np.where(own, np.clip(near.cosines, 0.0, 1.0), 0.0).max(axis=1)
        scores[:, index] = share * closest
    return scores
