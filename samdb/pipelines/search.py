"""Search by example: "segments like this one"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samdb.core.boxes import box_problem
from samdb.core.ids import image_point_id
from samdb.core.points import Point, Query, Where
from samdb.core.prompt import MaskCandidate, Prompt
from samdb.core.segment import Segment
from samdb.core.vectors import Vector
from samdb.errors import ConfigError, InputError
from samdb.ports import Segmenter, VectorStore
from samdb.stores.codec import point_to_segment
from samdb.stores.layout import IMAGES, SEGMENTS


@dataclass(frozen=True, slots=True)
class Example:
    """A segment to search by: its embedding, and where it is stored, if it is."""

    vector: Vector
    segment_id: str | None = None


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
    limit: int = 24
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


def search(store: VectorStore, request: SearchRequest) -> list[SearchHit]:
    """The stored segments closest to the examples, best first.

    Raises InputError when nothing stored has an embedding of that recipe.
    """
    examples = (*request.positives, *request.negatives)
    query = Query(
        using=request.recipe,
        positives=tuple(e.vector for e in request.positives),
        negatives=tuple(e.vector for e in request.negatives),
        where=request.where,
        exclude_ids=frozenset(e.segment_id for e in examples if e.segment_id is not None),
        limit=request.limit,
        offset=request.offset,
        group_by=None if request.per_image is None else "image_id",
        per_group=request.per_image or 1,
    )
    hits = store.query(SEGMENTS, [query])[0]
    segments = [point_to_segment(Point(h.id, {}, h.payload)) for h in hits]
    paths = image_paths(store, segments)
    return [
        SearchHit(request.offset + i, hit.score, segment, paths.get((segment.dataset, segment.image_id)))
        for i, (hit, segment) in enumerate(zip(hits, segments, strict=True), 1)
    ]


def stored_example(store: VectorStore, segment_id: str, recipe: str) -> tuple[Example, Segment]:
    """A stored segment as an example.

    Raises InputError when there is no such segment, or when it was stored without that recipe.
    """
    found = store.get(SEGMENTS, [segment_id], [recipe])
    if not found:
        raise InputError(
            f"there is no segment {segment_id} in {store.address}; "
            "`samdb search --json` and `samdb classify --json` print segment ids"
        )
    vector = found[0].vectors.get(recipe)
    if vector is None:
        raise InputError(
            f"segment {segment_id} has no {recipe!r} embedding: search with another --recipe, "
            f"or ingest again with --recipes {recipe}"
        )
    return Example(np.asarray(vector, dtype=np.float32), segment_id), point_to_segment(found[0])


def prompted_examples(
    segmenter: Segmenter, pixels: NDArray[np.uint8], prompts: Sequence[Prompt], recipe: str
) -> list[tuple[Example, MaskCandidate]]:
    """What SAM cuts out of an RGB image (H, W, 3) for each prompt, as an example, with its mask.

    For a box or a mask that is SAM's single-mask answer, for points the mask it believes in most. Raises
    InputError when a prompt lies outside the image or SAM finds nothing there.
    """
    image = segmenter.encode(pixels)
    for prompt in prompts:
        _check_inside(prompt, image.size_hw)
    chosen: list[MaskCandidate] = []
    for prompt, candidates in zip(prompts, segmenter.prompt(image, prompts), strict=True):
        if not candidates:
            raise InputError("SAM finds no mask there: give another box or point")
        by_points = prompt.kind == "point"
        chosen.append(max(candidates, key=lambda c: c.predicted_iou) if by_points else candidates[0])
    vectors = segmenter.embed(image, chosen, (recipe,))
    return [(Example(v[recipe]), c) for v, c in zip(vectors, chosen, strict=True)]


def image_paths(store: VectorStore, segments: Sequence[Segment]) -> dict[tuple[str, str], Path]:
    """Where the images of segments are, by (dataset, image id)."""
    keys = list(dict.fromkeys((s.dataset, s.image_id) for s in segments))
    points = store.get(IMAGES, [image_point_id(*key) for key in keys]) if keys else []
    return {
        (str(p.payload["dataset"]), str(p.payload["image_id"])): Path(str(p.payload["path"])) for p in points
    }


def _check_inside(prompt: Prompt, size_hw: tuple[int, int]) -> None:
    height, width = size_hw
    if prompt.box_xyxy is not None and (fault := box_problem(prompt.box_xyxy)):
        raise InputError(f"{fault}; give X0,Y0,X1,Y1 in pixels of the image")
    corners = [] if prompt.box_xyxy is None else [prompt.box_xyxy[:2], prompt.box_xyxy[2:]]
    for x, y in [*prompt.points_xy, *corners]:
        if not (0 <= x <= width and 0 <= y <= height):
            raise InputError(f"({x:g}, {y:g}) lies outside the image of {width}x{height} px")
