"""What a server or cluster tells of a collection."""

from __future__ import annotations

from qdrant_client import models

from samdb.core.points import CollectionSpec, CollectionStatus
from samdb.stores.server_connection import ServerConnection
from samdb.stores.server_indexing import is_deferred, vector_counts
from samdb.stores.server_replicas import replicas_of


def read_status(connection: ServerConnection, physical: str, spec: CollectionSpec) -> CollectionStatus:
    """Counts, shards and their copies. What it takes on the server's disk is not told: 1.16 reports 0."""
    info = connection.call(lambda c: c.get_collection(physical))
    return CollectionStatus(
        spec.name,
        physical,
        connection.call(lambda c: c.count(physical, exact=True)).count,
        info.indexed_vectors_count or 0,
        None,
        n_vectors=sum(vector_counts(connection, physical, spec).values()),
        n_segments=info.segments_count,
        replicas=tuple(replicas_of(connection, physical)),
        optimizer=_optimizer(info),
    )


def _optimizer(info: models.CollectionInfo) -> str:
    if isinstance(info.optimizer_status, models.OptimizersStatusOneOf1):
        return f"failed: {info.optimizer_status.error}"
    if is_deferred(info):
        return "put off"
    if info.status == models.CollectionStatus.GREEN:
        return "done"
    # after a restart the server looks for work only once something changes
    return "waiting" if info.status == models.CollectionStatus.GREY else "at work"
