"""The store on a Qdrant server or cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from qdrant_client import QdrantClient, models

from samdb.core.points import CollectionSpec, CollectionStatus, Hit, Payload, Point, Query, Where
from samdb.core.vectors import Vector
from samdb.errors import StoreError, StoreUnavailableError
from samdb.ports import Progress, silent
from samdb.stores import checks, server_backup
from samdb.stores.backup_files import BackupKind, Manifest, SavedFile
from samdb.stores.facets import facet_text, ordered
from samdb.stores.filter_server import server_filter
from samdb.stores.json_path import json_path
from samdb.stores.server_collections import ServerCollections
from samdb.stores.server_connection import ServerAddress, ServerConnection
from samdb.stores.server_indexing import build_indexes, defer_indexes, resume_indexes
from samdb.stores.server_query import answer_all, plain, read_point, write_point, write_vectors
from samdb.stores.server_rebuild import retune
from samdb.stores.server_status import read_status

_PAGE = 1000
_PAGE_WITH_VECTORS = 250
# a point with all of vit_t's vectors is 46 kB of JSON, and the server takes 32 MB a request
_BATCH = 256
_FIRST_FACETS = 1000

_T = TypeVar("_T")


class ServerStore:
    """The VectorStore of many processes and machines; every write is acknowledged before it returns."""

    def __init__(self, address: ServerAddress, prefix: str = "") -> None:
        """Connect; `prefix` keeps several stores on one server apart.

        Raises StoreUnavailableError when no server answers.
        """
        self._connection = ServerConnection(address)
        self._collections = ServerCollections(self._connection, prefix)
        self._closed = False

    @property
    def address(self) -> str:
        """The server's URL, without any secret."""
        return self._connection.shown

    @property
    def uses_grpc(self) -> bool:
        """Whether the store talks gRPC; else it talks REST."""
        return self._connection.uses_grpc

    def __repr__(self) -> str:
        """Show the address, never the key."""
        return f"ServerStore({self.address!r})"

    def collections(self) -> list[str]:
        """The names of the collections that exist, sorted."""
        self._check_open()
        return sorted(self._collections.physical_names())

    def create_collection(self, spec: CollectionSpec) -> None:
        """Create the collection, or give an existing one the indexes that it lacks.

        Raises StoreLayoutError when it exists with other vectors.
        """
        self._check_open()
        self._collections.create(spec)

    def retune(self, spec: CollectionSpec, on_progress: Progress = silent) -> None:
        """Give the collection the tuning of `spec`: in place, or by a copy when its shards change.

        Raises StoreError when something writes to it meanwhile.
        """
        self._alias(spec.name)
        retune(self._connection, self._collections, spec, on_progress)

    def drop_collection(self, name: str) -> None:
        """Delete the collection with all its points, if it exists."""
        self._check_open()
        self._collections.drop(name)

    def upsert(self, name: str, points: Sequence[Point]) -> None:
        """Write points; the same id replaces. Raises StoreRejectedError and writes none if one is bad."""
        alias = self._alias(name)
        checks.check_points(self._collections.spec(name), points)
        for n_stored, some in zip(range(0, len(points), _BATCH), _batches(points, _BATCH), strict=True):
            records = [write_point(p) for p in some]
            try:
                self._connection.call(lambda c: c.upsert(alias, records, wait=True))  # noqa: B023
            except StoreUnavailableError as exc:
                raise StoreUnavailableError(
                    f"{exc}; {n_stored:,} of {len(points):,} points were stored in {name!r}: run the command "
                    "again once the server answers, what is there already is only written once more"
                ) from exc

    def set_payload(self, name: str, ids: Sequence[str], payload: Payload) -> None:
        """Set these payload keys on these points. Raises StoreRejectedError if one does not exist."""
        alias = self._alias(name)
        checks.check_ids(ids)
        checks.check_payload(name, payload)
        values = {key: plain(value) for key, value in payload.items()}

        def send(client: QdrantClient, some: list[str]) -> models.UpdateResult:
            return client.set_payload(alias, values, points=[*some], wait=True)

        self._connection.call_each(_batches(ids, _PAGE), send)

    def set_vectors(self, name: str, vectors: Mapping[str, Mapping[str, Vector]]) -> None:
        """Set named vectors on points. Raises StoreRejectedError if one does not exist."""
        alias = self._alias(name)
        checks.check_vectors(self._collections.spec(name), vectors)
        changes = [models.PointVectors(id=i, vector=write_vectors(v)) for i, v in vectors.items() if v]
        self._connection.call_each(
            _batches(changes, _BATCH), lambda c, some: c.update_vectors(alias, some, wait=True)
        )

    def delete(self, name: str, *, ids: Sequence[str] = (), where: Where = ()) -> None:
        """Delete points by id, or all that match a non-empty filter."""
        alias = self._alias(name)
        checks.check_delete(ids, where)
        selectors: list[models.PointsSelector] = [
            models.PointIdsList(points=[*b]) for b in _batches(ids, _PAGE)
        ]
        matching = server_filter(where)
        if matching is not None:
            selectors.append(models.FilterSelector(filter=matching))
        self._connection.call_each(selectors, lambda c, chosen: c.delete(alias, chosen, wait=True))

    def get(self, name: str, ids: Sequence[str], with_vectors: Sequence[str] = ()) -> list[Point]:
        """The points that exist among `ids`, in that order, with the named vectors asked for."""
        alias = self._alias(name)
        checks.check_ids(ids)
        checks.check_vector_names(self._collections.spec(name), with_vectors)
        names = list(with_vectors)
        records = self._connection.call_each(
            _batches(ids, _PAGE),
            lambda c, some: c.retrieve(alias, some, with_payload=True, with_vectors=names or False),
        )
        found = {str(r.id): r for batch in records for r in batch}
        return [read_point(found[i], names) for i in ids if i in found]

    def scroll(self, name: str, where: Where = (), with_vectors: Sequence[str] = ()) -> Iterator[Point]:
        """All points that match, paged to the end, in the order of their ids."""
        self._alias(name)
        checks.check_vector_names(self._collections.spec(name), with_vectors)
        server_filter(where)  # what cannot be asked is said now, not when the first point is wanted
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
        alias = self._alias(name)
        checks.check_page(start, limit)
        checks.check_vector_names(self._collections.spec(name), with_vectors)
        matching, names = server_filter(where), list(with_vectors)

        def ask(client: QdrantClient) -> tuple[list[models.Record], models.ExtendedPointId | None]:
            return client.scroll(
                alias, matching, limit=limit, offset=start, with_payload=True, with_vectors=names or False
            )

        records, after = self._connection.call(ask)
        return [read_point(r, names) for r in records], None if after is None else str(after)

    def count(self, name: str, where: Where = ()) -> int:
        """How many points match, exactly."""
        alias = self._alias(name)
        matching = server_filter(where)
        return self._connection.call(lambda c: c.count(alias, count_filter=matching, exact=True)).count

    def facet(self, name: str, key: str, where: Where = ()) -> dict[str, int]:
        """How many points have each value of an indexed key, most frequent first, exactly."""
        alias = self._alias(name)
        checks.check_indexed(self._collections.spec(name), key)
        matching = server_filter(where)
        limit = _FIRST_FACETS

        def ask(client: QdrantClient) -> models.FacetResponse:
            return client.facet(alias, json_path(key), matching, limit=limit, exact=True)

        while len(hits := self._connection.call(ask).hits) >= limit:
            limit *= 10
        return ordered({facet_text(h.value): h.count for h in hits})

    def query(self, name: str, queries: Sequence[Query]) -> list[list[Hit]]:
        """Answer queries in one batch; the answers are in their order."""
        alias = self._alias(name)
        checks.check_queries(self._collections.spec(name), queries)
        return answer_all(self._connection, alias, queries)

    def defer_indexes(self, name: str) -> None:
        """Build no vector index until `optimize`; the server keeps to it when this process dies."""
        self._alias(name)
        defer_indexes(self._connection, self._collections.physical_names()[name])

    def resume_indexes(self, name: str) -> None:
        """Let the server build vector indexes again, in the background; nothing if it does that anyway."""
        self._alias(name)
        resume_indexes(self._connection, self._collections.physical_names()[name])

    def optimize(self, name: str, on_progress: Progress = silent) -> None:
        """Let the server build the vector indexes, and wait for them."""
        self._alias(name)
        physical = self._collections.physical_names()[name]
        build_indexes(self._connection, physical, self._collections.spec(name), on_progress)

    def flush(self, name: str) -> None:
        """Nothing to do: the server acknowledges a write only once it is in its log."""
        self._alias(name)

    def status(self, name: str) -> CollectionStatus:
        """Counts of one collection, its shards and their copies; its size on disk is not told."""
        self._alias(name)
        physical = self._collections.physical_names().get(name)
        if physical is None:
            raise checks.no_collection(self.address, name)
        return read_status(self._connection, physical, self._collections.spec(name))

    @property
    def backup_kind(self) -> BackupKind:
        """A server restores what a server saved."""
        return "server"

    def spec(self, name: str) -> CollectionSpec:
        """How the server has laid out a collection."""
        self._check_open()
        return self._collections.spec(name)

    def check_saveable(self) -> None:
        """Raise StoreError when no named node that answers has one of the shards."""
        self._check_open()
        server_backup.check_reachable(self._connection, self._collections)

    def save_files(self, folder: Path, on_progress: Progress) -> Sequence[SavedFile]:
        """Save a snapshot of every shard. Raises StoreError when no named node has one of them."""
        self._check_open()
        return server_backup.save_files(self._connection, self._collections, folder, on_progress)

    def restore_files(self, folder: Path, manifest: Manifest, on_progress: Progress) -> None:
        """Fill new collections from a backup, then put them in the place of those that are there."""
        self._check_open()
        server_backup.restore_files(self._connection, self._collections, folder, manifest, on_progress)

    def close(self) -> None:
        """Let go of the connection."""
        if not self._closed:
            self._closed = True
            self._connection.close()

    def _pages(self, name: str, where: Where, with_vectors: tuple[str, ...]) -> Iterator[Point]:
        start: str | None = None
        size = _PAGE_WITH_VECTORS if with_vectors else _PAGE
        while True:
            points, start = self.page(name, where, start=start, limit=size, with_vectors=with_vectors)
            yield from points
            if start is None:
                return

    def _alias(self, name: str) -> str:
        """The alias of a collection. Raises StoreLayoutError when it does not exist."""
        self._check_open()
        self._collections.spec(name)
        return self._collections.alias(name)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"the store at {self.address} is closed: open it again")


def _batches(items: Sequence[_T], size: int) -> Iterator[list[_T]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
