"""The segments a bank is learned from, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from samdb.core.head import Head
from samdb.core.segment import Granularity
from samdb.core.vectors import Vector


@dataclass(frozen=True, slots=True)
class BankSegment:
    """One segment to learn from: `class_name` None marks background.

    `image_key` names its image, dataset included: held-out segments are chosen by image. `object_key` names
    the labelled object that it is, or is a part of, where that is known.
    """

    segment_id: str
    vector: Vector
    class_name: str | None
    granularity: Granularity
    image_key: str
    object_key: str = ""


@dataclass(frozen=True, slots=True)
class SegmentTable:
    """Segments in the order of their ids, whatever order they came in.

    `vectors` is (N, D) float32 of L2 norm 1; everything else has N entries.
    """

    ids: tuple[str, ...]
    vectors: NDArray[np.float32]
    class_names: tuple[str | None, ...]
    granularities: tuple[Granularity, ...]
    image_keys: tuple[str, ...]
    object_keys: tuple[str, ...]

    @classmethod
    def of(cls, segments: Sequence[BankSegment]) -> SegmentTable:
        """Sorted by id. Raises ValueError when there is none, or when one comes twice."""
        if not segments:
            raise ValueError("there is no segment to learn from")
        ordered = sorted(segments, key=lambda s: s.segment_id)
        ids = tuple(s.segment_id for s in ordered)
        if len(set(ids)) != len(ids):
            raise ValueError("a segment comes twice")
        return cls(
            ids=ids,
            vectors=np.stack([s.vector for s in ordered]),
            class_names=tuple(s.class_name for s in ordered),
            granularities=tuple(s.granularity for s in ordered),
            image_keys=tuple(s.image_key for s in ordered),
            object_keys=tuple(s.object_key for s in ordered),
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, sorted, background left out."""
        return tuple(sorted({c for c in self.class_names if c is not None}))

    @property
    def has_background(self) -> bool:
        """Whether any segment is background."""
        return None in self.class_names

    def projected(self, head: Head) -> SegmentTable:
        """The same segments with the vectors that a head makes of theirs."""
        return replace(self, vectors=head.project(self.vectors))

    def take(self, rows: NDArray[np.bool_]) -> SegmentTable:
        """The segments where `rows` (N,) is true; may be empty."""
        index = np.flatnonzero(rows)
        return SegmentTable(
            ids=tuple(self.ids[i] for i in index),
            vectors=self.vectors[index],
            class_names=tuple(self.class_names[i] for i in index),
            granularities=tuple(self.granularities[i] for i in index),
            image_keys=tuple(self.image_keys[i] for i in index),
            object_keys=tuple(self.object_keys[i] for i in index),
        )
