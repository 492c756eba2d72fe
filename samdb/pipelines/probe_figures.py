"""How far apart the classes lie: cosines of pairs of segments, and of parts with their wholes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: bins of a histogram of cosines over [-1, 1]; a median is off by half a bin, 0.0005, at most
N_BINS = 2000
_CHUNK = 512


@dataclass(frozen=True, slots=True)
class CosineCounts:
    """How many cosines fall into each of N_BINS equal bins (B,) over [-1, 1]."""

    counts: NDArray[np.int64]

    @classmethod
    def of(cls, cosines: NDArray[np.floating]) -> CosineCounts:
        """Counted from cosines of any shape."""
        return cls(np.bincount(bins_of(cosines).ravel(), minlength=N_BINS).astype(np.int64))

    @property
    def n(self) -> int:
        """How many there are."""
        return int(self.counts.sum())

    @property
    def median(self) -> float | None:
        """The middle of the bin that the median falls into; None without any."""
        if self.n == 0:
            return None
        place = int(np.searchsorted(np.cumsum(self.counts), (self.n + 1) / 2))
        return (place + 0.5) * 2 / N_BINS - 1


@dataclass(frozen=True, slots=True)
class ClassSpread:
    """The cosines of one class: of its segments with each other, and with those of all other classes."""

    class_name: str
    n_segments: int
    within: CosineCounts
    between: CosineCounts

    @property
    def auroc(self) -> float | None:
        """How likely a pair within the class is closer than one across."""
        return auroc(self.within, self.between)


@dataclass(frozen=True, slots=True)
class PairFigures:
    """Cosines of all pairs of segments of different images.

    `mean_cosine` (C, C) is the mean of each pair of classes, NaN where there is no pair.
    """

    classes: tuple[ClassSpread, ...]
    mean_cosine: NDArray[np.float64]

    @property
    def within(self) -> CosineCounts:
        """Pairs of one class."""
        return CosineCounts(np.sum([c.within.counts for c in self.classes], axis=0))

    @property
    def between(self) -> CosineCounts:
        """Pairs of two classes; each is seen from both."""
        return CosineCounts(np.sum([c.between.counts for c in self.classes], axis=0) // 2)

    @property
    def auroc(self) -> float | None:
        """How likely a pair of one class is closer than a pair of two: 0.5 is chance."""
        return auroc(self.within, self.between)

    @property
    def balanced_auroc(self) -> float | None:
        """The mean of the classes' own, so that frequent classes weigh no more."""
        known = [a for c in self.classes if (a := c.auroc) is not None]
        return float(np.mean(known)) if known else None


@dataclass(frozen=True, slots=True)
class WholePartFigures:
    """Cosines of `n` parts with their own whole, with a whole of the same class in another image, and with
    one of another class."""

    n: int
    own: CosineCounts
    same_class: CosineCounts
    other_class: CosineCounts

    @property
    def own_auroc(self) -> float | None:
        """How likely a part is closer to its own whole than to another one of its class."""
        return auroc(self.own, self.same_class)

    @property
    def class_auroc(self) -> float | None:
        """How likely a part is closer to a stranger of its class than to one of another class."""
        return auroc(self.same_class, self.other_class)


def auroc(positives: CosineCounts, negatives: CosineCounts) -> float | None:
    """The area under the ROC curve: how likely a positive is the larger, equals (of one bin) counting half.

    None when either is empty. Source: Mann and Whitney's U.
    """
    if positives.n == 0 or negatives.n == 0:
        return None
    below = np.cumsum(negatives.counts) - negatives.counts
    # shares, not counts: the product of two counts of pairs may exceed 64 bits
    return float(np.sum(positives.counts / positives.n * ((below + negatives.counts / 2) / negatives.n)))


def bins_of(cosines: NDArray[np.floating]) -> NDArray[np.int64]:
    """The bin of each cosine."""
    return np.clip(((cosines + 1.0) * (N_BINS / 2)).astype(np.int64), 0, N_BINS - 1)


def compare_pairs(
    vectors: NDArray[np.float32],
    classes: NDArray[np.int64],
    images: NDArray[np.int64],
    class_names: tuple[str, ...],
) -> PairFigures:
    """Compare N unit rows (N, D) of `classes` (N,) in `images` (N,) with each other.

    Pairs within an image are left out: what they share may be the light.
    """
    n = len(class_names)
    wanted = np.eye(n)[classes]
    counts = np.zeros((n, 2, N_BINS), dtype=np.int64)
    sums, pairs = np.zeros((n, n)), np.zeros((n, n))
    for start in range(0, len(vectors), _CHUNK):
        rows = slice(start, start + _CHUNK)
        cosines = vectors[rows] @ vectors.T
        apart = images[rows, None] != images[None, :]
        same = classes[rows, None] == classes[None, :]
        code = (classes[rows, None] * 2 + same) * N_BINS + bins_of(cosines)
        counts += np.bincount(code[apart], minlength=counts.size).reshape(counts.shape)
        sums += wanted[rows].T @ (np.where(apart, cosines, 0.0) @ wanted)
        pairs += wanted[rows].T @ (apart @ wanted)
    spreads = tuple(
        # each pair within a class was met from both its ends
        ClassSpread(
            name, int((classes == i).sum()), CosineCounts(counts[i, 1] // 2), CosineCounts(counts[i, 0])
        )
        for i, name in enumerate(class_names)
    )
    return PairFigures(spreads, np.divide(sums, pairs, out=np.full_like(sums, np.nan), where=pairs > 0))


def principal_axes(
    vectors: NDArray[np.float32], n: int = 2
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates (N, n) along the `n` axes on which the rows (N, D) differ most, and the share (n,) of the
    variance that each explains. The sign of an axis is that which makes its largest weight positive."""
    moved = (vectors - vectors.mean(axis=0)).astype(np.float64)
    variances, axes = np.linalg.eigh(moved.T @ moved)
    axes = axes[:, ::-1][:, :n]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    total = max(float(variances.sum()), np.finfo(np.float64).tiny)
    return moved @ axes, np.clip(variances[::-1][:n], 0, None) / total
