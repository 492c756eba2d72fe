"""What all handlers share: the database, SAM's thread, uploads and pictures."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from fastapi import Request

from samdb.api import DEFAULT_RECIPE, Database
from samdb.api.answering import Answering, answering
from samdb.core.points import IndexKind
from samdb.core.segment import Segment
from samdb.errors import InputError
from samdb.pipelines.browse import StoredImage, one_image, one_segment, stored_recipes
from samdb.pipelines.remembering import RememberingSegmenter
from samdb.server.errors import not_found
from samdb.server.lru import Memo
from samdb.server.options import ServeOptions
from samdb.server.pictures import Pictures
from samdb.server.rate import RateLimit
from samdb.server.sam_worker import SamWorker
from samdb.server.uploads import Uploads
from samdb.stores.layout import LayoutParams, segments_spec
from samdb.stores.migrate import stored_params

_T = TypeVar("_T")
_MOST_UNDOS = 1000


class Backend:
    """One server's state. SAM is loaded by the first job that needs it."""

    def __init__(self, db: Database, options: ServeOptions) -> None:
        self.db = db
        self.options = options
        self.uploads = Uploads(options)
        self.pictures = Pictures(options)
        self.memo = Memo()
        #: one change of labels at a time
        self.writing = threading.Lock()
        self.undo: dict[str, tuple[str, ...]] = {}
        self.sam_rate = RateLimit(options.sam_rate, 3 * options.sam_rate)
        self.sam_loaded = False
        self._worker = SamWorker(options.sam_queue)

    def with_sam(self, request: Request, job: Callable[[], _T]) -> _T:
        """Do what needs SAM, in its own thread. Raises ApiError 429 or 503 when that is too much."""
        who = client_of(request)
        self.sam_rate.take(who)
        return self._worker.run(who, lambda: self._loaded(job))

    def remember_undo(self, undo_id: str, segment_ids: tuple[str, ...]) -> None:
        """Keep which segments a change was of: an undo finds them at once. The store knows them, too."""
        self.undo[undo_id] = segment_ids
        while len(self.undo) > _MOST_UNDOS:
            self.undo.pop(next(iter(self.undo)))

    def layout(self) -> LayoutParams | None:
        """How the store is laid out; None while it is empty."""
        return stored_params(self.db.store)

    def keys(self) -> dict[str, IndexKind]:
        """The payload keys of segments that can be counted and filtered on quickly."""
        held = self.layout()
        return {} if held is None else dict(segments_spec(held).indexes)

    def recipes(self) -> list[str]:
        """The recipes that stored segments have."""
        held = self.layout()
        names = () if held is None else tuple(sorted(held.vectors))
        return self.memo.get("recipes", lambda: stored_recipes(self.db.store, names))

    def default_recipe(self) -> str:
        """The recipe that is compared unless told otherwise: samdb's own, if the store has it."""
        there = self.recipes()
        return DEFAULT_RECIPE if DEFAULT_RECIPE in there or not there else there[0]

    def answering(self, bank: str | None) -> Answering:
        """The bank of that name, or the active one: the built-in one where the store has none."""
        return answering(self.db.store, self.db.settings.model, bank)

    def stored_image(self, image_key: str) -> StoredImage:
        """An image of the ledger. Raises ApiError 404 when there is none."""
        self.db.check()
        try:
            return one_image(self.db.store, image_key)
        except InputError as exc:
            raise not_found(str(exc)) from exc

    def stored_segment(self, segment_id: str) -> Segment:
        """A stored segment. Raises ApiError 404 when there is none."""
        self.db.check()
        try:
            return one_segment(self.db.store, segment_id)
        except InputError as exc:
            raise not_found(str(exc)) from exc

    def close(self) -> None:
        """Finish what is under way and let go of the store."""
        self._worker.close()
        self.uploads.close()
        self.db.close()

    def _loaded(self, job: Callable[[], _T]) -> _T:
        if not self.sam_loaded:
            self.db.segmenter = RememberingSegmenter(self.db.segmenter, self.options.encoded_images)
            self.sam_loaded = True
        return job()


def client_of(request: Request) -> str:
    """Who asks: the address that the connection comes from."""
    return request.client.host if request.client else ""


async def get_backend(request: Request) -> Backend:
    """The server's state, for handlers."""
    backend: Backend = request.app.state.backend
    return backend
