"""`samdb store copy`: all collections of a store into another one, resumable, compared at the end."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from samdb.core.ids import make_id
from samdb.core.points import CollectionSpec, Condition, Payload, Point, Where
from samdb.core.tuning import StoreTuning
from samdb.errors import StoreError, StoreLayoutError
from samdb.ports import Progress, VectorStore, silent
from samdb.stores.layout import META, LayoutParams, all_specs
from samdb.stores.migrate import check_layout, migrate, stored_params
from samdb.stores.write_all import write_all

_BATCH = 256
#: cosine from which two vectors count as the same: stores normalise once more, in float32
_SAME_COSINE = 1.0 - 1e-5
_N_SAMPLED = 256
_N_PER_PLACE = 4


@dataclass(frozen=True, slots=True)
class CopiedCollection:
    """What was copied: points of the source, and how many of them were compared one by one."""

    name: str
    n_points: int
    n_resumed: int
    n_compared: int


def copy_store(
    source: VectorStore, target: VectorStore, on_progress: Progress = silent
) -> list[CopiedCollection]:
    """Copy every collection of `source` into `target`, compare, and give what was copied.

    The target is laid out with its own tuning, or with the source's when it is new. A copy that was stopped
    goes on where it was; until it is whole the target cannot be used. Memory is bounded by a batch. Points
    that the target has besides are left alone. Nothing may write to either meanwhile.

    Raises StoreLayoutError when the source is empty or outdated or the target holds another model; StoreError
    when a point is refused or the comparison fails, naming it.
    """
    check_layout(source)
    held = stored_params(source)
    if held is None:
        raise StoreLayoutError(f"the store at {source.address} is empty: there is nothing to copy")
    layout = _lay_out(target, held)
    marks = _Marks(target, source.address)
    if not marks.begun():
        for spec in all_specs(layout):
            target.defer_indexes(spec.name)
    marks.begin()
    resumed = {spec.name: _copy(source, target, spec, marks, on_progress) for spec in all_specs(held)}
    found = []
    for spec in all_specs(held):
        n = _compare_counts(source, target, spec.name)
        compared = 0 if spec.name == META else _compare_sample(source, target, spec, on_progress)
        found.append(CopiedCollection(spec.name, n, resumed[spec.name], compared))
    for spec in all_specs(layout):
        target.optimize(spec.name, on_progress)
    marks.end()
    return found


def _lay_out(target: VectorStore, held: LayoutParams) -> LayoutParams:
    ours = stored_params(target) if target.collections() else None
    tuning: StoreTuning = ours.tuning if ours else held.tuning
    layout = LayoutParams(held.model, held.vectors, tuning)
    migrate(target, layout)  # refuses another model
    return layout


class _Marks:
    """How far a copy is, in the target's records: `check_layout` refuses a store that has any."""

    def __init__(self, target: VectorStore, source: str) -> None:
        self._target = target
        self._source = source

    def begun(self) -> bool:
        """Whether a copy was stopped here. Raises StoreLayoutError when it was of another store."""
        records = [p.payload for p in self._target.scroll(META, _COPY)]
        other = [r for r in records if r["source"] != self._source]
        if other:
            raise StoreLayoutError(
                f"{self._target.address} holds half a copy of {other[0]['source']}: finish it with "
                f"`samdb store copy {other[0]['source']} {self._target.address}`, or copy to another place"
            )
        return bool(records)

    def begin(self) -> None:
        """Say that a copy is under way."""
        self._write("begun", None)

    def cursor(self, name: str) -> str | None:
        """The id up to which a collection is copied."""
        found = self._target.get(META, [self._id(name)])
        return str(found[0].payload["cursor"]) if found else None

    def move(self, name: str, cursor: str) -> None:
        """Say that a collection is copied up to and with an id."""
        self._target.flush(name)
        self._write(name, cursor)

    def end(self) -> None:
        """Say that the copy is whole."""
        self._target.delete(META, where=_COPY)
        self._target.flush(META)

    def _write(self, name: str, cursor: str | None) -> None:
        payload: Payload = {"kind": "copy", "name": name, "source": self._source, "cursor": cursor}
        self._target.upsert(META, [Point(self._id(name), {}, payload)])

    def _id(self, name: str) -> str:
        return make_id("copy", name)


_COPY = (Condition("kind", "=", ("copy",)),)
#: records that the target has of its own
_OWN = (Condition("kind", "!=", ("copy", "fact", "migration", "claim", "process")),)


def _copy(
    source: VectorStore, target: VectorStore, spec: CollectionSpec, marks: _Marks, progress: Progress
) -> int:
    """Copy one collection; gives how many points an earlier run had copied, which is told as done."""
    where = _OWN if spec.name == META else ()
    total = source.count(spec.name, where)
    cursor = marks.cursor(spec.name)
    done = resumed = min(target.count(spec.name, where), total) if cursor else 0
    progress(f"copy {spec.name}", done, total)
    for batch in _pages(source, spec, where, cursor):
        refused = write_all(target, spec.name, batch)
        if refused:
            raise StoreError(
                f"{target.address} refused the point {refused[0].point.id} of {spec.name!r}: "
                f"{refused[0].reason}; all before it are copied, the same command goes on"
            )
        marks.move(spec.name, batch[-1].id)
        done = min(done + len(batch), total)
        progress(f"copy {spec.name}", done, total)
    return resumed


def _pages(
    source: VectorStore, spec: CollectionSpec, where: Where, start: str | None
) -> Iterator[list[Point]]:
    names = tuple(spec.vectors)
    while True:
        points, start = source.page(spec.name, where, start=start, limit=_BATCH, with_vectors=names)
        if points:
            yield points
        if start is None:
            return


def _compare_counts(source: VectorStore, target: VectorStore, name: str) -> int:
    where = _OWN if name == META else ()
    theirs, ours = source.count(name, where), target.count(name, where)
    if ours < theirs:
        raise StoreError(
            f"{name!r} has {theirs:,} points at {source.address} and {ours:,} at {target.address}: stop what "
            "writes to either and run the copy again"
        )
    return theirs


def _compare_sample(
    source: VectorStore, target: VectorStore, spec: CollectionSpec, progress: Progress
) -> int:
    """Compare a few points at each of many places, drawn evenly over the ids; gives how many."""
    draw = random.Random(0)
    compared: set[str] = set()
    n_places = _N_SAMPLED // _N_PER_PLACE
    for i in range(n_places):
        start = str(uuid.UUID(int=draw.getrandbits(128))) if i else None
        ids = [p.id for p in source.page(spec.name, start=start, limit=_N_PER_PLACE)[0]]
        names = tuple(spec.vectors)
        theirs = source.get(spec.name, ids, names)
        ours = {p.id: p for p in target.get(spec.name, ids, names)}
        for point in theirs:
            _compare(spec.name, point, ours.get(point.id))
        compared |= set(ids)
        progress(f"compare {spec.name}", i + 1, n_places)
    return len(compared)


def _compare(name: str, theirs: Point, ours: Point | None) -> None:
    """Raise StoreError unless both are the same."""
    what = f"the point {theirs.id} of {name!r}"
    if ours is None:
        raise StoreError(f"{what} did not arrive: run the copy again into an empty place")
    if ours.vectors.keys() != theirs.vectors.keys() or dict(ours.payload) != dict(theirs.payload):
        raise StoreError(f"{what} arrived with another payload or other vectors: copy into an empty place")
    for vector, row in theirs.vectors.items():
        other = ours.vectors[vector]
        cosine = float(row @ other / (np.linalg.norm(row) * np.linalg.norm(other)))
        if cosine < _SAME_COSINE:
            raise StoreError(f"{what} arrived with another {vector!r} vector (cosine {cosine:.6f})")
