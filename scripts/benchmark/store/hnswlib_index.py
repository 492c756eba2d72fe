"""hnswlib: HNSW in memory. Vectors alone; a filter is a Python function asked at every candidate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hnswlib
import numpy as np

from scripts.benchmark.store.engine import Batch, PlainEngine
from scripts.benchmark.store.points import Vectors

_M, _EF_CONSTRUCT, _EF = 16, 100, 100


class HnswlibIndex(PlainEngine):
    """One hnswlib index in memory, read from its file to serve."""

    def __init__(self) -> None:
        self._classes: list[str] = []
        self._index: Any = None

    def create(self, place: Path, dim: int, n: int) -> None:
        self._place, self._dim = place, dim
        self._index = hnswlib.Index("ip", dim)
        self._index.init_index(n, M=_M, ef_construction=_EF_CONSTRUCT, random_seed=0)

    def load(self, ready: Batch) -> None:
        self._index.add_items(ready.vectors, np.arange(ready.start, ready.start + len(ready)))
        self._classes += [str(p.get("class_name") or "") for p in ready.payloads]

    def loaded(self) -> None:
        self._index.save_index(str(self._place / "index.hnsw"))
        np.save(self._place / "classes.npy", np.array(self._classes))
        (self._place / "dim").write_text(str(self._dim), encoding="ascii")

    def open(self, place: Path) -> None:
        self._index = hnswlib.Index("ip", int((place / "dim").read_text("ascii")))
        self._index.load_index(str(place / "index.hnsw"))
        self._index.set_ef(_EF)
        self._classes = np.load(place / "classes.npy").tolist()

    def query(self, vectors: Vectors, k: int, class_name: str | None) -> list[list[str]]:
        if class_name is None:
            return [[str(i) for i in row] for row in self._index.knn_query(vectors, k)[0]]
        classes = self._classes
        # one thread: the filter is Python
        rows = self._index.knn_query(vectors, k, num_threads=1, filter=lambda i: classes[i] == class_name)[0]
        return [[str(i) for i in row] for row in rows]

    def name(self, i: int) -> str:
        return str(i)
