"""The nouns of samdb as the API shows them."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import BaseModel
from starlette.responses import Response

from samdb.core.ids import image_point_id
from samdb.core.masks import Rle
from samdb.core.outlines import mask_outlines
from samdb.core.segment import Segment
from samdb.pipelines.browse import StoredImage
from samdb.server.models import ImageInfo, Mask, SegmentInfo

MaskFormat: TypeAlias = Literal["polygons", "rle"]


def answer(model: BaseModel, status: int = 200) -> Response:
    """A model as JSON. The framework would check it a second time and write it slower: 50 hits in 2.5 ms."""
    return Response(model.model_dump_json(), status, media_type="application/json")


def show_mask(mask: Rle) -> Mask:
    """A mask."""
    return Mask(size=mask.size_hw, counts=mask.counts)


def show_image(image: StoredImage) -> ImageInfo:
    """An image of the ledger."""
    height, width = image.size_hw or (None, None)
    return ImageInfo(
        image_key=image.image_key,
        dataset=image.dataset,
        split=image.split,
        image_id=image.entry.image_id,
        width=width,
        height=height,
        n_segments=image.entry.n_segments,
        status=image.entry.status,
        reason=image.entry.reason,
        attributes=dict(image.attributes),
    )


def show_segment(segment: Segment, format: MaskFormat | None = None) -> SegmentInfo:
    """A stored segment, with its mask in that format."""
    return SegmentInfo(
        segment_id=segment.segment_id,
        image_key=image_point_id(segment.dataset, segment.image_id),
        dataset=segment.dataset,
        split=segment.split,
        image_id=segment.image_id,
        box_xyxy=list(segment.box_xyxy),
        area_px=segment.area_px,
        granularity=segment.granularity,
        parent_id=segment.parent_id,
        class_name=segment.class_name,
        label_source=segment.label_source,
        predicted_iou=segment.predicted_iou,
        stability_score=segment.stability_score,
        attributes=dict(segment.attributes),
        flags=list(segment.flags),
        polygons=mask_outlines(segment.mask) if format == "polygons" else None,
        mask=show_mask(segment.mask) if format == "rle" else None,
    )
