"""Segments: one point per segment, one named vector per recipe of the model."""

from __future__ import annotations

from samdb.ports import VectorStore
from samdb.stores.layout import LayoutParams, segments_spec

NAME = "m0001_create_segments"


def apply(store: VectorStore, params: LayoutParams) -> None:
    """Create the collection unless it exists."""
    store.create_collection(segments_spec(params))
