"""What neighbours, and a linear probe, say of labels: which they dispute, and how much."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Judge: TypeAlias = Literal["neighbours", "probe", "both"]

_CHUNK = 1024
N_FOLDS = 5


@dataclass(frozen=True, slots=True)
class VoteSettings:
    """How labels are judged.

    `k_neighbours` segments of other images vote, each with the weight exp((cosine - 1) / `temperature`);
    `ridge` is the linear probe's penalty, as a share of the mean variance of a dimension. Before labels are
    ranked, each class's share plus `floor` is divided by how frequent the class is to the power `balance`.
    The defaults were chosen on 119 training frames of BDD100K.
    """

    judge: Judge = "both"
    k_neighbours: int = 50
    temperature: float = 0.05
    ridge: float = 0.1
    balance: float = 0.5
    floor: float = 0.05

    def __post_init__(self) -> None:
        if self.k_neighbours < 1 or min(self.temperature, self.ridge, self.floor) <= 0 or self.balance < 0:
            raise ValueError(
                "k_neighbours must be at least 1, temperature, ridge and floor positive, balance not negative"
            )


@dataclass(frozen=True, slots=True)
class Opinion:
    """What is thought of N labels.

    `suggested` (N,) is the best other class, `disputed` (N,) whether its share is larger than the label's.
    `score` (N,) in [-1, 1] ranks: (a - b) / (a + b) of the suggested class's and the label's balanced share.
    """

    suggested: NDArray[np.int64]
    disputed: NDArray[np.bool_]
    score: NDArray[np.float64]


def judge_labels(
    vectors: NDArray[np.float32],
    labels: NDArray[np.int64],
    images: NDArray[np.int64],
    folds: NDArray[np.int64],
    n_classes: int,
    settings: VoteSettings,
) -> Opinion:
    """Judge each of N labels by segments of other images only.

    `vectors` (N, D) are unit rows, `labels` (N,) class indices below `n_classes`, `images` (N,) equal for
    segments of one image, `folds` (N,) below N_FOLDS and equal within an image.
    """
    shares: list[NDArray[np.float64]] = []
    if settings.judge != "probe":
        shares.append(neighbour_shares(vectors, labels, images, n_classes, settings))
    if settings.judge != "neighbours":
        shares.append(probe_shares(vectors, labels, folds, n_classes, settings.ridge))
    return opinion_of(np.mean(shares, axis=0), labels, settings)


def neighbour_shares(
    vectors: NDArray[np.float32],
    labels: NDArray[np.int64],
    images: NDArray[np.int64],
    n_classes: int,
    settings: VoteSettings,
) -> NDArray[np.float64]:
    """Each class's share (N, C) of the vote of the nearest segments of other images; all 0 without any."""
    shares = np.zeros((len(vectors), n_classes))
    for start in range(0, len(vectors), _CHUNK):
        rows = slice(start, start + _CHUNK)
        cosines = vectors[rows] @ vectors.T
        cosines[images[rows, None] == images[None, :]] = -np.inf
        k = min(settings.k_neighbours, cosines.shape[1])
        near = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
        found = np.take_along_axis(cosines, near, axis=1).astype(np.float64)
        weights = np.exp((found - 1.0) / settings.temperature)  # one's own image: exp(-inf) = 0
        np.add.at(shares[rows], (np.arange(len(near))[:, None], labels[near]), weights)
    total = shares.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(shares, total, out=np.zeros_like(shares), where=total > 0))


def probe_shares(
    vectors: NDArray[np.float32],
    labels: NDArray[np.int64],
    folds: NDArray[np.int64],
    n_classes: int,
    ridge: float,
) -> NDArray[np.float64]:
    """Each class's probability (N, C) by a linear probe that never saw the segment's fold.

    Ridge regression on one-hot labels: its least squares are the probabilities, up to a little that falls
    outside [0, 1] and is cut off; solved in closed form, it has no seed and takes a second for 10,000.
    """
    shares = np.zeros((len(vectors), n_classes))
    wanted = np.eye(n_classes)[labels]
    for fold in range(N_FOLDS):
        held, seen = folds == fold, folds != fold
        if not held.any() or not seen.any():
            continue
        mean, base = vectors[seen].mean(axis=0), wanted[seen].mean(axis=0)
        x = (vectors[seen] - mean).astype(np.float64)
        gram = x.T @ x
        gram[np.diag_indices_from(gram)] += ridge * np.trace(gram) / len(gram) + 1e-9
        weights = np.linalg.solve(gram, x.T @ (wanted[seen] - base))
        shares[held] = np.clip((vectors[held] - mean) @ weights + base, 0.0, 1.0)
    return shares


def opinion_of(shares: NDArray[np.float64], labels: NDArray[np.int64], settings: VoteSettings) -> Opinion:
    """What shares (N, C) of the classes say of labels (N,).

    A rare label is believed more readily than a frequent one: nobody writes "bus" by accident as often as
    "car", and a small class has few neighbours to speak for it.
    """
    rows = np.arange(len(labels))
    own = shares[rows, labels]
    others = shares.copy()
    others[rows, labels] = -np.inf
    suggested = others.argmax(axis=1).astype(np.int64)
    best = np.maximum(others[rows, suggested], 0.0)  # -inf where there is no other class
    frequency = np.bincount(labels, minlength=shares.shape[1]) / len(labels)
    weight = np.maximum(frequency, 1 / len(labels)) ** -settings.balance
    a = (best + settings.floor) * weight[suggested]
    b = (own + settings.floor) * weight[labels]
    return Opinion(suggested, best > own, (a - b) / (a + b))


def folds_of(names: Sequence[str]) -> NDArray[np.int64]:
    """Folds (N,) below N_FOLDS, the same for the same name in every run."""
    return np.array([zlib.crc32(name.encode("utf-8", "surrogatepass")) % N_FOLDS for name in names], np.int64)
