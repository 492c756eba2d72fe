"""Changing the tuning of a server's collection: where it is, else by a copy behind the alias.

`segments` is an alias of `segments_v1`. Another number of shards needs a `segments_v2`: it is created beside
the first, filled, compared with it, and takes over the alias in one step. Cut short, the next run goes on
where this one stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from qdrant_client import QdrantClient, models

from samdb.core.points import CollectionSpec
from samdb.errors import StoreError
from samdb.ports import Progress
from samdb.stores import server_tuning
from samdb.stores.server_collections import ServerCollections
from samdb.stores.server_connection import ServerConnection
from samdb.stores.server_replicas import level_replicas

_PAGE = 1000
_BATCH = 250


def retune(
    connection: ServerConnection, collections: ServerCollections, spec: CollectionSpec, progress: Progress
) -> None:
    """Give an existing collection the tuning of `spec`. Nothing else may write to it meanwhile.

    Raises StoreError when the copy does not match the original; the original then stays in use.
    """
    physical = collections.physical_names()[spec.name]
    old = collections.read(physical)
    wanted = replace(spec, vectors=old.vectors, indexes=old.indexes)
    if not server_tuning.in_place(old, wanted):
        physical = _rebuild(connection, collections, physical, wanted, progress)
    elif not server_tuning.same_config(old, wanted):
        connection.call(lambda c: _update(c, physical, wanted))
    collections.drop_others(spec.name, physical)
    level_replicas(connection, physical, wanted.tuning.replicas, progress)
    collections.forget(spec.name)


def _update(client: QdrantClient, physical: str, spec: CollectionSpec) -> bool:
    tuning = spec.tuning
    on_disk = models.VectorParamsDiff(on_disk=tuning.on_disk_vectors)
    return client.update_collection(
        physical,
        vectors_config=dict.fromkeys(spec.vectors, on_disk) or None,
        hnsw_config=server_tuning.hnsw(tuning),
        quantization_config=server_tuning.quantization(spec) or models.Disabled.DISABLED,
        collection_params=models.CollectionParamsDiff(
            replication_factor=tuning.replicas,
            write_consistency_factor=tuning.write_consistency,
            on_disk_payload=tuning.on_disk_payload,
        ),
    )


def _rebuild(
    connection: ServerConnection,
    collections: ServerCollections,
    physical: str,
    spec: CollectionSpec,
    progress: Progress,
) -> str:
    """Copy into the next version and switch to it; gives its name."""
    fresh = collections.next_version(physical)
    collections.ensure_physical(fresh, spec)
    total = connection.call(lambda c: c.count(physical, exact=True)).count
    done = 0
    for ids in _id_pages(connection, physical):
        held = connection.call(lambda c: c.retrieve(fresh, ids, with_payload=False, with_vectors=False))  # noqa: B023
        missing = sorted(set(ids) - {str(r.id) for r in held})
        done += len(ids) - len(missing)
        for start in range(0, len(missing), _BATCH):
            some = missing[start : start + _BATCH]
            _copy(connection, physical, fresh, some)
            done += len(some)
            progress(f"copy {spec.name}", done, total)
    copied = connection.call(lambda c: c.count(fresh, exact=True)).count
    total = connection.call(lambda c: c.count(physical, exact=True)).count
    if copied != total:
        raise StoreError(
            f"{physical!r} has {total:,} points and its copy {copied:,}: something wrote to it meanwhile, "
            "stop that and run `samdb store migrate` again"
        )
    collections.point_alias(fresh, collections.alias(spec.name))
    return fresh


def _id_pages(connection: ServerConnection, physical: str) -> Iterator[list[str]]:
    offset: models.ExtendedPointId | None = None
    while True:
        records, offset = connection.call(
            lambda c: c.scroll(physical, limit=_PAGE, offset=offset, with_payload=False, with_vectors=False)  # noqa: B023
        )
        if records:
            yield [str(r.id) for r in records]
        if offset is None:
            return


def _copy(connection: ServerConnection, physical: str, fresh: str, ids: list[str]) -> None:
    records = connection.call(lambda c: c.retrieve(physical, ids, with_payload=True, with_vectors=True))
    points = [models.PointStruct(id=r.id, vector=r.vector or {}, payload=r.payload) for r in records]
    connection.call(lambda c: c.upsert(fresh, points, wait=True))
