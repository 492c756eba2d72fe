"""Filling a store for the first time: its vector indexes are built once, at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from samdb.errors import StoreError
from samdb.ports import Progress, VectorStore, silent
from samdb.stores.layout import SEGMENTS


@contextmanager
def bulk_load(store: VectorStore, on_progress: Progress = silent) -> Iterator[None]:
    """Index no segment within this block, and all of them at its end, told to `on_progress`.

    When the block fails the store goes on to index by itself, as ever. A process that is killed cannot see to
    that: the next ingest does, or `samdb store optimize`.
    """
    store.defer_indexes(SEGMENTS)
    try:
        yield
    except BaseException:
        with suppress(StoreError):  # what made it fail is worth more
            store.resume_indexes(SEGMENTS)
        raise
    store.optimize(SEGMENTS, on_progress)
