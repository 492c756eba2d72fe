"""samdb's own stores: a segment goes through the codec and the store's port, as in ingest.

The embedded engine's own call, with the same parameters and payload, is asked beside samdb's search.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from samdb.core.ids import image_point_id
from samdb.core.points import Condition, PayloadValue, Point, Query, Where
from samdb.core.segment import Segment
from samdb.core.tuning import parse_tuning
from samdb.core.vectors import Vector
from samdb.ports import VectorStore
from samdb.sam.recipes import layout_dims
from samdb.stores.codec import point_to_segment, segment_to_point
from samdb.stores.layout import GLOBAL_DIM, GLOBAL_VECTOR, IMAGES, SEGMENTS, LayoutParams
from samdb.stores.migrate import migrate
from samdb.stores.open import open_store
from scripts.benchmark.store.engine import Batch, Engine
from scripts.benchmark.store.points import Vectors


@dataclass(frozen=True, slots=True)
class Cut:
    """What ingest has in hand before it writes: segments, and the ledger's entries of their new images."""

    segments: list[Segment]
    images: list[Point]


#: batches written between two flushes: each waits for the disk, and holds up all of Python meanwhile
_UNFLUSHED = 10


class SamdbStore(Engine[Cut]):
    """A samdb store with the segments and their images' ledger; `address` is a folder or a server."""

    payload = True

    def __init__(self, recipe: str, model: str, server: str = "", tuning: str = "") -> None:
        self.recipe = recipe
        self.model = model
        self._params = LayoutParams(model, layout_dims(model))
        self._server = server
        self._tuning = tuning
        self._images: set[str] = set()
        self._unflushed = 0
        self._store: VectorStore | None = None

    @property
    def store(self) -> VectorStore:
        """The open store."""
        assert self._store is not None
        return self._store

    def create(self, place: Path, dim: int, n: int) -> None:
        self.open(place)
        migrate(self.store, self._params, tuning=parse_tuning(self._tuning))

    def ready(self, batch: Batch) -> Cut:
        names = zip(batch.ids, batch.vectors, batch.payloads, strict=True)
        segments = [point_to_segment(Point(i, {self.recipe: v}, p)) for i, v, p in names]
        fresh = {s.image_id: s for s in segments if s.image_id not in self._images}
        self._images.update(fresh)
        return Cut(segments, [_image(segment) for segment in fresh.values()])

    def load(self, ready: Cut) -> None:
        self.store.upsert(SEGMENTS, [segment_to_point(s) for s in ready.segments])
        if ready.images:
            self.store.upsert(IMAGES, ready.images)
        self._unflushed += 1
        if self._unflushed == _UNFLUSHED:
            self.loaded()

    def loaded(self) -> None:
        for name in (SEGMENTS, IMAGES):
            self.store.flush(name)
        self._unflushed = 0

    def index(self) -> None:
        for name in (SEGMENTS, IMAGES):
            self.store.optimize(name)

    def close(self) -> None:
        self.store.close()

    def open(self, place: Path) -> None:
        self._store = open_store(self._server or str(place / "store"))

    def query(self, vectors: Vectors, k: int, class_name: str | None) -> list[list[str]]:
        where = where_class(class_name)
        queries = [Query(self.recipe, (v,), where=where, limit=k) for v in vectors]
        return [[h.id for h in hits] for hits in self.store.query(SEGMENTS, queries)]


def where_class(class_name: str | None) -> Where:
    """The filter on a class."""
    return () if class_name is None else (Condition("class_name", "=", (class_name,)),)


def _image(segment: Segment) -> Point:
    """An entry in the ledger, of real size, for the image of a segment."""
    dataset, image_id = segment.dataset, segment.image_id
    entry: dict[str, PayloadValue] = {
        "dataset": dataset,
        "split": segment.split,
        "image_id": image_id,
        "path": f"/data/{dataset}/{image_id}",
        "sha256": "0" * 64,
        "fingerprint": image_point_id("fingerprint", image_id),
        "status": "done",
        "n_segments": 20,
        "problems": [],
        "size_hw": list(segment.mask.size_hw),
    }
    return Point(image_point_id(dataset, image_id), {GLOBAL_VECTOR: _global(image_id)}, entry)


def _global(image_id: str) -> Vector:
    row = np.random.default_rng(list(image_id.encode())).standard_normal(GLOBAL_DIM, dtype=np.float32)
    return np.asarray(row / np.linalg.norm(row), dtype=np.float32)
