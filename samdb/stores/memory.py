"""`memory:`: a store that lives and dies with the process; exact, for tests and small jobs."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from samdb.core.points import CollectionSpec, CollectionStatus, Hit, Payload, Point, Query, Where
from samdb.core.vectors import Vector, normalise
from samdb.errors import StoreError, StoreRejectedError
from samdb.ports import Progress, silent
from samdb.stores import checks
from samdb.stores.facets import facet_text, ordered
from samdb.stores.filter_memory import elements, matches
from samdb.stores.ranking import best_cosines, thin


@dataclass(slots=True)
class _Collection:
    spec: CollectionSpec
    points: dict[str, Point] = field(default_factory=dict)
    # per vector name the ids that have it and their rows; emptied by every write
    matrices: dict[str, tuple[list[str], NDArray[np.float32]]] = field(default_factory=dict)

    def matrix(self, name: str) -> tuple[list[str], NDArray[np.float32]]:
        """Ids, sorted, of the points with this vector and their unit rows (N, D)."""
        if name not in self.matrices:
            ids = sorted(i for i, p in self.points.items() if name in p.vectors)
            rows = [self.points[i].vectors[name] for i in ids]
            self.matrices[name] = (ids, np.array(rows, np.float32).reshape(len(ids), self.spec.vectors[name]))
        return self.matrices[name]


class MemoryStore:
    """The VectorStore that scans numpy arrays: the reference that the other stores are tested against."""

    def __init__(self) -> None:
        self._collections: dict[str, _Collection] = {}
        self._lock = threading.RLock()
        self._closed = False

    @property
    def address(self) -> str:
        """Always `memory:`."""
        return "memory:"

    def collections(self) -> list[str]:
        """The names of the collections that exist, sorted."""
        with self._lock:
            self._check_open()
            return sorted(self._collections)

    def create_collection(self, spec: CollectionSpec) -> None:
        """Create the collection, or give an existing one the indexes and vectors that it lacks."""
        with self._lock:
            self._check_open()
            checks.check_name(spec.name)
            old = self._collections.setdefault(spec.name, _Collection(spec))
            old.spec = checks.merged_spec(self.address, old.spec, spec)

    def retune(self, spec: CollectionSpec, on_progress: Progress = silent) -> None:
        """Remember the tuning: nothing here depends on it."""
        with self._lock:
            collection = self._collection(spec.name)
            collection.spec = replace(collection.spec, tuning=spec.tuning)

    def drop_collection(self, name: str) -> None:
        """Delete the collection with all its points, if it exists."""
        with self._lock:
            self._check_open()
            self._collections.pop(name, None)

    def upsert(self, name: str, points: Sequence[Point]) -> None:
        """Write points; the same id replaces. Raises StoreRejectedError and writes none if one is bad."""
        with self._lock:
            collection = self._collection(name)
            checks.check_points(collection.spec, points)
            for p in points:
                vectors = {n: normalise(v) for n, v in p.vectors.items()}
                collection.points[p.id] = Point(p.id, vectors, deepcopy(dict(p.payload)))
            collection.matrices.clear()

    def set_payload(self, name: str, ids: Sequence[str], payload: Payload) -> None:
        """Set these payload keys on these points. Raises StoreRejectedError if one does not exist."""
        with self._lock:
            collection = self._collection(name)
            checks.check_payload(name, payload)
            _check_exist(collection, ids)
            for i in ids:
                old = collection.points[i]
                collection.points[i] = replace(old, payload={**old.payload, **deepcopy(dict(payload))})

    def set_vectors(self, name: str, vectors: Mapping[str, Mapping[str, Vector]]) -> None:
        """Set named vectors on points. Raises StoreRejectedError if one does not exist."""
        with self._lock:
            collection = self._collection(name)
            checks.check_vectors(collection.spec, vectors)
            _check_exist(collection, list(vectors))
            for i, named in vectors.items():
                old = collection.points[i]
                new = {n: normalise(v) for n, v in named.items()}
                collection.points[i] = replace(old, vectors={**old.vectors, **new})
            collection.matrices.clear()

    def delete(self, name: str, *, ids: Sequence[str] = (), where: Where = ()) -> None:
        """Delete points by id, or all that match a non-empty filter."""
        with self._lock:
            collection = self._collection(name)
            checks.check_delete(ids, where)
            gone = [i for i, p in collection.points.items() if matches(p.payload, where)] if where else ids
            for i in gone:
                collection.points.pop(i, None)
            collection.matrices.clear()

    def get(self, name: str, ids: Sequence[str], with_vectors: Sequence[str] = ()) -> list[Point]:
        """The points that exist among `ids`, in that order, with the named vectors asked for."""
        with self._lock:
            collection = self._collection(name)
            checks.check_ids(ids)
            checks.check_vector_names(collection.spec, with_vectors)
            return [_view(collection.points[i], with_vectors) for i in ids if i in collection.points]

    def scroll(self, name: str, where: Where = (), with_vectors: Sequence[str] = ()) -> Iterator[Point]:
        """All points that match, in the order of their ids."""
        with self._lock:
            collection = self._collection(name)
            checks.check_vector_names(collection.spec, with_vectors)
            found = [collection.points[i] for i in sorted(collection.points)]
        return (_view(p, with_vectors) for p in found if matches(p.payload, where))

    def page(
        self,
        name: str,
        where: Where = (),
        *,
        start: str | None = None,
        limit: int = 100,
        with_vectors: Sequence[str] = (),
    ) -> tuple[list[Point], str | None]:
        """Up to `limit` points that match, from the id `start` on, and where the next page starts."""
        checks.check_page(start, limit)
        rest = (p for p in self.scroll(name, where, with_vectors) if start is None or p.id >= start)
        found = list(islice(rest, limit + 1))
        return found[:limit], found[limit].id if len(found) > limit else None

    def count(self, name: str, where: Where = ()) -> int:
        """How many points match."""
        with self._lock:
            return sum(matches(p.payload, where) for p in self._collection(name).points.values())

    def facet(self, name: str, key: str, where: Where = ()) -> dict[str, int]:
        """How many points have each value of an indexed key, most frequent first."""
        with self._lock:
            collection = self._collection(name)
            checks.check_indexed(collection.spec, key)
            counts: Counter[str] = Counter()
            for p in collection.points.values():
                if matches(p.payload, where):
                    counts.update({facet_text(v) for v in elements(p.payload, key)})
        return ordered(counts)

    def query(self, name: str, queries: Sequence[Query]) -> list[list[Hit]]:
        """Answer queries by scanning everything."""
        with self._lock:
            collection = self._collection(name)
            checks.check_queries(collection.spec, queries)
            return [_answer(collection, q) for q in queries]

    def defer_indexes(self, name: str) -> None:
        """Nothing to put off."""
        with self._lock:
            self._collection(name)

    def resume_indexes(self, name: str) -> None:
        """Nothing was put off."""
        with self._lock:
            self._collection(name)

    def optimize(self, name: str, on_progress: Progress = silent) -> None:
        """Nothing to build: every query is a scan."""
        with self._lock:
            self._collection(name)

    def flush(self, name: str) -> None:
        """Nothing to flush: nothing survives the process."""
        with self._lock:
            self._collection(name)

    def status(self, name: str) -> CollectionStatus:
        """Counts of one collection; it is on no disk and has no index."""
        with self._lock:
            return CollectionStatus(name, name, len(self._collection(name).points), 0, None)

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._collections.clear()
            self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("the store at memory: is closed: open it again")

    def _collection(self, name: str) -> _Collection:
        self._check_open()
        if name not in self._collections:
            raise checks.no_collection(self.address, name)
        return self._collections[name]


def _answer(collection: _Collection, query: Query) -> list[Hit]:
    ids, rows = collection.matrix(query.using)
    scores, keys = best_cosines(rows, query)
    hits = (
        Hit(ids[i], float(scores[i]), deepcopy(dict(point.payload)), _pick(point, query.with_vectors))
        # stable, and ids are sorted: equal scores come in the order of their ids
        for i in np.argsort(-keys, kind="stable")
        if ids[i] not in query.exclude_ids
        and matches((point := collection.points[ids[i]]).payload, query.where)
    )
    stop = query.offset + query.limit
    kept = thin(hits, query) if query.group_by else [h for h, _ in zip(hits, range(stop), strict=False)]
    return kept[query.offset :]


def _view(point: Point, with_vectors: Sequence[str]) -> Point:
    return Point(point.id, _pick(point, with_vectors), deepcopy(dict(point.payload)))


def _pick(point: Point, names: Sequence[str]) -> dict[str, Vector]:
    return {n: point.vectors[n].copy() for n in names if n in point.vectors}


def _check_exist(collection: _Collection, ids: Sequence[str]) -> None:
    missing = [i for i in ids if i not in collection.points]
    if missing:
        raise StoreRejectedError(f"{collection.spec.name!r} has no point {missing[0]}: upsert it first")
