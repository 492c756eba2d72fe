"""Collections on a server: `segments` is an alias of `segments_v1`, so that a migration can swap it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from qdrant_client import QdrantClient, models

from samdb.core.points import CollectionSpec, IndexKind
from samdb.errors import ConfigError, StoreLayoutError
from samdb.stores import checks, server_tuning
from samdb.stores.server_connection import ServerConnection
from samdb.stores.server_errors import FOREIGN, already_exists, translate

_INDEX_TYPES: Mapping[IndexKind, models.PayloadSchemaType] = {
    "keyword": models.PayloadSchemaType.KEYWORD,
    "integer": models.PayloadSchemaType.INTEGER,
    "float": models.PayloadSchemaType.FLOAT,
    "bool": models.PayloadSchemaType.BOOL,
}
_INDEX_KINDS: Mapping[str, IndexKind] = {t.value: kind for kind, t in _INDEX_TYPES.items()}


class ServerCollections:
    """Names, creates and describes the collections of one store on a server.

    `prefix` keeps several stores on one server apart: the alias of `segments` is prefix + `segments`.
    """

    def __init__(self, connection: ServerConnection, prefix: str) -> None:
        """Look after the collections whose alias is `prefix` + a name.

        Raises ConfigError on a prefix that could run into a name: it must be empty or end in _ or -.
        """
        if prefix and not re.fullmatch(r"[A-Za-z0-9_-]*[_-]", prefix):
            raise ConfigError(
                f"the store prefix {prefix!r} must end in _ or -, such as {prefix.rstrip('/')}_"
            )
        self._connection = connection
        self._prefix = prefix
        self._specs: dict[str, CollectionSpec] = {}

    def alias(self, name: str) -> str:
        """What to call a collection when talking to the server."""
        return f"{self._prefix}{name}"

    def physical_names(self) -> dict[str, str]:
        """The collections that exist (name -> physical name), sorted."""
        aliases = self._connection.call(lambda c: c.get_aliases()).aliases
        found: dict[str, str] = {}
        for entry in sorted(aliases, key=lambda a: a.alias_name):
            name = entry.alias_name.removeprefix(self._prefix)
            ours = entry.alias_name == self.alias(name) and checks.is_name(name)
            if ours and re.fullmatch(rf"{re.escape(self.alias(name))}_v\d+", entry.collection_name):
                found[name] = entry.collection_name
        return found

    def spec(self, name: str) -> CollectionSpec:
        """The spec of a collection, asked for once. Raises StoreLayoutError when it does not exist."""
        if name not in self._specs:
            physical = self.physical_names().get(name)
            if physical is None:
                raise checks.no_collection(self._connection.shown, name)
            self._specs[name] = replace(self.read(physical), name=name)
        return self._specs[name]

    def forget(self, name: str) -> None:
        """Ask again for this collection's spec: it was changed or dropped."""
        self._specs.pop(name, None)

    def create(self, spec: CollectionSpec) -> None:
        """Create a collection, its indexes, and last its alias, or add the indexes that it lacks.

        Raises StoreLayoutError when it exists with other vectors: a server cannot add any.
        """
        checks.check_name(spec.name)
        physical = self.physical_names().get(spec.name)
        fresh = physical is None
        if physical is None:
            physical = f"{self.alias(spec.name)}_v1"
            self._create_physical(physical, spec)
        old = replace(self.read(physical), name=spec.name)
        merged = checks.merged_spec(self._connection.shown, old, spec)
        if set(merged.vectors) != set(old.vectors):
            new = ", ".join(sorted(set(merged.vectors) - set(old.vectors)))
            raise StoreLayoutError(
                f"the server at {self._connection.shown} holds {physical!r} without the vectors {new}: "
                "ingest into another --store"
            )
        self._index(physical, old, merged)
        if fresh:
            self.point_alias(physical, self.alias(spec.name))
        self.forget(spec.name)

    def ensure_physical(self, physical: str, spec: CollectionSpec) -> None:
        """Create a collection and its indexes, without an alias; one left with other shards is made anew."""
        self._create_physical(physical, spec)
        held = self.read(physical)
        if held.tuning.shards != spec.tuning.shards or held.vectors != spec.vectors:
            self._connection.call(lambda c: c.delete_collection(physical))
            self._create_physical(physical, spec)
            held = self.read(physical)
        self._index(physical, held, spec)

    def next_version(self, physical: str) -> str:
        """The name after a physical name: segments_v1 -> segments_v2."""
        stem, _, number = physical.rpartition("_v")
        return f"{stem}_v{int(number) + 1}"

    def drop_others(self, name: str, physical: str) -> None:
        """Delete a collection's versions that its alias does not name: what was replaced, or half-made."""
        version = re.compile(rf"{re.escape(self.alias(name))}_v\d+")
        found = [c.name for c in self._connection.call(lambda c: c.get_collections()).collections]
        others = [other for other in found if version.fullmatch(other) and other != physical]
        self._connection.call_each(others, lambda c, other: c.delete_collection(other))

    def drop(self, name: str) -> None:
        """Delete a collection, if it exists; its alias goes with it."""
        physical = self.physical_names().get(name) or f"{self.alias(name)}_v1"
        self._connection.call(lambda c: c.delete_collection(physical))
        self.forget(name)

    def _create_physical(self, physical: str, spec: CollectionSpec) -> None:
        tuning = spec.tuning

        def create(client: QdrantClient) -> None:
            client.create_collection(
                physical,
                vectors_config=server_tuning.vector_params(spec),
                shard_number=tuning.shards,
                replication_factor=tuning.replicas,
                write_consistency_factor=tuning.write_consistency,
                on_disk_payload=tuning.on_disk_payload,
                hnsw_config=server_tuning.hnsw(tuning),
                quantization_config=server_tuning.quantization(spec),
            )

        try:
            self._connection.call_raw(create)
        except FOREIGN as exc:
            # left half-made by a crash, or another worker was faster: go on with it
            if not already_exists(exc):
                raise translate(self._connection.shown, exc) from exc

    def _index(self, physical: str, held: CollectionSpec, wanted: CollectionSpec) -> None:
        missing = [(k, _INDEX_TYPES[kind]) for k, kind in wanted.indexes.items() if k not in held.indexes]
        self._connection.call_each(
            missing, lambda c, new: c.create_payload_index(physical, new[0], field_schema=new[1], wait=True)
        )

    def point_alias(self, physical: str, alias: str) -> None:
        """Let an alias name a collection, in one step also when it names another one."""
        create = models.CreateAlias(collection_name=physical, alias_name=alias)
        operation = models.CreateAliasOperation(create_alias=create)
        self._connection.call(lambda c: c.update_collection_aliases([operation]))

    def read(self, physical: str) -> CollectionSpec:
        """The spec of a physical collection, as the server describes it."""
        info = self._connection.call(lambda c: c.get_collection(physical))
        indexes = {
            key: _INDEX_KINDS[index.data_type.value]
            for key, index in info.payload_schema.items()
            if index.data_type.value in _INDEX_KINDS
        }
        return server_tuning.read_spec(physical, info, indexes)
