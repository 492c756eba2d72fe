"""Which collections a samdb store has, and how each is laid out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from samdb.core.points import CollectionSpec, IndexKind
from samdb.core.tuning import StoreTuning

SEGMENTS: Final = "segments"
IMAGES: Final = "images"
BANK: Final = "bank"
META: Final = "meta"

#: the one vector of an image: its neck features, pooled over the whole image
GLOBAL_VECTOR: Final = "global"
GLOBAL_DIM: Final = 256

_DEFAULT: Final = StoreTuning()

_SEGMENT_INDEXES: Mapping[str, IndexKind] = {
    "dataset": "keyword",
    "split": "keyword",
    "image_id": "keyword",
    "class_name": "keyword",
    "label_source": "keyword",
    "granularity": "keyword",
    "parent_id": "keyword",
    "prompt_kind": "keyword",
    "label_id": "keyword",
    "weather": "keyword",
    "scene": "keyword",
    "timeofday": "keyword",
    "model": "keyword",
    "flags": "keyword",
    "area_px": "integer",
    "occluded": "bool",
    "truncated": "bool",
}
_IMAGE_INDEXES: Mapping[str, IndexKind] = {
    "dataset": "keyword",
    "split": "keyword",
    "status": "keyword",
    "image_id": "keyword",
}
_BANK_INDEXES: Mapping[str, IndexKind] = {
    "bank": "keyword",
    "class_name": "keyword",
    "granularity": "keyword",
    "origin": "keyword",
    "version": "integer",
}
_META_INDEXES: Mapping[str, IndexKind] = {"kind": "keyword", "name": "keyword"}


@dataclass(frozen=True, slots=True)
class LayoutParams:
    """What a store is laid out for: the model, and every vector it can give (name -> dimension).

    All of the model's recipes are declared at once and a point carries any subset of them, so that
    choosing other recipes later needs no migration. Another model needs another store. The tuning can be
    changed (`samdb store migrate --set`).
    """

    model: str
    vectors: Mapping[str, int]
    tuning: StoreTuning = field(default_factory=StoreTuning)

    def __post_init__(self) -> None:
        if not self.model or not self.vectors or min(self.vectors.values()) < 1:
            raise ValueError(f"a layout needs a model and vectors of positive dimension, got {self!r}")


def segments_spec(params: LayoutParams) -> CollectionSpec:
    """The collection of segments: every named vector of the model, the indexed payload keys."""
    return CollectionSpec(SEGMENTS, dict(params.vectors), dict(_SEGMENT_INDEXES), tuning=params.tuning)


def images_spec(tuning: StoreTuning = _DEFAULT) -> CollectionSpec:
    """The collection of images: the ledger that makes ingest resumable."""
    # few and only scanned: the ledger gains nothing from quantization
    return CollectionSpec(IMAGES, {GLOBAL_VECTOR: GLOBAL_DIM}, dict(_IMAGE_INDEXES), False, tuning)


def bank_spec(params: LayoutParams) -> CollectionSpec:
    """The collection of prototypes: the same vectors as the segments they are compared with."""
    return CollectionSpec(BANK, dict(params.vectors), dict(_BANK_INDEXES), tuning=_small(params.tuning))


def meta_spec(tuning: StoreTuning = _DEFAULT) -> CollectionSpec:
    """The collection of records without vectors: migrations, facts about the store, bank cards.

    `kind` tells them apart and `name` names them within their kind.
    """
    return CollectionSpec(META, {}, dict(_META_INDEXES), False, _small(tuning))


def all_specs(params: LayoutParams) -> list[CollectionSpec]:
    """Every collection of a store, in the order in which a copy is safe when it is cut short.

    The ledger never names a segment that is not there, and the records come last.
    """
    images, meta = images_spec(params.tuning), meta_spec(params.tuning)
    return [segments_spec(params), bank_spec(params), images, meta]


def _small(tuning: StoreTuning) -> StoreTuning:
    """For a collection of few points: in one shard, in memory, with as many copies as the others."""
    return replace(tuning, shards=1, on_disk_vectors=False)
