"""Images that clients brought along: files in a private folder, under names that the server gave them."""

from __future__ import annotations

import tempfile
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from samdb.datasets.images import read_image
from samdb.errors import ImageError
from samdb.server.errors import ApiError, not_found
from samdb.server.options import ServeOptions


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded image: its id, its file, its size (height, width) px, and when it goes unless used."""

    upload_id: str
    path: Path
    size_hw: tuple[int, int]
    n_bytes: int
    expires_at: float


class Uploads:
    """Keeps uploads for a while after they were last used; where all take too much, the oldest goes."""

    def __init__(self, options: ServeOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self._options = options
        self._clock = clock
        self._folder = tempfile.TemporaryDirectory(prefix="samdb-uploads-", ignore_cleanup_errors=True)
        self._held: OrderedDict[str, Upload] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, content: bytes) -> Upload:
        """Keep an image. Raises ApiError 413 when it is too large, 422 when it is no image."""
        options = self._options
        if len(content) > min(options.max_upload_bytes, options.max_uploads_bytes):
            raise ApiError(
                413,
                "too_large",
                f"the file is larger than {options.max_upload_bytes:,} bytes: scale the image down",
            )
        upload_id = str(uuid.uuid4())
        path = Path(self._folder.name) / upload_id
        path.write_bytes(content)
        try:
            height, width = read_image(path, options.max_pixels).shape[
                :2
            ]  # whole: a damaged file is told now
        except ImageError as exc:
            path.unlink(missing_ok=True)
            reason = str(exc).replace(str(path), "the uploaded file")
            if "too large" in reason:
                raise ApiError(413, "too_many_pixels", reason) from exc
            raise ApiError(422, "bad_image", reason) from exc
        expires_at = self._clock() + options.upload_ttl_s
        upload = Upload(upload_id, path, (height, width), len(content), expires_at)
        with self._lock:
            self._held[upload_id] = upload
            self._drop_what_must_go()
        return upload

    def get(self, upload_id: str) -> Upload:
        """An upload, which then stays longer. Raises ApiError 404 when it has gone."""
        with self._lock:
            self._drop_what_must_go()
            upload = self._held.pop(upload_id, None)
            if upload is None:
                raise not_found(f"there is no upload {upload_id}, or no more: upload the image again")
            upload = replace(upload, expires_at=self._clock() + self._options.upload_ttl_s)
            self._held[upload_id] = upload
            return upload

    def drop(self, upload_id: str) -> None:
        """Delete an upload. Raises ApiError 404 when there is none."""
        upload = self.get(upload_id)
        with self._lock:
            self._held.pop(upload_id, None)
        upload.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Delete all uploads and their folder."""
        with self._lock:
            self._held.clear()
        self._folder.cleanup()

    def _drop_what_must_go(self) -> None:
        """Delete what has expired, and the least recently used of what is too much."""
        total = sum(u.n_bytes for u in self._held.values())
        now = self._clock()
        for upload in list(self._held.values()):
            if upload.expires_at > now and total <= self._options.max_uploads_bytes:
                break  # they are in the order of their last use
            del self._held[upload.upload_id]
            total -= upload.n_bytes
            upload.path.unlink(missing_ok=True)
