"""Whitening: a linear head that needs no training beyond two covariances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from samdb.bank.table import SegmentTable
from samdb.bank.threads import one_thread
from samdb.core.head import Head, Layer

#: how far the covariance within classes is drawn towards a sphere of the same volume: cross-validated on 500
#: BDD100K frames
SHRINKAGE = 0.1


@dataclass(frozen=True, slots=True)
class Whitening:
    """An affine map: rows (N, D) become (rows - `mean`) @ `matrix`.T, (N, P). Within a class each number has
    a variance of about 1."""

    mean: NDArray[np.float64]
    matrix: NDArray[np.float64]

    def apply(self, rows: NDArray[np.floating]) -> NDArray[np.float32]:
        """Rows (N, D) to rows (N, P), of any length."""
        return np.asarray((rows - self.mean) @ self.matrix.T, dtype=np.float32)


def whitening_of(table: SegmentTable, dim: int, shrinkage: float = SHRINKAGE) -> Whitening:
    """The map that makes classes round: directions in which segments of one class differ shrink, those in
    which classes differ remain.

    Rows are centred and multiplied by the inverse root of the covariance within classes (each class counting
    alike, background as one), drawn to a sphere by `shrinkage` (0..1). Of the outcome the `dim` directions of
    largest variance are kept, or all, when there are fewer; classes again count alike. Both steps are one
    generalised eigenvalue problem, a quarter of the work: total v = lambda within v.

    Source: linear discriminant analysis (Fisher 1936), its covariance shrunk as Ledoit and Wolf (2004) do.
    """
    with one_thread():
        rows = table.vectors.astype(np.float64)
        names = np.array([name or "" for name in table.class_names])
        weights = balanced_weights(names)
        mean = weights @ rows
        within = np.zeros((rows.shape[1], rows.shape[1]))
        between = np.zeros_like(within)
        for name in np.unique(names):
            own = rows[names == name]
            middle = own.mean(axis=0)
            within += (own - middle).T @ (own - middle) / len(own)
            between += np.outer(middle - mean, middle - mean)
        within /= len(np.unique(names))
        between /= len(np.unique(names))
        sphere = np.eye(len(within)) * np.trace(within) / len(within)
        # classes without any spread (one segment each) leave nothing to divide by
        floor = np.eye(len(within)) * max(float(np.trace(within)) * 1e-9, 1e-12)
        kept = max(len(within) - dim, 0), len(within) - 1
        _, axes = eigh(
            within + between, (1 - shrinkage) * within + shrinkage * sphere + floor, subset_by_index=kept
        )
        return Whitening(mean, _signed(axes.T[::-1]))


def fit_whitening(
    table: SegmentTable, recipes: tuple[str, ...], dim: int, shrinkage: float = SHRINKAGE
) -> Head:
    """The whitening of these segments as a head: linear, `dim` numbers, padded with zeros if need be."""
    whitening = whitening_of(table, dim, shrinkage)
    matrix = np.zeros((dim, table.vectors.shape[1]))
    matrix[: len(whitening.matrix)] = whitening.matrix
    # of a length that float16 holds well; a head's outcome has norm 1 anyway
    matrix /= float(np.abs(matrix).max()) or 1.0
    layer = Layer(matrix.astype(np.float32), np.zeros(dim, dtype=np.float32))
    return Head(
        recipes=recipes,
        mean=whitening.mean.astype(np.float32),
        scale=np.ones(table.vectors.shape[1], dtype=np.float32),
        members=((layer,),),
        mix=np.eye(dim, dtype=np.float32),
    )


def main_axes(rows: NDArray[np.floating], weights: NDArray[np.float64], dim: int) -> NDArray[np.float64]:
    """The at most `dim` orthonormal directions (P, D) that hold most of the weighted squares of rows (N, D),
    the largest first."""
    with one_thread():
        _, axes = np.linalg.eigh((rows * weights[:, None]).T @ rows)
    return _signed(axes[:, ::-1][:, :dim].T)


def _signed(axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Eigenvectors (P, D), whose sign means nothing and may change, with their largest number positive."""
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    return np.asarray(axes * np.where(largest < 0, -1.0, 1.0), dtype=np.float64)


def balanced_weights(names: NDArray[np.generic]) -> NDArray[np.float64]:
    """Weights (N,) that sum to 1, in each class to the same."""
    _, index, counts = np.unique(names, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / (counts[index] * len(counts)), dtype=np.float64)
