"""A store's tuning in the server's words, and what of it a collection has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from qdrant_client import models

from samdb.core.points import CollectionSpec, IndexKind
from samdb.core.tuning import Quantization, StoreTuning

# the server's own default, to which it cannot be told to return
_FULL_SCAN_KB = 10_000


def vector_params(spec: CollectionSpec) -> dict[str, models.VectorParams]:
    """The named vectors of a new collection."""
    on_disk = spec.tuning.on_disk_vectors
    return {
        name: models.VectorParams(size=dim, distance=models.Distance.COSINE, on_disk=on_disk)
        for name, dim in spec.vectors.items()
    }


def hnsw(tuning: StoreTuning) -> models.HnswConfigDiff:
    """The graph."""
    return models.HnswConfigDiff(
        m=tuning.hnsw_m,
        ef_construct=tuning.hnsw_ef_construct,
        full_scan_threshold=tuning.full_scan_kb or _FULL_SCAN_KB,
        on_disk=tuning.hnsw_on_disk,
    )


def quantization(spec: CollectionSpec) -> models.ScalarQuantization | models.BinaryQuantization | None:
    """How vectors are quantized, None when they are not."""
    kind = quantization_of(spec)
    if kind == "int8":
        int8 = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
        return models.ScalarQuantization(scalar=int8)
    if kind == "binary":
        return models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True))
    return None


def quantization_of(spec: CollectionSpec) -> Quantization:
    """How a collection's vectors are to be quantized."""
    return spec.tuning.quantization if spec.quantized else "none"


def read_spec(physical: str, info: models.CollectionInfo, indexes: Mapping[str, IndexKind]) -> CollectionSpec:
    """The spec of a collection as the server describes it; `indexes` are its payload indexes."""
    config = info.config
    vectors = config.params.vectors
    named = vectors if isinstance(vectors, dict) else {}
    quantized = _quantization_read(config.quantization_config)
    graph = config.hnsw_config
    tuning = StoreTuning(
        shards=config.params.shard_number,
        # a server by itself may be told to ask more copies than it keeps: nothing to refuse here
        replicas=max(config.params.replication_factor or 1, config.params.write_consistency_factor or 1),
        write_consistency=config.params.write_consistency_factor or 1,
        on_disk_vectors=any(p.on_disk for p in named.values()),
        on_disk_payload=bool(config.params.on_disk_payload),
        quantization=quantized,
        hnsw_m=max(graph.m, 1),
        hnsw_ef_construct=graph.ef_construct,
        hnsw_on_disk=bool(graph.on_disk),
        full_scan_kb=graph.full_scan_threshold if graph.full_scan_threshold != _FULL_SCAN_KB else None,
    )
    dims = {name: p.size for name, p in named.items()}
    return CollectionSpec(physical, dims, indexes, quantized != "none", tuning)


def in_place(old: CollectionSpec, new: CollectionSpec) -> bool:
    """Whether the server can change a collection to the new tuning where it is: all but its shards."""
    return new.tuning.shards is None or new.tuning.shards == old.tuning.shards


def same_config(old: CollectionSpec, new: CollectionSpec) -> bool:
    """Whether a collection has the new tuning already, its shards aside."""
    wanted = replace(new.tuning, shards=None, quantization=quantization_of(new))
    held = replace(old.tuning, shards=None, quantization=quantization_of(old))
    if not new.vectors:  # without vectors nothing tells where they lie
        held = replace(held, on_disk_vectors=wanted.on_disk_vectors)
    return wanted == held


def _quantization_read(found: models.QuantizationConfig | None) -> Quantization:
    if found is None:
        return "none"
    return "binary" if isinstance(found, models.BinaryQuantization) else "int8"
