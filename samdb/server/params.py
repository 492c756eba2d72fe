"""Parameters that several routes take."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Depends, Path

from samdb.server.backend import Backend, get_backend
from samdb.server.bodies import UUID_PATTERN

_EXAMPLE = "d497a240-d8c5-5c80-84cd-32227648fc6e"

TheBackend: TypeAlias = Annotated[Backend, Depends(get_backend)]
ImageKey: TypeAlias = Annotated[str, Path(pattern=UUID_PATTERN, examples=[_EXAMPLE])]
SegmentId: TypeAlias = Annotated[str, Path(pattern=UUID_PATTERN, examples=[_EXAMPLE])]
UploadId: TypeAlias = Annotated[str, Path(pattern=UUID_PATTERN, examples=[_EXAMPLE])]
