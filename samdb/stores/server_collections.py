"""Collections on a server: `segments` is an alias of `segments_v1`, so that a migration can swap it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from qdrant_client import QdrantClient, models

from samdb.core.points import CollectionSpec, IndexKind
from samdb.errors import ConfigError, StoreLayoutError
from samdb.stores import checks
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
            self._specs[name] = replace(self._read(physical), name=name)
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
        old = replace(self._read(physical), name=spec.name)
        merged = checks.merged_spec(self._connection.shown, old, spec)
        if set(merged.vectors) != set(old.vectors):
            new = ", ".join(sorted(set(merged.vectors) - set(old.vectors)))
            raise StoreLayoutError(
                f"the server at {self._connection.shown} holds {physical!r} without the vectors {new}: "
                "ingest into another --store"
            )
        for key, kind in merged.indexes.items():
            if key not in old.indexes:
                self._index(physical, key, kind)
        if fresh:
            self._point_alias(physical, self.alias(spec.name))
        self.forget(spec.name)

    def drop(self, name: str) -> None:
        """Delete a collection, if it exists; its alias goes with it."""
        physical = self.physical_names().get(name) or f"{self.alias(name)}_v1"
        self._connection.call(lambda c: c.delete_collection(physical))
        self.forget(name)

    def _create_physical(self, physical: str, spec: CollectionSpec) -> None:
        int8 = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
        vectors = {
            name: models.VectorParams(size=dim, distance=models.Distance.COSINE)
            for name, dim in spec.vectors.items()
        }

        def create(client: QdrantClient) -> None:
            client.create_collection(
                physical,
                vectors_config=vectors,
                quantization_config=models.ScalarQuantization(scalar=int8) if spec.quantized else None,
            )

        try:
            self._connection.call_raw(create)
        except FOREIGN as exc:
            # left half-made by a crash, or another worker was faster: go on with it
            if not already_exists(exc):
                raise translate(self._connection.shown, exc) from exc

    def _index(self, physical: str, key: str, kind: IndexKind) -> None:
        schema = _INDEX_TYPES[kind]
        self._connection.call(lambda c: c.create_payload_index(physical, key, field_schema=schema, wait=True))

    def _point_alias(self, physical: str, alias: str) -> None:
        create = models.CreateAlias(collection_name=physical, alias_name=alias)
        operation = models.CreateAliasOperation(create_alias=create)
        self._connection.call(lambda c: c.update_collection_aliases([operation]))

    def _read(self, physical: str) -> CollectionSpec:
        info = self._connection.call(lambda c: c.get_collection(physical))
        params = info.config.params.vectors
        vectors = {n: p.size for n, p in params.items()} if isinstance(params, dict) else {}
        indexes = {
            key: _INDEX_KINDS[index.data_type.value]
            for key, index in info.payload_schema.items()
            if index.data_type.value in _INDEX_KINDS
        }
        return CollectionSpec(physical, vectors, indexes, info.config.quantization_config is not None)
