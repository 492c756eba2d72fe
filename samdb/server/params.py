"""Parameters that several routes take."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Depends, Path, Query

from samdb.server.backend import Backend, get_backend
from samdb.server.bodies import UUID_PATTERN, Text, Uuid
from samdb.server.examples import IMAGE_KEY, SEGMENT_ID, UPLOAD_ID
from samdb.server.showing import MaskFormat

TheBackend: TypeAlias = Annotated[Backend, Depends(get_backend)]
ImageKey: TypeAlias = Annotated[str, Path(pattern=UUID_PATTERN, examples=[IMAGE_KEY])]
SegmentId: TypeAlias = Annotated[str, Path(pattern=UUID_PATTERN, examples=[SEGMENT_ID])]
UploadId: TypeAlias = Annotated[str, Path(pattern=UUID_PATTERN, examples=[UPLOAD_ID])]
Recipe: TypeAlias = Annotated[
    Text | None, Query(description="default: `default_recipe` of /api/info", examples=["blend"])
]
Format: TypeAlias = Annotated[MaskFormat, Query(description="how masks are written", examples=["polygons"])]
#: of lists that come page by page
PageLimit: TypeAlias = Annotated[int, Query(ge=1, le=500, examples=[50])]
Cursor: TypeAlias = Annotated[
    Uuid | None, Query(description="`next` of the page before", examples=[SEGMENT_ID])
]
