"""The embedded engine and samdb on top of it: the engine's own call beside samdb's search, on one store."""

from __future__ import annotations

from pathlib import Path

import qdrant_edge as qe

from samdb.api import Database
from samdb.config import Settings
from samdb.core.points import Query
from samdb.pipelines.examples import Example
from samdb.pipelines.search import SearchRequest, search
from samdb.stores.edge import EdgeStore
from samdb.stores.edge_query import engine_request
from samdb.stores.edge_shard import EdgeCollection
from samdb.stores.layout import SEGMENTS
from scripts.benchmark.store.points import Vectors, point_id
from scripts.benchmark.store.samdb_store import SamdbStore, where_class
from scripts.benchmark.store.timing import Way


class Edge(SamdbStore):
    """An embedded samdb store. `query` asks the engine itself, with samdb's own parameters."""

    def open(self, place: Path) -> None:
        self._database = Database(Settings(store=str(place / "store"), model=self.model))
        self._store = self._database.store
        if SEGMENTS in self.store.collections():
            self.store.count(SEGMENTS)  # a collection is opened when it is first used

    def query(self, vectors: Vectors, k: int, class_name: str | None) -> list[list[str]]:
        requests = [
            engine_request(self._collection, Query(self.recipe, (v,), where=where_class(class_name), limit=k))
            for v in vectors
        ]
        if len(requests) == 1:
            return [_names(self._collection.shard.query(requests[0]))]
        found = self._collection.shard.query_batch(qe.QueryBatchRequest(requests))
        return [_names(points) for points in found]

    def more_ways(self, asked: Vectors, k: int, n: int) -> list[Way]:
        """samdb's search by an example's vector, and by a stored segment's id; each beside the engine's calls
        that fetch the same.
        """
        step = max(1, n // len(asked))

        def by_vector(i: int, class_name: str | None) -> list[str]:
            request = SearchRequest(self.recipe, (Example(asked[i]),), where=where_class(class_name), limit=k)
            return [hit.segment.segment_id for hit in search(self.store, request)]

        def engine_by_id(i: int, _: str | None) -> list[str]:
            shard, stored = self._collection.shard, point_id(i * step)
            found = shard.retrieve([stored], with_payload=True, with_vector=[self.recipe])[0].vector
            assert isinstance(found, dict)
            request = qe.QueryRequest(
                limit=k,
                query=qe.Query.Nearest(found[self.recipe], using=self.recipe),
                filter=qe.Filter(must_not=[qe.HasIdCondition({stored})]),
                params=engine_request(self._collection, Query(self.recipe, (asked[i],))).params,
                with_payload=True,
            )
            return _names(shard.query(request))

        def by_id(i: int, _: str | None) -> list[str]:
            hits = self._database.search(segment_id=point_id(i * step), recipe=self.recipe, limit=k)
            return [hit.segment.segment_id for hit in hits]

        return [
            Way("samdb search", True, by_vector, beside="edge"),
            Way("edge by id", True, engine_by_id, exact=False, filters=False),
            Way("samdb search by id", True, by_id, beside="edge by id", exact=False, filters=False),
        ]

    def close(self) -> None:
        self._database.close()

    @property
    def _collection(self) -> EdgeCollection:
        assert isinstance(self.store, EdgeStore)
        return self.store.collection(SEGMENTS)


def _names(points: list[qe.ScoredPoint]) -> list[str]:
    """The points' names; their payloads are read as well, which the engine makes only when it is asked."""
    return [name for name, _ in [(str(point.id), point.payload) for point in points]]
