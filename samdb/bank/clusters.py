"""Groups of vectors that lie together: candidates for a class that nobody has named yet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering

from samdb.bank.threads import one_thread
from samdb.core.vectors import normalise


@dataclass(frozen=True, slots=True)
class Cluster:
    """A group: its rows (n,), the most central first, and its cohesion: the mean cosine of its members to
    their centre as seen from the origin that was given, in [-1, 1]."""

    rows: NDArray[np.int64]
    cohesion: float


def find_clusters(
    vectors: NDArray[np.float32], origin: NDArray[np.floating], *, min_size: int, similarity: float
) -> list[Cluster]:
    """Group unit rows (N, D) by average linkage until groups are less than `similarity` alike; those of at
    least `min_size` come back, the most cohesive first.

    `origin` (D,) is taken off first: embeddings of SAM share most of their direction (a mean cosine of .69
    between classes), which says nothing. The same rows give the same groups. Memory grows with N².

    Raises ValueError on settings that cannot be used.
    """
    if min_size < 2 or not -1.0 < similarity < 1.0:
        raise ValueError(
            f"min_size must be at least 2 and similarity between -1 and 1, got {min_size}, {similarity}"
        )
    if len(vectors) < min_size:
        return []
    centred = vectors.astype(np.float64) - origin
    lengths = np.linalg.norm(centred, axis=1)
    # a row that is the origin itself is like nothing: it gets no group
    usable = np.flatnonzero(lengths > 1e-6)
    if len(usable) < min_size:
        return []
    rows = centred[usable] / lengths[usable, None]
    with one_thread():
        model = AgglomerativeClustering(
            n_clusters=None, distance_threshold=1.0 - similarity, metric="cosine", linkage="average"
        )
        labels = np.asarray(model.fit_predict(rows))
    found = []
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        if len(own) < min_size:
            continue
        mean = rows[own].mean(axis=0)
        if np.linalg.norm(mean) < 1e-6:
            continue
        closeness = rows[own] @ normalise(mean).astype(np.float64)
        order = np.argsort(-closeness, kind="stable")
        found.append(Cluster(usable[own[order]], float(closeness.mean())))
    return sorted(found, key=lambda c: (-c.cohesion, int(c.rows[0])))
