"""Queries and answers of the Qdrant server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from qdrant_client import QdrantClient, models

from samdb.core.points import Hit, PayloadValue, Point, Query
from samdb.core.vectors import Vector
from samdb.stores.filter_server import server_filter
from samdb.stores.json_path import json_path
from samdb.stores.ranking import is_plain, rank, thin
from samdb.stores.server_connection import ServerConnection

# int8 alone loses recall and may score above 1: always rescored from the full vectors, of about as many as an
# embedded store takes (`edge_query` has the measurements; twice as many as are wanted lost 5 % of them there)
_INDEXED = models.SearchParams(quantization=models.QuantizationSearchParams(rescore=True, oversampling=8.0))
_EXACT = models.SearchParams(exact=True, quantization=models.QuantizationSearchParams(ignore=True))


def answer_all(connection: ServerConnection, alias: str, queries: Sequence[Query]) -> list[list[Hit]]:
    """Answer queries, those without groups in one batch."""
    answers: list[list[Hit]] = [[] for _ in queries]
    flat = [i for i, q in enumerate(queries) if q.group_by is None]
    if flat:
        requests = [_request(queries[i]) for i in flat]
        found = connection.call(lambda c: c.query_batch_points(alias, requests))
        for i, response in zip(flat, found, strict=True):
            answers[i] = rank([_hit(p) for p in response.points], queries[i])
    for i, query in enumerate(queries):
        if query.group_by is not None:
            answers[i] = _grouped(connection, alias, query, query.group_by)
    return answers


def _grouped(connection: ServerConnection, alias: str, query: Query, group_by: str) -> list[Hit]:
    # the best n hits come from no more than the best n groups
    wanted = query.offset + query.limit

    def ask(client: QdrantClient) -> models.GroupsResult:
        return client.query_points_groups(
            alias,
            group_by=json_path(group_by),
            query=_question(query),
            using=query.using,
            query_filter=server_filter(query.where, query.exclude_ids),
            search_params=_EXACT if query.exact else _INDEXED,
            limit=wanted,
            group_size=min(query.per_group, wanted),
            with_payload=True,
            with_vectors=_names(query) or False,
        )

    groups = connection.call(ask).groups
    hits = {hit.id: hit for group in groups for hit in map(_hit, group.hits)}
    return thin(rank(list(hits.values()), query), query)[query.offset :]


def _request(query: Query) -> models.QueryRequest:
    return models.QueryRequest(
        query=_question(query),
        using=query.using,
        filter=server_filter(query.where, query.exclude_ids),
        params=_EXACT if query.exact else _INDEXED,
        limit=query.limit,
        offset=query.offset,
        with_payload=True,
        with_vector=_names(query) or False,
    )


def _question(query: Query) -> models.Query:
    if is_plain(query):
        return models.NearestQuery(nearest=query.positives[0].tolist())
    examples = models.RecommendInput(
        positive=[v.tolist() for v in query.positives],
        negative=[v.tolist() for v in query.negatives],
        strategy=models.RecommendStrategy.BEST_SCORE,
    )
    return models.RecommendQuery(recommend=examples)


def _names(query: Query) -> list[str]:
    return sorted(set(query.with_vectors) | (set() if is_plain(query) else {query.using}))


def _hit(found: models.ScoredPoint) -> Hit:
    return Hit(str(found.id), found.score, found.payload or {}, _vectors(found.vector))


def read_point(record: models.Record, names: Iterable[str]) -> Point:
    """A record as a point with only the named vectors."""
    vectors = _vectors(record.vector)
    return Point(str(record.id), {n: vectors[n] for n in names if n in vectors}, record.payload or {})


def write_point(point: Point) -> models.PointStruct:
    """A point as the server takes it."""
    return models.PointStruct(
        id=point.id,
        vector=write_vectors(point.vectors),
        payload={key: plain(value) for key, value in point.payload.items()},
    )


def write_vectors(vectors: Mapping[str, Vector]) -> dict[str, models.Vector]:
    """Named vectors as lists of numbers."""
    return {name: vector.tolist() for name, vector in vectors.items()}


def plain(value: PayloadValue) -> PayloadValue:
    """A payload value in lists and dicts only: the client takes no tuples."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def _vectors(raw: models.VectorStructOutput | None) -> dict[str, Vector]:
    return {n: np.asarray(v, dtype=np.float32) for n, v in raw.items()} if isinstance(raw, dict) else {}
