"""The bank: one point per prototype, in the vector spaces of the segments."""

from __future__ import annotations

from samdb.ports import VectorStore
from samdb.stores.layout import LayoutParams, bank_spec

NAME = "m0003_create_bank"


def apply(store: VectorStore, params: LayoutParams) -> None:
    """Create the collection unless it exists."""
    store.create_collection(bank_spec(params))
