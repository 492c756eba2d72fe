"""faiss: a flat index (a scan) and HNSW. Vectors alone: payloads and filters are somebody else's work.

A filter is a bitmap of the rows that have the class, made once when the index is opened.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from scripts.benchmark.store.engine import Batch, PlainEngine
from scripts.benchmark.store.points import Vectors

#: edges a point, candidates while building and searching: as samdb's own store
_M, _EF_CONSTRUCT, _EF = 16, 100, 100


class FaissIndex(PlainEngine):
    """One faiss index in memory, read from its file to serve."""

    def __init__(self, *, hnsw: bool) -> None:
        self._hnsw = hnsw
        self._classes: list[str] = []
        self._index: Any = None
        self._selectors: dict[str, Any] = {}

    def create(self, place: Path, dim: int, n: int) -> None:
        self._place = place
        if self._hnsw:
            self._index = faiss.IndexHNSWFlat(dim, _M, faiss.METRIC_INNER_PRODUCT)
            self._index.hnsw.efConstruction = _EF_CONSTRUCT
        else:
            self._index = faiss.IndexFlatIP(dim)

    def load(self, ready: Batch) -> None:
        self._index.add(ready.vectors)
        self._classes += [str(p.get("class_name") or "") for p in ready.payloads]

    def loaded(self) -> None:
        faiss.write_index(self._index, str(self._place / "index.faiss"))
        np.save(self._place / "classes.npy", np.array(self._classes))

    def open(self, place: Path) -> None:
        self._index = faiss.read_index(str(place / "index.faiss"))
        classes = np.load(place / "classes.npy")
        for name in np.unique(classes):
            rows = np.flatnonzero(classes == name)
            self._selectors[str(name)] = faiss.IDSelectorBatch(rows)

    def query(self, vectors: Vectors, k: int, class_name: str | None) -> list[list[str]]:
        chosen: dict[str, Any] = {} if class_name is None else {"sel": self._selectors[class_name]}
        if self._hnsw:
            params = faiss.SearchParametersHNSW(efSearch=_EF, **chosen)
        else:
            params = faiss.SearchParameters(**chosen)
        found: NDArray[np.int64] = self._index.search(np.ascontiguousarray(vectors), k, params=params)[1]
        return [[str(i) for i in row] for row in found]

    def name(self, i: int) -> str:
        return str(i)
