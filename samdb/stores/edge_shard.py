"""One collection of the embedded engine: creating, loading, and declaring its vectors when first used.

A named vector costs disk and memory for every point, also for those that do not have it (10,000 points with
2 of vit_t's 6 vectors: 148 MB with all six declared, 61 MB with the two). So the engine is told of a vector
only when the first point carries it; until then the collection's spec alone knows it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import qdrant_edge as qe

from samdb.core.points import CollectionSpec, IndexKind
from samdb.errors import StoreLayoutError
from samdb.stores.edge_recent import Recent

# an engine without any vector does not start; nothing is ever stored in this one
_DUMMY: Final = "none"
# measured with 100k 256-d vectors and the default graph: recall@10 1.0 at p50 0.32 ms (int8, rescored)
_FULL_SCAN_KB: Final = 1000
# in KB of one vector: 1000 points of 256-d are worth an index, since it is only built when asked for
_INDEXING_THRESHOLD_KB: Final = 1000

_ON_DISK: Final = qe.KeywordIndexParams(memory=qe.Memory.Cold)
_INDEX_TYPES: Mapping[IndexKind, qe.PayloadSchemaType] = {
    "keyword": qe.PayloadSchemaType.Keyword,
    "integer": qe.PayloadSchemaType.Integer,
    "float": qe.PayloadSchemaType.Float,
    "bool": qe.PayloadSchemaType.Bool,
}


# about as many values as points, looked up one at a time: read from the disk. In memory these three took 49
# of the 127 MB that 100k points of `neck` had of their own. The others stay there: with all indexes on the
# disk that was 31 MB, but a search with a filter on a class of 18 % took 1.7 times as long
_LOOKED_UP: Final = frozenset({"image_id", "parent_id", "label_id"})


class EdgeCollection:
    """An open collection: its spec, its engine, the vectors that the engine knows, and what was read last."""

    def __init__(self, spec: CollectionSpec, shard: qe.EdgeShard, declared: Iterable[str]) -> None:
        """Wrap an open engine."""
        self.spec = spec
        self.shard = shard
        self.recent = Recent()
        self._declared = set(declared)
        self._lock = threading.Lock()

    @classmethod
    def create(cls, path: Path, spec: CollectionSpec) -> EdgeCollection:
        """Create the engine's files in an empty or missing folder."""
        path.mkdir(parents=True, exist_ok=True)
        made = cls(spec, qe.EdgeShard.create(str(path), _config(spec)), ())
        made.add_indexes(spec.indexes)
        made.shard.flush()
        return made

    @classmethod
    def load(cls, path: Path, spec: CollectionSpec) -> EdgeCollection:
        """Open the engine's files."""
        return cls(spec, qe.EdgeShard.load(str(path)), _vectors(path))

    @classmethod
    def reload(cls, path: Path, spec: CollectionSpec) -> EdgeCollection:
        """Open the engine's files with another tuning; `optimize` then brings them to it."""
        qe.EdgeShard.load(str(path), _config(spec, _vectors(path))).close()
        return cls.load(path, spec)

    def add_indexes(self, indexes: Mapping[str, IndexKind]) -> None:
        """Index payload keys; the engine ignores what is indexed already."""
        for key, kind in indexes.items():
            schema = _ON_DISK if key in _LOOKED_UP else _INDEX_TYPES[kind]
            self.shard.update(qe.UpdateOperation.create_field_index(key, schema))

    def declared(self, names: Iterable[str]) -> list[str]:
        """Those of the named vectors that some point may have."""
        return [n for n in names if n in self._declared]

    def count_vectors(self) -> int:
        """How many named vectors all points have together."""
        has = [qe.Filter(must=[qe.HasVectorCondition(name)]) for name in sorted(self._declared)]
        return sum(self.shard.count(qe.CountRequest(exact=True, filter=f)) for f in has)

    def declare(self, names: Iterable[str]) -> None:
        """Tell the engine of vectors that are about to be written."""
        with self._lock:
            for name in sorted(set(names) - self._declared):
                self.shard.update(
                    qe.UpdateOperation.create_dense_vector(name, self.spec.vectors[name], qe.Distance.Cosine)
                )
                self._declared.add(name)


def same_engine(old: CollectionSpec, new: CollectionSpec) -> bool:
    """Whether two tunings are one to this engine, which has no shards and no copies.

    Raises StoreLayoutError when the engine cannot go from the old to the new one.
    """
    if old.quantized and new.tuning.quantization == "none" != old.tuning.quantization:
        raise StoreLayoutError(
            "an embedded store cannot undo its quantization: lay out a new one with "
            "`samdb store migrate --store NEW --set quantization=none`, then `samdb store copy OLD NEW`"
        )
    there = {"shards": 1, "replicas": 1, "write_consistency": 1}
    return old.tuning.changed(there) == new.tuning.changed(there)


def well_placed(path: Path, spec: CollectionSpec) -> bool:
    """Whether the engine in a folder keeps its vectors where the tuning wants them.

    One that was declared since the engine was opened lies in memory: the engine is told of places when it is
    opened (`reload`).
    """
    wanted = "cold" if spec.tuning.on_disk_vectors else "cached"
    return all((vector.get("memory") or "cached") == wanted for vector in _vectors(path).values())


def _vectors(path: Path) -> dict[str, Mapping[str, object]]:
    """The vectors that the engine knows in a folder, with what it was told of each."""
    config = json.loads((path / "edge_config.json").read_text(encoding="utf-8"))
    vectors: dict[str, Mapping[str, object]] = config.get("vectors") or {}
    return vectors


def _config(spec: CollectionSpec, declared: Iterable[str] = ()) -> qe.EdgeConfig:
    """The engine's own settings, also for the vectors that it has already."""
    tuning = spec.tuning
    graph = qe.HnswIndexConfig(
        m=tuning.hnsw_m,
        ef_construct=tuning.hnsw_ef_construct,
        full_scan_threshold=tuning.full_scan_kb or _FULL_SCAN_KB,
        on_disk=tuning.hnsw_on_disk,
    )
    place = qe.Memory.Cold if tuning.on_disk_vectors else qe.Memory.Cached
    vectors = {
        name: qe.EdgeVectorParams(spec.vectors[name], qe.Distance.Cosine, memory=place) for name in declared
    }
    return qe.EdgeConfig(
        vectors=vectors or None,
        sparse_vectors={_DUMMY: qe.EdgeSparseVectorParams()},
        hnsw_config=graph,
        quantization_config=_quantization(spec),
        on_disk_payload=tuning.on_disk_payload,
        optimizers=qe.EdgeOptimizersConfig(indexing_threshold=_INDEXING_THRESHOLD_KB),
    )


def _quantization(spec: CollectionSpec) -> qe.ScalarQuantizationConfig | qe.BinaryQuantizationConfig | None:
    if not spec.quantized or spec.tuning.quantization == "none":
        return None
    if spec.tuning.quantization == "binary":
        return qe.BinaryQuantizationConfig(always_ram=True)
    return qe.ScalarQuantizationConfig(type=qe.ScalarType.Int8, quantile=0.99, always_ram=True)
