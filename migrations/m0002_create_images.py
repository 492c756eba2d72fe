"""Images: the ledger of what was ingested, one point per image."""

from __future__ import annotations

from samdb.ports import VectorStore
from samdb.stores.layout import LayoutParams, images_spec

NAME = "m0002_create_images"


def apply(store: VectorStore, params: LayoutParams) -> None:
    """Create the collection unless it exists."""
    store.create_collection(images_spec(params.tuning))
