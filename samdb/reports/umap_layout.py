"""UMAP, where it is installed (`pip install samdb[umap]`): neighbours stay so, distances mean little."""

from __future__ import annotations

import importlib.util
import warnings

import numpy as np
from numpy.typing import NDArray


def has_umap() -> bool:
    """Whether umap-learn is installed."""
    return importlib.util.find_spec("umap") is not None


def umap_layout(vectors: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Unit rows (N, D) on a plane (N, 2), by cosine; the same seed gives the same map.

    Source: McInnes, Healy and Melville, UMAP (2018); 15 neighbours is its default.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that a seed makes it run on one thread
        import umap

        reducer = umap.UMAP(n_neighbors=min(15, len(vectors) - 1), metric="cosine", random_state=seed)
        return np.asarray(reducer.fit_transform(vectors), dtype=np.float32)
