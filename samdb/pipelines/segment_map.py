"""A map of stored segments: where each lies on the plane on which they differ most."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from samdb.core.points import Point, Where
from samdb.core.segment import Segment
from samdb.pipelines.labelled_sample import check_recipe
from samdb.pipelines.probe_figures import principal_axes
from samdb.ports import VectorStore
from samdb.stores.codec import point_to_segment
from samdb.stores.layout import SEGMENTS

_TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True, slots=True)
class SegmentMap:
    """N segments, their coordinates `xy` (N, 2) in [-1, 1], and the share of the variance that each of the
    two axes `explained`."""

    segments: tuple[Segment, ...]
    xy: NDArray[np.float32]
    explained: tuple[float, float]


def map_segments(store: VectorStore, recipe: str, where: Where, limit: int) -> SegmentMap:
    """Up to `limit` segments that match, on the first two principal axes of their embeddings.

    Of more, the first by id: ids are hashes, so that is a random choice and the same every time. Raises
    ConfigError on an unknown recipe.
    """
    check_recipe(store, recipe)
    embedded = (p for p in store.scroll(SEGMENTS, where, (recipe,)) if recipe in p.vectors)
    points = list(islice(embedded, limit))
    segments = tuple(point_to_segment(Point(p.id, {}, p.payload)) for p in points)
    if len(points) < 3:  # there is no plane through two points
        side = np.linspace(-1, 1, len(points)) if len(points) > 1 else np.zeros(len(points))
        return SegmentMap(segments, np.stack([side, 0 * side], axis=1).astype(np.float32), (1.0, 0.0))
    xy, explained = principal_axes(np.stack([p.vectors[recipe] for p in points]))
    scaled = xy / max(float(np.abs(xy).max()), _TINY)
    return SegmentMap(segments, scaled.astype(np.float32), (float(explained[0]), float(explained[1])))
