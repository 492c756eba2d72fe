"""The embedded store: the Qdrant engine in this process, its data in a folder."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import qdrant_edge as qe

from samdb.core.points import CollectionSpec, CollectionStatus, Hit, Payload, Point, Query, Where
from samdb.core.vectors import Vector
from samdb.errors import StoreError
from samdb.ports import Progress, silent
from samdb.stores import checks, edge_backup
from samdb.stores.backup_files import BackupKind, Manifest, SavedFile
from samdb.stores.edge_errors import Translated
from samdb.stores.edge_folder import StoreFolder
from samdb.stores.edge_query import answer_all, engine_vectors, read_point, read_points
from samdb.stores.edge_shard import EdgeCollection, same_engine, well_placed
from samdb.stores.facets import facet_text, ordered
from samdb.stores.filter_edge import edge_filter
from samdb.stores.json_path import json_path

_PAGE = 1000
_PAGE_WITH_VECTORS = 250
_FIRST_FACETS = 1000


class EdgeStore:
    """The VectorStore of one process: fast, in a folder, nothing to run.

    One store object holds the folder at a time. Collections are opened when first used. The object must
    be used by the process that opened it: a fork of it gets a clear error, for the engine would hang.
    """

    def __init__(self, path: str | Path) -> None:
        """Open the store in a folder; a folder that is not there is created by the first collection.

        Raises StoreInUseError when it is open elsewhere, StoreError when the folder is something else.
        """
        self._folder = StoreFolder(Path(path).expanduser())
        self._open: dict[str, EdgeCollection] = {}
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._closed = False

    @property
    def address(self) -> str:
        """The folder."""
        return str(self._folder.path)

    def __repr__(self) -> str:
        """Show the folder."""
        return f"EdgeStore({self.address!r})"

    def collections(self) -> list[str]:
        """The names of the collections that exist, sorted."""
        self._check_usable()
        return self._folder.names()

    def create_collection(self, spec: CollectionSpec) -> None:
        """Create the collection, or give an existing one the indexes and vectors that it lacks.

        Raises StoreLayoutError when a vector exists with another dimension.
        """
        self._check_usable()
        checks.check_name(spec.name)
        with self._lock, Translated(self.address):
            self._folder.ensure()
            self._folder.check_space()
            old = self._folder.read_spec(spec.name)
            if old is None:
                self._folder.clear(spec.name)  # what a crash left half-made
                path = self._folder.shard_path(spec.name)
                self._open[spec.name] = EdgeCollection.create(path, spec)
                self._folder.write_spec(spec)
                return
            merged = checks.merged_spec(self.address, old, spec)
            if merged != old:
                collection = self.collection(spec.name)
                collection.add_indexes(merged.indexes)
                collection.shard.flush()
                self._folder.write_spec(merged)
                collection.spec = merged

    def retune(self, spec: CollectionSpec, on_progress: Progress = silent) -> None:
        """Give the collection the tuning of `spec`, and build its indexes anew where that asks for it.

        Raises StoreLayoutError when vectors are to be no longer quantized: the engine cannot undo that.
        """
        with self._using(spec.name) as collection:
            old = collection.spec
            new = replace(old, tuning=spec.tuning)
            if new == old:
                return
            if not same_engine(old, new):
                self._folder.check_space(self._folder.disk_bytes(spec.name))
                self._reopen(new)
                self.optimize(spec.name, on_progress)
            self._folder.write_spec(new)
            self._open[spec.name].spec = new

    def drop_collection(self, name: str) -> None:
        """Delete the collection with all its points, if it exists."""
        self._check_usable()
        with self._lock, Translated(self.address):
            opened = self._open.pop(name, None)
            if opened is not None:
                opened.shard.close()
            if name in self._folder.names():
                self._folder.clear(name)

    def upsert(self, name: str, points: Sequence[Point]) -> None:
        """Write points; the same id replaces. Raises StoreRejectedError and writes none if one is bad."""
        with self._writing(name) as collection:
            checks.check_points(collection.spec, points)
            if not points:
                return
            self._folder.check_space()
            collection.declare(n for p in points for n in p.vectors)
            records = [
                qe.Point(id=p.id, vector=engine_vectors(p.vectors), payload=dict(p.payload))  # type: ignore[arg-type]
                for p in points
            ]
            collection.shard.update(qe.UpdateOperation.upsert_points(records))

    def set_payload(self, name: str, ids: Sequence[str], payload: Payload) -> None:
        """Set these payload keys on these points. Raises StoreRejectedError if one does not exist."""
        with self._writing(name) as collection:
            checks.check_ids(ids)
            checks.check_payload(name, payload)
            if ids:
                collection.shard.update(qe.UpdateOperation.set_payload(list(ids), dict(payload)))

    def set_vectors(self, name: str, vectors: Mapping[str, Mapping[str, Vector]]) -> None:
        """Set named vectors on points. Raises StoreRejectedError if one does not exist."""
        with self._writing(name) as collection:
            checks.check_vectors(collection.spec, vectors)
            changes = [qe.PointVectors(i, engine_vectors(named)) for i, named in vectors.items() if named]  # type: ignore[arg-type]
            if not changes:
                return
            self._folder.check_space()
            collection.declare(n for named in vectors.values() for n in named)
            collection.shard.update(qe.UpdateOperation.update_vectors(changes))

    def delete(self, name: str, *, ids: Sequence[str] = (), where: Where = ()) -> None:
        """Delete points by id, or all that match a non-empty filter."""
        with self._writing(name) as collection:
            checks.check_delete(ids, where)
            matching = edge_filter(where)
            if ids:
                collection.shard.update(qe.UpdateOperation.delete_points(list(ids)))
            elif matching is not None:
                collection.shard.update(qe.UpdateOperation.delete_points_by_filter(matching))

    def get(self, name: str, ids: Sequence[str], with_vectors: Sequence[str] = ()) -> list[Point]:
        """The points that exist among `ids`, in that order, with the named vectors asked for."""
        with self._using(name) as collection:
            if not with_vectors:
                return collection.recent.get(ids, lambda missing: read_points(collection, missing))
            checks.check_vector_names(collection.spec, with_vectors)
            return read_points(collection, ids, with_vectors)

    def scroll(self, name: str, where: Where = (), with_vectors: Sequence[str] = ()) -> Iterator[Point]:
        """All points that match, paged to the end, in the order of their ids."""
        with self._using(name) as collection:
            checks.check_vector_names(collection.spec, with_vectors)
            edge_filter(where)  # what cannot be asked is said now, not when the first point is wanted
        return self._pages(name, where, tuple(with_vectors))

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
        with self._using(name) as collection:
            checks.check_page(start, limit)
            checks.check_vector_names(collection.spec, with_vectors)
            request = qe.ScrollRequest(
                offset=start,
                limit=limit,
                filter=edge_filter(where),
                with_payload=True,
                with_vector=collection.declared(with_vectors) or False,
            )
            records, after = collection.shard.scroll(request)
        return [read_point(r, with_vectors) for r in records], None if after is None else str(after)

    def count(self, name: str, where: Where = ()) -> int:
        """How many points match, exactly."""
        with self._using(name) as collection:
            return collection.shard.count(qe.CountRequest(exact=True, filter=edge_filter(where)))

    def facet(self, name: str, key: str, where: Where = ()) -> dict[str, int]:
        """How many points have each value of an indexed key, most frequent first, exactly."""
        limit = _FIRST_FACETS
        with self._using(name) as collection:
            checks.check_indexed(collection.spec, key)
            while True:
                request = qe.FacetRequest(json_path(key), limit, exact=True, filter=edge_filter(where))
                hits = collection.shard.facet(request).hits
                if len(hits) < limit:
                    return ordered({facet_text(h.value): h.count for h in hits})
                limit *= 10

    def query(self, name: str, queries: Sequence[Query]) -> list[list[Hit]]:
        """Answer queries in one batch; the answers are in their order."""
        with self._using(name) as collection:
            checks.check_queries(collection.spec, queries)
            return answer_all(collection, list(queries))

    def defer_indexes(self, name: str) -> None:
        """Nothing to put off: this engine builds indexes only when it is asked to."""
        with self._using(name):
            pass

    def resume_indexes(self, name: str) -> None:
        """Nothing was put off."""
        with self._using(name):
            pass

    def optimize(self, name: str, on_progress: Progress = silent) -> None:
        """Build the vector indexes now, and wait for them: without, a query scans.

        The engine tells nothing on the way: `on_progress` hears of the beginning and of the end.
        """
        with self._using(name) as collection:
            self._folder.check_space(self._folder.disk_bytes(name))  # it rewrites what is there
            total = collection.count_vectors()
            on_progress(f"index {name}", 0, total)
            placed = well_placed(self._folder.shard_path(name), collection.spec)
            shard = (collection if placed else self._reopen(collection.spec)).shard
            shard.optimize()
            shard.flush()
            on_progress(f"index {name}", total, total)

    def flush(self, name: str) -> None:
        """Make everything written so far survive a power loss (a killed process loses nothing anyway)."""
        with self._using(name) as collection:
            collection.shard.flush()

    def status(self, name: str) -> CollectionStatus:
        """Counts, the engine's segments and the size on disk of one collection."""
        with self._using(name) as collection:
            info = collection.shard.info()
            return CollectionStatus(
                name,
                name,
                collection.shard.count(qe.CountRequest(exact=True)),
                info.indexed_vectors_count,
                self._folder.disk_bytes(name),
                n_vectors=collection.count_vectors(),
                n_segments=info.segments_count,
            )

    @property
    def backup_kind(self) -> BackupKind:
        """A folder restores what a folder saved."""
        return "embedded"

    def spec(self, name: str) -> CollectionSpec:
        """How a collection is laid out."""
        with self._using(name) as collection:
            return collection.spec

    def check_saveable(self) -> None:
        """All files are here."""
        self._check_usable()

    def save_files(self, folder: Path, on_progress: Progress) -> Sequence[SavedFile]:
        """Copy all files, with the engine closed meanwhile and the folder locked."""
        self._check_usable()
        with self._lock, Translated(self.address):
            self._close_engine()
            return edge_backup.save_files(self._folder.path, folder, on_progress)

    def restore_files(self, folder: Path, manifest: Manifest, on_progress: Progress) -> None:
        """Become what a backup holds, once its files are checked; the store is closed then."""
        self._check_usable()
        with self._lock, Translated(self.address):
            self._close_engine()
            edge_backup.restore_files(self._folder.path, folder, manifest, EdgeStore, on_progress)
            self.close()

    def close(self) -> None:
        """Flush and let go; the store cannot be used afterwards."""
        if self._closed or os.getpid() != self._pid:
            return
        with self._lock, Translated(self.address):
            self._closed = True
            try:
                self._close_engine()
            finally:
                self._folder.release()

    def _reopen(self, spec: CollectionSpec) -> EdgeCollection:
        """The collection's engine, opened anew with the settings that a spec gives it."""
        with self._lock:
            opened = self._open.pop(spec.name)
            opened.shard.flush()
            opened.shard.close()
            self._open[spec.name] = EdgeCollection.reload(self._folder.shard_path(spec.name), spec)
            return self._open[spec.name]

    def _close_engine(self) -> None:
        while self._open:
            _, collection = self._open.popitem()
            collection.shard.flush()
            collection.shard.close()

    def _pages(self, name: str, where: Where, with_vectors: tuple[str, ...]) -> Iterator[Point]:
        start: str | None = None
        size = _PAGE_WITH_VECTORS if with_vectors else _PAGE
        while True:
            points, start = self.page(name, where, start=start, limit=size, with_vectors=with_vectors)
            yield from points
            if start is None:
                return

    @contextmanager
    def _using(self, name: str) -> Iterator[EdgeCollection]:
        """The collection, opened if it is not, with the engine's errors translated."""
        self._check_usable()
        with Translated(self.address):
            yield self.collection(name)

    @contextmanager
    def _writing(self, name: str) -> Iterator[EdgeCollection]:
        """The same for a change: what was read before is forgotten, also when the change fails half-way."""
        with self._using(name) as collection:
            try:
                yield collection
            finally:
                collection.recent.forget()

    def collection(self, name: str) -> EdgeCollection:
        """The engine's side of a collection, opened if it is not: for what no other store has.

        Raises StoreLayoutError when there is no such collection.
        """
        with self._lock:
            if name not in self._open:
                spec = self._folder.read_spec(name)
                if spec is None:
                    raise checks.no_collection(self.address, name)
                self._open[name] = EdgeCollection.load(self._folder.shard_path(name), spec)
            return self._open[name]

    def _check_usable(self) -> None:
        if os.getpid() != self._pid:
            raise StoreError(
                f"the store at {self.address} was opened before this process was forked: open it after "
                "the fork, or start processes with the spawn method"
            )
        if self._closed:
            raise StoreError(f"the store at {self.address} is closed: open it again")
