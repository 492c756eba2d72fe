"""A real server in a thread of this process, and what to ask it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from samdb.api import Database
from samdb.config import load_settings
from samdb.ports import Segmenter
from samdb.server.options import ServeOptions
from samdb.server.serve import served


@contextmanager
def client_of(
    store: str, segmenter: Segmenter | None = None, options: ServeOptions | None = None, prefix: str = ""
) -> Iterator[httpx.Client]:
    """A client of a server of that store, which is closed in the end."""
    db = Database(load_settings({"store": store, "store_prefix": prefix, "model": "vit_t"}))
    if segmenter is not None:
        db.segmenter = segmenter
    with (
        served(db, options or ServeOptions()) as address,
        httpx.Client(base_url=address, timeout=120, trust_env=False) as client,
    ):
        yield client
