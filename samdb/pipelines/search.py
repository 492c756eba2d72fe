"""Search by example: "segments like this one"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import SupportsIndex, overload

from samdb.core.ids import image_point_id
from samdb.core.points import Query, Where
from samdb.core.segment import Segment
from samdb.errors import ConfigError
from samdb.pipelines.examples import Example
from samdb.ports import VectorStore
from samdb.stores.codec import point_to_segment
from samdb.stores.layout import IMAGES, SEGMENTS


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What to look for.

    `per_image` keeps at most so many hits of one image; `offset` skips hits, for the next page. Examples
    that are stored are never among their own hits.
    """

    recipe: str
    positives: tuple[Example, ...]
    negatives: tuple[Example, ...] = ()
    where: Where = ()
    limit: int = 20
    offset: int = 0
    per_image: int | None = None

    def __post_init__(self) -> None:
        if not self.positives:
            raise ConfigError(
                "a search needs an example: give --segment, or an image with --box, --point or --mask"
            )
        if self.limit < 1 or self.offset < 0 or (self.per_image is not None and self.per_image < 1):
            raise ConfigError("--limit and --per-image must be at least 1, --offset at least 0")


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A segment that was found: `rank` from 1, `score` the cosine to the closest positive example.

    `image_path` is where its image was when it was ingested.
    """

    rank: int
    score: float
    segment: Segment
    image_path: Path | None

    def _repr_png_(self) -> bytes | None:
        """How a notebook shows it; as text, when its image cannot be read any more."""
        from samdb.pipelines.notebook_pictures import hit_png

        return hit_png(self)


class SearchResults(list[SearchHit]):
    """What a search found, best first: a list that a notebook shows as pictures. So is a slice of it."""

    @overload
    def __getitem__(self, index: SupportsIndex) -> SearchHit: ...
    @overload
    def __getitem__(self, index: slice) -> SearchResults: ...
    def __getitem__(self, index: SupportsIndex | slice) -> SearchHit | SearchResults:
        """A hit, or some of them."""
        if isinstance(index, slice):
            return SearchResults(super().__getitem__(index))
        return super().__getitem__(index)

    def copy(self) -> SearchResults:
        """The same hits in another list."""
        return SearchResults(self)

    def _repr_html_(self) -> str:
        """How a notebook shows them."""
        from samdb.pipelines.notebook_pictures import hits_html

        return hits_html(self)


def search(store: VectorStore, request: SearchRequest) -> SearchResults:
    """The stored segments closest to the examples, best first.

    A segment that is closer to a negative than to any positive comes after all others.
    """
    examples = (*request.positives, *request.negatives)
    query = Query(
        using=request.recipe,
        positives=tuple(e.vector for e in request.positives),
        negatives=tuple(e.vector for e in request.negatives),
        where=request.where,
        exclude_ids=frozenset().union(*(e.same_as for e in examples)),
        limit=request.limit,
        offset=request.offset,
        group_by=None if request.per_image is None else "image_id",
        per_group=request.per_image or 1,
    )
    hits = store.query(SEGMENTS, [query])[0]
    segments = [point_to_segment(hit) for hit in hits]
    paths = image_paths(store, segments)
    return SearchResults(
        [
            SearchHit(rank, hit.score, segment, paths.get((segment.dataset, segment.image_id)))
            for rank, (hit, segment) in enumerate(zip(hits, segments, strict=True), request.offset + 1)
        ]
    )


def image_paths(store: VectorStore, segments: Sequence[Segment]) -> dict[tuple[str, str], Path]:
    """Where the images of segments are, by (dataset, image id)."""
    keys = {_image_point_id(*key): key for key in {(s.dataset, s.image_id) for s in segments}}
    points = store.get(IMAGES, list(keys)) if keys else []
    return {keys[p.id]: _path(str(p.payload["path"])) for p in points}


# hits lie in the same images again and again, and both take longer than the engine takes to look one up
_image_point_id = lru_cache(maxsize=16384)(image_point_id)
_path = lru_cache(maxsize=16384)(Path)
