"""Queries and answers of the embedded engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import qdrant_edge as qe

from samdb.core.points import Hit, Point, Query
from samdb.core.vectors import Vector
from samdb.stores.checks import check_ids
from samdb.stores.edge_shard import EdgeCollection
from samdb.stores.filter_edge import edge_filter
from samdb.stores.ranking import is_plain, rank, thin

# int8 alone loses recall and may score above 1: always rescored from the full vectors. Measured with
# `scripts/bench store`'s points (100k `neck`, 2 busy cores, 200 queries), recall@10 at ef 128: oversampling 2
# .953, 4 .988, 6 .997, 8 .999, all at 0.37 to 0.49 ms of CPU time; a larger ef changes nothing. Among 1M: 8
# .9895, 9 .993, 10 .995, 12 .996, 16 .9975; of other 200 questions and points 9 .991
_INDEXED = qe.SearchParams(
    hnsw_ef=128, quantization=qe.QuantizationSearchParams(rescore=True, oversampling=9.0)
)
# with a filter the graph has holes, though the engine links the points of each indexed value among
# themselves; 1 % and 18 % of these points: at ef 128 1.0 and .998, from 256 on 1.0. Points that lie harder
# want more: 1M `blend` moved by noise alone, oversampling 4: 1 % ef 128 .961, 512 .994; 18 % .69, .91. 1M
# `neck`, ef 512, 44 %: oversampling 8 .9895, 11 .992
_FILTERED = qe.SearchParams(
    hnsw_ef=512, quantization=qe.QuantizationSearchParams(rescore=True, oversampling=11.0)
)
_EXACT = qe.SearchParams(exact=True, quantization=qe.QuantizationSearchParams(ignore=True))


def answer(collection: EdgeCollection, query: Query) -> list[Hit]:
    """Answer one query."""
    return answer_all(collection, [query])[0]


def answer_all(collection: EdgeCollection, queries: list[Query]) -> list[list[Hit]]:
    """Answer queries, those without groups in one batch."""
    answers: list[list[Hit]] = [[] for _ in queries]
    # a vector that no point has yet finds nothing
    live = [i for i, q in enumerate(queries) if collection.declared([q.using])]
    flat = [i for i in live if queries[i].group_by is None]
    if flat:
        requests = [engine_request(collection, queries[i]) for i in flat]
        found = collection.shard.query_batch(qe.QueryBatchRequest(requests))
        for i, points in zip(flat, found, strict=True):
            answers[i] = rank([_hit(p) for p in points], queries[i])
    for i in live:
        if queries[i].group_by is not None:
            answers[i] = _grouped(collection, queries[i])
    return answers


def _grouped(collection: EdgeCollection, query: Query) -> list[Hit]:
    """Groups, which this engine lacks: ask for more until enough groups are full or nothing is left."""
    wanted = query.offset + query.limit
    asked = max(4 * wanted, 64)
    while True:
        points = collection.shard.query(engine_request(collection, query, asked, 0))
        kept = thin(rank([_hit(p) for p in points], query), query)
        if len(kept) >= wanted or len(points) < asked:
            return kept[query.offset :]
        asked *= 4


def engine_request(
    collection: EdgeCollection, query: Query, limit: int | None = None, offset: int | None = None
) -> qe.QueryRequest:
    """What the engine is asked for a query; with another limit and offset than its own if they are given."""
    question: qe.Query
    if is_plain(query):
        question = qe.Query.Nearest(engine_vector(query.positives[0]), using=query.using)  # type: ignore[arg-type]
    else:
        examples = qe.RecommendQuery(
            positives=[engine_vector(v) for v in query.positives],  # type: ignore[misc]
            negatives=[engine_vector(v) for v in query.negatives],  # type: ignore[misc]
        )
        question = qe.Query.RecommendBestScore(examples, using=query.using)
    names = set(query.with_vectors) | (set() if is_plain(query) else {query.using})
    return qe.QueryRequest(
        limit=query.limit if limit is None else limit,
        offset=query.offset if offset is None else offset,
        query=question,
        filter=edge_filter(query.where, query.exclude_ids),
        params=_EXACT if query.exact else _FILTERED if query.where else _INDEXED,
        with_payload=True,
        with_vector=collection.declared(sorted(names)) or False,
    )


def _hit(found: qe.ScoredPoint) -> Hit:
    return Hit(str(found.id), found.score, found.payload or {}, read_vectors(found.vector))


def read_points(
    collection: EdgeCollection, ids: Sequence[str], with_vectors: Sequence[str] = ()
) -> list[Point]:
    """The points that exist among `ids`, in that order, with the named vectors that they have.

    Raises StoreRejectedError when one is no id.
    """
    check_ids(ids)
    names = collection.declared(with_vectors)
    records = collection.shard.retrieve(list(ids), with_payload=True, with_vector=names or False)
    # the engine keeps the order asked for and leaves out what is missing or asked for twice; to read an id is
    # to make a uuid of it and that a text again, 4 us a point
    if len(records) == len(ids):
        return [read_point(r, with_vectors, i) for r, i in zip(records, ids, strict=True)]
    found = {str(r.id): r for r in records}
    return [read_point(found[i], with_vectors, i) for i in ids if i in found]


def read_point(record: qe.Record, names: Sequence[str], point_id: str | None = None) -> Point:
    """A record as a point with only the named vectors; its id need not be read again where it is known."""
    vectors = read_vectors(record.vector) if names else {}
    vectors = {n: vectors[n] for n in names if n in vectors} if vectors else vectors
    return Point(point_id or str(record.id), vectors, record.payload or {})


def engine_vector(vector: Vector) -> memoryview:
    """A vector as the engine reads it fastest: from an array it takes 15 us for 576 numbers, so 3."""
    return np.ascontiguousarray(vector, dtype=np.float32).data


def engine_vectors(vectors: Mapping[str, Vector]) -> dict[str, memoryview]:
    """Named vectors as the engine reads them."""
    return {name: engine_vector(vector) for name, vector in vectors.items()}


def read_vectors(raw: qe.Vector | None) -> dict[str, Vector]:
    """The engine's vectors (name -> list) as float32 arrays."""
    return {n: np.asarray(v, dtype=np.float32) for n, v in raw.items()} if isinstance(raw, dict) else {}
