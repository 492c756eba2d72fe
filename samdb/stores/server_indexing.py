"""When a server builds its vector indexes: by itself, in the background, unless it is told to wait."""

from __future__ import annotations

import time

from qdrant_client import models

from samdb.core.points import CollectionSpec
from samdb.errors import StoreError
from samdb.ports import Progress
from samdb.stores.server_connection import ServerConnection

# the server's own default: segments of more KB of vectors get an index
_INDEX_FROM_KB = 10_000
_POLL_S = 0.25
# the server looks for work a moment after it was told to, and is green until then
_GREENS = 4


def defer_indexes(connection: ServerConnection, physical: str) -> None:
    """Let the server build no index: points come in faster, and a graph is built once, not many times."""
    never = models.OptimizersConfigDiff(indexing_threshold=0)
    connection.call(lambda c: c.update_collection(physical, optimizers_config=never))


def resume_indexes(connection: ServerConnection, physical: str) -> None:
    """Undo `defer_indexes`: the server then builds indexes in the background."""
    if is_deferred(connection.call(lambda c: c.get_collection(physical))):
        _index_as_usual(connection, physical)


def is_deferred(info: models.CollectionInfo) -> bool:
    """Whether the server was told to build no index."""
    return info.config.optimizer_config.indexing_threshold == 0


def build_indexes(
    connection: ServerConnection, physical: str, spec: CollectionSpec, progress: Progress
) -> None:
    """Let the server build its indexes, and wait until it has nothing left to do.

    What is told on the way are vectors; small segments never get an index, so that it may end below all.
    Raises StoreError when the server's optimizer fails.
    """
    _index_as_usual(connection, physical)  # also the first change that it waits for after a restart
    total = sum(vector_counts(connection, physical, spec).values())
    greens = 0
    while greens < _GREENS:
        info = connection.call(lambda c: c.get_collection(physical))
        if isinstance(info.optimizer_status, models.OptimizersStatusOneOf1):
            raise StoreError(
                f"the server cannot build the indexes of {physical!r}: {info.optimizer_status.error}; "
                "see its log, then run `samdb store optimize`"
            )
        greens = greens + 1 if info.status == models.CollectionStatus.GREEN else 0
        progress(f"index {spec.name}", min(info.indexed_vectors_count or 0, total), total)
        if greens < _GREENS:
            time.sleep(_POLL_S)


def _index_as_usual(connection: ServerConnection, physical: str) -> None:
    usual = models.OptimizersConfigDiff(indexing_threshold=_INDEX_FROM_KB)
    connection.call(lambda c: c.update_collection(physical, optimizers_config=usual))


def vector_counts(connection: ServerConnection, physical: str, spec: CollectionSpec) -> dict[str, int]:
    """How many points have each named vector."""
    counts = {}
    for name in spec.vectors:
        has = models.Filter(must=[models.HasVectorCondition(has_vector=name)])
        counts[name] = connection.call(lambda c: c.count(physical, count_filter=has, exact=True)).count  # noqa: B023
    return counts
