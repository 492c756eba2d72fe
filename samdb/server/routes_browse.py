"""Images, segments and counts: what the store holds, page by page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from samdb.core.where import parse_where
from samdb.pipelines import browse
from samdb.pipelines.segment_map import map_segments
from samdb.server.bodies import Text, Where
from samdb.server.models import (
    Facets,
    ImageInfo,
    ImageList,
    MapAnswer,
    MapPoint,
    SegmentInfo,
    SegmentList,
    SegmentsOfImage,
)
from samdb.server.params import Cursor, Format, ImageKey, PageLimit, Recipe, SegmentId, TheBackend
from samdb.server.showing import answer, show_image, show_segment
from samdb.stores.layout import SEGMENTS

router = APIRouter(prefix="/api", tags=["browse"])


@router.get("/facets", response_model=Facets)
def facets(
    backend: TheBackend,
    key: Annotated[
        list[Text],
        Query(
            max_length=16,
            description="one of `keys` of /api/info, repeatable",
            examples=[["class_name", "timeofday"]],
        ),
    ] = [],  # noqa: B006
    where: Where = [],  # noqa: B006
) -> Response:
    """How many segments match, and how many have each value of some keys."""
    conditions, store = parse_where(where), backend.db.store
    backend.db.check()

    def count() -> Facets:
        counts = browse.count_values(store, key, conditions)
        shown = {name: dict(values) for name, values in counts.items()}
        return Facets(total=store.count(SEGMENTS, conditions), counts=shown)

    return answer(backend.memo.get(("facets", tuple(key), conditions), count))


@router.get("/images", response_model=ImageList)
def images(
    backend: TheBackend,
    where: Where = [],  # noqa: B006
    limit: PageLimit = 50,
    cursor: Cursor = None,
) -> Response:
    """Images, page by page; a filter on a segment's key means images with such a segment."""
    conditions, store = parse_where(where), backend.db.store
    backend.db.check()
    keys = None
    if browse.is_about_segments(conditions):
        keys = backend.memo.get(("images", conditions), lambda: browse.matching_images(store, conditions))
    page = browse.page_images(store, conditions, cursor, limit, keys)
    return answer(
        ImageList(items=[show_image(i) for i in page.images], next=page.next_start, total=page.total)
    )


@router.get("/images/{image_key}")
def image(backend: TheBackend, image_key: ImageKey) -> ImageInfo:
    """One image."""
    return show_image(backend.stored_image(image_key))


@router.get("/images/{image_key}/segments", response_model=SegmentsOfImage)
def segments_of_image(backend: TheBackend, image_key: ImageKey, format: Format = "polygons") -> Response:
    """All segments of an image with their masks, the largest first."""
    found = browse.segments_of(backend.db.store, backend.stored_image(image_key))
    return answer(SegmentsOfImage(items=[show_segment(s, format) for s in found]))


@router.get("/segments", response_model=SegmentList)
def segments(
    backend: TheBackend,
    where: Where = [],  # noqa: B006
    limit: PageLimit = 50,
    cursor: Cursor = None,
) -> Response:
    """Segments without their masks, page by page."""
    conditions, store = parse_where(where), backend.db.store
    backend.db.check()
    page = browse.page_segments(store, conditions, cursor, limit)
    total = backend.memo.get(("count", conditions), lambda: store.count(SEGMENTS, conditions))
    return answer(
        SegmentList(items=[show_segment(s) for s in page.segments], next=page.next_start, total=total)
    )


@router.get("/segments/{segment_id}", response_model=SegmentInfo)
def segment(backend: TheBackend, segment_id: SegmentId, format: Format = "polygons") -> Response:
    """One segment with its mask."""
    return answer(show_segment(backend.stored_segment(segment_id), format))


@router.get("/map", response_model=MapAnswer)
def segment_map(
    backend: TheBackend,
    where: Where = [],  # noqa: B006
    recipe: Recipe = None,
    limit: Annotated[int, Query(ge=1, le=20_000, examples=[5000])] = 5000,
) -> Response:
    """Segments on the plane on which their embeddings differ most."""
    conditions, name = parse_where(where), recipe or backend.default_recipe()
    backend.db.check()

    def make() -> MapAnswer:
        found = map_segments(backend.db.store, name, conditions, limit)
        points = []
        for item, (x, y) in zip(found.segments, found.xy.tolist(), strict=True):
            shown = show_segment(item)
            points.append(
                MapPoint(
                    segment_id=shown.segment_id,
                    image_key=shown.image_key,
                    x=round(x, 5),
                    y=round(y, 5),
                    class_name=shown.class_name,
                    label_source=shown.label_source,
                    granularity=shown.granularity,
                    dataset=shown.dataset,
                    split=shown.split,
                    attributes=shown.attributes,
                )
            )
        return MapAnswer(items=points, explained=list(found.explained), recipe=name)

    return answer(backend.memo.get(("map", name, conditions, limit), make))
