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

# an engine without any vector does not start; nothing is ever stored in this one
_DUMMY: Final = "none"
# measured with 100k 256-d vectors: recall@10 1.0 at p50 0.32 ms (int8, rescored)
_HNSW = qe.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=1000)
# in KB of one vector: 1000 points of 256-d are worth an index, since it is only built when asked for
_INDEXING_THRESHOLD_KB: Final = 1000

_INDEX_TYPES: Mapping[IndexKind, qe.PayloadSchemaType] = {
    "keyword": qe.PayloadSchemaType.Keyword,
    "integer": qe.PayloadSchemaType.Integer,
    "float": qe.PayloadSchemaType.Float,
    "bool": qe.PayloadSchemaType.Bool,
}


class EdgeCollection:
    """An open collection: its spec, its engine, and the vectors that the engine knows."""

    def __init__(self, spec: CollectionSpec, shard: qe.EdgeShard, declared: Iterable[str]) -> None:
        """Wrap an open engine."""
        self.spec = spec
        self.shard = shard
        self._declared = set(declared)
        self._lock = threading.Lock()

    @classmethod
    def create(cls, path: Path, spec: CollectionSpec) -> EdgeCollection:
        """Create the engine's files in an empty or missing folder."""
        int8 = qe.ScalarQuantizationConfig(type=qe.ScalarType.Int8, quantile=0.99, always_ram=True)
        config = qe.EdgeConfig(
            sparse_vectors={_DUMMY: qe.EdgeSparseVectorParams()},
            hnsw_config=_HNSW,
            quantization_config=int8 if spec.quantized else None,
            optimizers=qe.EdgeOptimizersConfig(indexing_threshold=_INDEXING_THRESHOLD_KB),
        )
        path.mkdir(parents=True, exist_ok=True)
        made = cls(spec, qe.EdgeShard.create(str(path), config), ())
        made.add_indexes(spec.indexes)
        made.shard.flush()
        return made

    @classmethod
    def load(cls, path: Path, spec: CollectionSpec) -> EdgeCollection:
        """Open the engine's files."""
        shard = qe.EdgeShard.load(str(path))
        config = json.loads((path / "edge_config.json").read_text(encoding="utf-8"))
        return cls(spec, shard, config.get("vectors") or ())

    def add_indexes(self, indexes: Mapping[str, IndexKind]) -> None:
        """Index payload keys; the engine ignores what is indexed already."""
        for key, kind in indexes.items():
            self.shard.update(qe.UpdateOperation.create_field_index(key, _INDEX_TYPES[kind]))

    def declared(self, names: Iterable[str]) -> list[str]:
        """Those of the named vectors that some point may have."""
        return [n for n in names if n in self._declared]

    def declare(self, names: Iterable[str]) -> None:
        """Tell the engine of vectors that are about to be written."""
        with self._lock:
            for name in sorted(set(names) - self._declared):
                self.shard.update(
                    qe.UpdateOperation.create_dense_vector(name, self.spec.vectors[name], qe.Distance.Cosine)
                )
                self._declared.add(name)
