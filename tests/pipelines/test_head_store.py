"""Heads in the store."""

from __future__ import annotations

import base64
from dataclasses import replace

import numpy as np
import pytest

from samdb.bank.head_file import compact, head_fingerprint, head_to_bytes
from samdb.core.bank import BankCard
from samdb.core.head import Head, Layer
from samdb.core.points import Condition
from samdb.errors import BankError
from samdb.pipelines import head_store
from samdb.pipelines.head_store import drop_head, load_head, store_head
from samdb.stores.layout import META
from tests.bank.worlds import bank_of, prototype, unit
from tests.pipelines.bank_worlds import memory_store

HEADS = (Condition("kind", "=", ("head",)),)


def head_of(width: int) -> Head:
    """A linear head of four numbers to `width`."""
    weight = np.random.default_rng(width).normal(size=(width, 4))
    layer = Layer(weight.astype(np.float32), np.zeros(width, dtype=np.float32))
    zeros = np.zeros(4, dtype=np.float32)
    return compact(Head(("neck",), zeros, zeros + 1, ((layer,),), np.eye(width, dtype=np.float32)))


def card_with(fingerprint: str) -> BankCard:
    """The card of a bank with this head."""
    card = bank_of([prototype("a", unit(1, 0), "car")]).card
    return replace(card, head=fingerprint, inputs=("neck",))


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_store, "_recent", {})
    monkeypatch.setattr(head_store, "_PIECE", 100)


def test_a_head_comes_back_from_its_pieces() -> None:
    store, head = memory_store(), head_of(30)
    fingerprint = store_head(store, head)
    assert fingerprint == head_fingerprint(head)
    assert store.count(META, HEADS) > 5
    again = load_head(store, card_with(fingerprint))
    assert again is not None
    assert head_to_bytes(again) == head_to_bytes(head)
    store_head(store, head)
    drop_head(store, fingerprint)
    assert store.count(META, HEADS) == 0


def test_a_bank_without_a_head_has_none() -> None:
    assert load_head(memory_store(), bank_of([prototype("a", unit(1, 0), "car")]).card) is None


def test_a_head_that_lost_a_piece_is_not_there() -> None:
    store = memory_store()
    fingerprint = store_head(store, head_of(30))
    store.delete(META, ids=[next(iter(store.scroll(META, HEADS))).id])
    with pytest.raises(BankError, match="not there in full"):
        load_head(store, card_with(fingerprint))


def test_a_head_whose_bytes_changed_is_damaged() -> None:
    store, head = memory_store(), head_of(30)
    fingerprint = store_head(store, head)
    last = max(store.scroll(META, HEADS), key=lambda p: int(str(p.payload["part"])))
    text = base64.b64decode(str(last.payload["text"]))
    changed = base64.b64encode(text[:-1] + bytes([text[-1] ^ 1])).decode()
    store.set_payload(META, [last.id], {"text": changed})
    with pytest.raises(BankError, match="is damaged"):
        load_head(store, card_with(fingerprint))
