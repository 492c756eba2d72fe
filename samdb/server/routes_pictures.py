"""Pictures of images, segments and uploads, as JPEG; and the uploads themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, File, Query, Request, UploadFile
from starlette.responses import Response

from samdb.core.ids import image_point_id
from samdb.server.backend import client_of
from samdb.server.models import ErrorAnswer, UploadInfo
from samdb.server.params import ImageKey, SegmentId, TheBackend, UploadId
from samdb.server.pictures import MAX_SIDE_PX, Picture
from samdb.server.showing import answer

router = APIRouter(prefix="/api", tags=["pictures"])

Side: TypeAlias = Annotated[
    int, Query(ge=16, le=1024, description="the picture's longest side, px", examples=[192])
]
AnySide: TypeAlias = Annotated[
    int | None,
    Query(
        ge=16,
        le=MAX_SIDE_PX,
        description=f"longest side, px; default: as large as it is, to {MAX_SIDE_PX}",
        examples=[1600],
    ),
]
Responses: TypeAlias = dict[int | str, dict[str, Any]]  # FastAPI's own type
#: how long a browser need not ask again: a segment's mask and its image change only when it is cut anew
_FRESH = "private, max-age=3600"


_JPEG: Responses = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
    304: {"description": "what the browser has is what it would get (ETag)"},
    410: {"model": ErrorAnswer, "description": "the image's file is gone, or was changed since"},
}

Picked: TypeAlias = Annotated[UploadFile, File(description="a JPEG, PNG, WebP or other picture")]
_UPLOAD: Responses = {
    413: {"model": ErrorAnswer, "description": "too many bytes or pixels"},
    429: {"model": ErrorAnswer, "description": "too many uploads of this client: see Retry-After"},
}


@router.get("/images/{image_key}/file", response_class=Response, responses=_JPEG)
def image_file(request: Request, backend: TheBackend, image_key: ImageKey, side: AnySide = None) -> Response:
    """The upright image."""
    picture = backend.pictures.of(backend.stored_image(image_key))
    return _jpeg(request, (picture.content, side), lambda: backend.pictures.whole(picture, side))


@router.get("/segments/{segment_id}/crop", response_class=Response, responses=_JPEG)
def segment_crop(
    request: Request,
    backend: TheBackend,
    segment_id: SegmentId,
    side: Side = 192,
    context: Annotated[
        float,
        Query(
            ge=1, le=20, allow_inf_nan=False, description="how much is shown: times the box", examples=[1.6]
        ),
    ] = 1.6,
    outline: Annotated[
        bool, Query(description="outline the segment, dim what is around it", examples=[True])
    ] = True,
) -> Response:
    """The segment in its surroundings."""
    segment = backend.stored_segment(segment_id)
    picture = backend.pictures.of(backend.stored_image(image_point_id(segment.dataset, segment.image_id)))
    name = (picture.content, segment.segment_id, segment.mask.counts, side, context, outline)
    return _jpeg(request, name, lambda: backend.pictures.crop(picture, segment, side, context, outline))


@router.post("/uploads", status_code=201, response_model=UploadInfo, responses=_UPLOAD)
def upload(
    request: Request,
    backend: TheBackend,
    file: Picked,
) -> Response:
    """Bring an image along, to search by what it shows. It is kept for a while, and stored nowhere else."""
    backend.sam_rate.take(client_of(request))
    held = backend.uploads.add(file.file.read(backend.options.max_upload_bytes + 1))
    height, width = held.size_hw
    ttl_s = round(backend.options.upload_ttl_s)
    return answer(UploadInfo(upload_id=held.upload_id, width=width, height=height, expires_in_s=ttl_s), 201)


@router.get("/uploads/{upload_id}/file", response_class=Response, responses=_JPEG)
def upload_file(request: Request, backend: TheBackend, upload_id: UploadId, side: AnySide = None) -> Response:
    """An uploaded image, upright."""
    picture = Picture(upload_id, backend.uploads.get(upload_id).path)
    return _jpeg(request, (upload_id, side), lambda: backend.pictures.whole(picture, side))


@router.delete("/uploads/{upload_id}", status_code=204)
def drop_upload(backend: TheBackend, upload_id: UploadId) -> Response:
    """Forget an uploaded image."""
    backend.uploads.drop(upload_id)
    return Response(status_code=204)


def _jpeg(request: Request, name: tuple[object, ...], draw: Callable[[], bytes]) -> Response:
    """The picture of that name, unless the browser has it."""
    tag = '"' + hashlib.sha256(repr(name).encode()).hexdigest()[:32] + '"'
    headers = {"ETag": tag, "Cache-Control": _FRESH}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(draw(), headers=headers, media_type="image/jpeg")
