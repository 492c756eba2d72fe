"""Unit-norm KMeans centres of one set of segments."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning

from samdb.bank.threads import one_thread
from samdb.core.vectors import normalise

# restarts of the seeding; the best inertia wins
_N_INIT = 3
_MAX_ITERATIONS = 100
_MINI_BATCH = 4096


@dataclass(frozen=True, slots=True)
class Centres:
    """KMeans centres: `vectors` (K, D) float32 of L2 norm 1, `counts` (K,) segments each stands for, and
    `exemplars` (K,) the row of the member closest to each by cosine."""

    vectors: NDArray[np.float32]
    counts: NDArray[np.int64]
    exemplars: NDArray[np.int64]


def fit_centres(rows: NDArray[np.float32], k: int, *, seed: int, mini_batch_above: int = 20_000) -> Centres:
    """Cluster unit rows (N, D) into at most `k` groups; the centres are re-normalised means.

    Fewer than `k` come back when there are fewer distinct rows. The same rows in the same order and the
    same seed give the same bytes, on any number of threads.
    """
    k = _at_most_distinct(rows, k)
    labels = _labels(rows, k, seed, mini_batch_above)
    # MiniBatchKMeans, or near-identical rows, can leave a cluster empty: only those that are used remain
    used, labels = np.unique(labels, return_inverse=True)
    vectors, exemplars = [], []
    for cluster in range(len(used)):
        members = np.flatnonzero(labels == cluster)
        centre = rows[members].mean(axis=0, dtype=np.float64)
        norm = float(np.linalg.norm(centre))
        # opposite members can cancel out: then the first of them speaks for the cluster
        unit = (centre / norm).astype(np.float32) if norm > 1e-6 else rows[members[0]]
        vectors.append(unit)
        # einsum adds in a fixed order, a matrix product does not promise to
        closeness = np.einsum("nd,d->n", rows[members].astype(np.float64), unit.astype(np.float64))
        exemplars.append(int(members[int(np.argmax(closeness))]))
    return Centres(
        vectors=normalise(np.stack(vectors)),
        counts=np.bincount(labels, minlength=len(used)).astype(np.int64),
        exemplars=np.asarray(exemplars, dtype=np.int64),
    )


def seed_for(seed: int, *names: str) -> int:
    """A seed of its own for one class, so that adding or pruning a class leaves the others as they were."""
    digest = hashlib.sha256("\x1f".join((str(seed), *names)).encode()).digest()
    return int.from_bytes(digest[:4], "big")


def _at_most_distinct(rows: NDArray[np.float32], k: int) -> int:
    """`k`, or how many distinct rows there are when that is less."""
    seen: set[bytes] = set()
    for row in rows:
        seen.add(row.tobytes())
        if len(seen) == k:
            break
    return len(seen)


def _labels(rows: NDArray[np.float32], k: int, seed: int, mini_batch_above: int) -> NDArray[np.int64]:
    if k == 1:
        return np.zeros(len(rows), dtype=np.int64)
    if len(rows) > mini_batch_above:
        model = MiniBatchKMeans(
            k, n_init=_N_INIT, max_iter=_MAX_ITERATIONS, batch_size=_MINI_BATCH, random_state=seed
        )
    else:
        model = KMeans(k, n_init=_N_INIT, max_iter=_MAX_ITERATIONS, random_state=seed)
    with one_thread(), warnings.catch_warnings():
        # rows that differ only in their last bits give fewer clusters than asked for: wanted here
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(model.fit_predict(rows), dtype=np.int64)
