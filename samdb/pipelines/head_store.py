"""Heads in the store: records of the meta collection, named by their fingerprint, which banks may share."""

from __future__ import annotations

import base64
from typing import Final

from samdb.bank.head_file import head_fingerprint, head_of_bytes, head_to_bytes
from samdb.core.bank import BankCard
from samdb.core.head import Head
from samdb.core.ids import make_id
from samdb.core.points import Condition, Point, Where
from samdb.errors import BankError
from samdb.ports import VectorStore
from samdb.stores.layout import META

HEAD_KIND: Final = "head"

# bytes per record: small beside the 32 MB that a Qdrant server takes in one request
_PIECE = 3 << 18
# heads that were read lately, by fingerprint: one is some megabytes of text, and classifying a folder asks
# for the same one for every image
_recent: dict[str, Head] = {}
_MOST_RECENT = 4


def store_head(store: VectorStore, head: Head) -> str:
    """Write a head, durably, and give its fingerprint. Writing it again changes nothing."""
    content, fingerprint = head_to_bytes(head), head_fingerprint(head)
    starts = range(0, len(content), _PIECE)
    for part, start in enumerate(starts):
        text = base64.b64encode(content[start : start + _PIECE]).decode("ascii")
        payload: dict[str, str | int] = {
            "kind": HEAD_KIND,
            "name": fingerprint,
            "part": part,
            "parts": len(starts),
            "text": text,
        }
        store.upsert(META, [Point(make_id(HEAD_KIND, fingerprint, str(part)), {}, payload)])
    store.flush(META)
    return fingerprint


def load_head(store: VectorStore, card: BankCard) -> Head | None:
    """The head of a bank, None when it has none. Raises BankError when it is missing or damaged."""
    if not card.head:
        return None
    if card.head not in _recent:
        parts = {p.payload["part"]: p.payload for p in store.scroll(META, _where(card.head))}
        if not parts or len(parts) != next(iter(parts.values()))["parts"]:
            raise BankError(
                f"the head of bank {card.label} is not there in full: import the bank again, or train it "
                "again with `samdb bank train`"
            )
        text = [str(parts[i]["text"]) for i in range(len(parts))]
        head = head_of_bytes(b"".join(base64.b64decode(t) for t in text))
        if head_fingerprint(head) != card.head:
            raise BankError(
                f"the head of bank {card.label} is damaged: import the bank again, or train it again with "
                "`samdb bank train`"
            )
        while len(_recent) >= _MOST_RECENT:
            _recent.pop(next(iter(_recent)))
        _recent[card.head] = head
    return _recent[card.head]


def drop_head(store: VectorStore, fingerprint: str) -> None:
    """Delete a head that no bank uses any more."""
    store.delete(META, where=_where(fingerprint))
    store.flush(META)


def _where(fingerprint: str) -> Where:
    return (Condition("kind", "=", (HEAD_KIND,)), Condition("name", "=", (fingerprint,)))
