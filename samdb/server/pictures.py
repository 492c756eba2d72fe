"""Pictures that are shown: only images of the ledger and uploads, scaled down, as JPEG."""

from __future__ import annotations

import stat
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samdb.core.segment import Segment
from samdb.datasets.images import read_image
from samdb.errors import ImageError
from samdb.pipelines.browse import StoredImage
from samdb.pipelines.ledger import file_sha256
from samdb.reports.crop import draw_crop, jpeg_bytes, scaled_down
from samdb.server.errors import ApiError
from samdb.server.lru import SizedCache
from samdb.server.options import ServeOptions

#: images that are decoded at the same time: each may take half a gigabyte
_DECODERS = 2
#: the longest side of a picture of an image; a larger one helps no screen
MAX_SIDE_PX = 4096
_VERIFIED = 100_000


@dataclass(frozen=True, slots=True)
class Picture:
    """An image file that may be shown: what names its content (for caches), and where it is."""

    content: str
    path: Path


class Pictures:
    """Draws pictures and keeps those drawn lately."""

    def __init__(self, options: ServeOptions) -> None:
        self._jpegs: SizedCache[bytes] = SizedCache(options.picture_cache_bytes, len)
        self._pixels: SizedCache[NDArray[np.uint8]] = SizedCache(
            options.pixel_cache_bytes, lambda a: a.nbytes
        )
        self._verified: SizedCache[bool] = SizedCache(_VERIFIED, lambda _: 1)
        self._decoders = threading.Semaphore(_DECODERS)

    def of(self, image: StoredImage) -> Picture:
        """The file of a stored image, if it is still what was ingested. Raises ApiError 410 if not."""
        path, sha256 = image.entry.path, image.entry.sha256
        try:
            found = path.stat()
            if not stat.S_ISREG(found.st_mode):
                raise OSError
        except OSError as exc:
            raise ApiError(
                410,
                "image_gone",
                f"the file of {image.entry.image_id} is not there any more: put it back, or ingest again",
            ) from exc
        key = (str(path), sha256, found.st_mtime_ns, found.st_size)
        if self._verified.get(key) is None:
            if file_sha256(path) != sha256:
                raise ApiError(
                    410,
                    "image_changed",
                    f"the file of {image.entry.image_id} has changed since it was ingested, and its "
                    "segments do not fit it any more: run `samdb ingest` again",
                )
            self._verified.put(key, True)
        return Picture(sha256, path)

    def whole(self, picture: Picture, side_px: int | None) -> bytes:
        """An image as JPEG, its longest side at most `side_px`. Raises ApiError 422 when it is no image."""
        side = min(side_px or MAX_SIDE_PX, MAX_SIDE_PX)
        key = (picture.content, side)
        found = self._jpegs.get(key)
        return found or self._jpegs.put(key, jpeg_bytes(scaled_down(self._read(picture), side)))

    def crop(self, picture: Picture, segment: Segment, side_px: int, context: float, outline: bool) -> bytes:
        """A segment in its surroundings, as JPEG."""
        key = (picture.content, segment.segment_id, segment.mask.counts, side_px, context, outline)
        found = self._jpegs.get(key)
        if found is not None:
            return found
        pixels = self._read(picture)
        if pixels.shape[:2] != segment.mask.size_hw:
            raise ApiError(
                410, "image_changed", "the image has another size than the segment: run `samdb ingest` again"
            )
        drawn = draw_crop(pixels, segment.mask, segment.box_xyxy, side_px, context, outline)
        return self._jpegs.put(key, jpeg_bytes(drawn))

    def _read(self, picture: Picture) -> NDArray[np.uint8]:
        found = self._pixels.get(picture.content)
        if found is not None:
            return found
        with self._decoders:
            found = self._pixels.get(picture.content)  # of who was here first
            if found is None:
                try:
                    found = self._pixels.put(picture.content, read_image(picture.path))
                except ImageError as exc:
                    raise ApiError(422, "bad_image", str(exc)) from exc
        return found
