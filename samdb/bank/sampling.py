"""Which segments a head sees, in which order: small classes more often, hard background more often."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# half of the background that is drawn is its hardest fifth: that which is nearest to a class's prototype
_HARD_SHARE = 0.5
_HARDEST = 0.2


class ClassBalancedSampler:
    """Draws rows with replacement, a class with a frequency of its size to the power 1 - `balance`.

    `classes` (N,) are class indices; `background` is the index of what is no object (may be absent).
    """

    def __init__(
        self, classes: NDArray[np.int64], balance: float, background: int, rng: np.random.Generator
    ) -> None:
        counts = np.bincount(classes, minlength=background + 1).astype(np.float64)
        weights = counts[classes] ** -balance
        self._weights = weights / weights.sum()
        self._background = np.flatnonzero(classes == background)
        self._rng = rng

    def epoch(self, n: int, hardness: NDArray[np.float32] | None = None) -> NDArray[np.int64]:
        """`n` rows in random order. `hardness` (number of background rows,) is how much each looks like a
        class, larger is harder; without it they are all alike."""
        rows = self._rng.choice(len(self._weights), size=n, p=self._weights)
        if hardness is not None and len(self._background) >= 1 / _HARDEST:
            hardest = self._background[np.argsort(-hardness, kind="stable")]
            hardest = hardest[: int(len(hardest) * _HARDEST)]
            swapped = np.isin(rows, self._background) & (self._rng.random(n) < _HARD_SHARE)
            rows[swapped] = self._rng.choice(hardest, size=int(swapped.sum()))
        return rows.astype(np.int64)


class Partners:
    """Finds another segment of the same object: for a whole one of its parts, and the other way round.

    `objects` (N,) says which object a row belongs to; -1: none that is known.
    """

    def __init__(self, objects: NDArray[np.int64], rng: np.random.Generator) -> None:
        known = np.flatnonzero(objects >= 0)
        order = known[np.argsort(objects[known], kind="stable")]
        _, first, counts = np.unique(objects[order], return_index=True, return_counts=True)
        self._order, self._rng = order, rng
        # for each row where its object begins in `order`, how many rows that has, and which of them it is
        self._first = np.zeros(len(objects), dtype=np.int64)
        self._count = np.zeros(len(objects), dtype=np.int64)
        self._place = np.zeros(len(objects), dtype=np.int64)
        self._first[order] = np.repeat(first, counts)
        self._count[order] = np.repeat(counts, counts)
        self._place[order] = np.arange(len(order)) - self._first[order]

    def of(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places in `rows` (M,) whose object has another segment, and for each such a one (M,)."""
        places = np.flatnonzero(self._count[rows] > 1)
        own = rows[places]
        step = self._rng.integers(1, np.maximum(self._count[own], 2))
        return places, self._order[self._first[own] + (self._place[own] + step) % self._count[own]]
