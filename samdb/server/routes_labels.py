"""Naming segments, and taking it back."""

from __future__ import annotations

from fastapi import APIRouter

from samdb.errors import InputError
from samdb.pipelines.relabel import relabel, undo_relabel
from samdb.server.bodies import LabelsIn, UndoIn
from samdb.server.errors import not_found
from samdb.server.models import Changed, Undone
from samdb.server.params import TheBackend

router = APIRouter(prefix="/api/labels", tags=["labels"])


@router.post("")
def label(backend: TheBackend, body: LabelsIn) -> Changed:
    """Give segments a class, marked as `predicted` like those named by `samdb discover`; null takes theirs.

    Parts that inherited a class from them follow. All or none: an unknown segment changes nothing.
    """
    backend.db.check()
    with backend.writing:
        try:
            done = relabel(backend.db.store, body.segment_ids, body.class_name)
        except InputError as exc:
            raise not_found(str(exc)) from exc
        finally:
            backend.memo.forget()
        backend.remember_undo(done.undo_id, done.segment_ids)
    return Changed(changed=done.changed, inherited=done.inherited, undo_id=done.undo_id)


@router.post("/undo")
def undo(backend: TheBackend, body: UndoIn) -> Undone:
    """Take a change back, also one of long ago; segments that were named again since stay as they are."""
    backend.db.check()
    with backend.writing:
        try:
            n = undo_relabel(backend.db.store, body.undo_id, backend.undo.get(body.undo_id, ()))
        except InputError as exc:
            raise not_found(str(exc)) from exc
        finally:
            backend.memo.forget()
    return Undone(changed=n)
