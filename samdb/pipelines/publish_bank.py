"""Write a bank so that it is there in full or not at all, and take one away likewise.

A bank is published by its card, which is written last and deleted first: prototypes without a card belong
to no bank. They are what a process that died left behind, and the next build of that bank sweeps them away.
"""

from __future__ import annotations

from collections.abc import Sequence

from samdb.core.bank import Bank, BankCard
from samdb.core.points import Condition, Point, Where
from samdb.errors import BankError
from samdb.pipelines.bank_points import (
    ACTIVE_ID,
    ACTIVE_KIND,
    CARD_KIND,
    COUNTER_KIND,
    card_id,
    card_of,
    card_point,
    counter_id,
    pointer_of,
    pointer_point,
    prototype_point,
    prototypes_where,
)
from samdb.pipelines.head_store import drop_head, store_head
from samdb.ports import VectorStore
from samdb.stores.layout import BANK, META

_BATCH = 500


def published_cards(store: VectorStore, name: str | None = None) -> list[BankCard]:
    """The cards of all published banks, or of those of one name, by name and version."""
    where: Where = (Condition("kind", "=", (CARD_KIND,)),)
    if name is not None:
        where = (*where, Condition("name", "=", (name,)))
    return sorted((card_of(p) for p in store.scroll(META, where)), key=lambda c: (c.name, c.version))


def reserve_version(store: VectorStore, name: str, at_least: int = 1) -> int:
    """The next version of a bank, never given out before, and not below `at_least`.

    Sweeps away what unfinished builds of this bank left behind.
    """
    published = [card.version for card in published_cards(store, name)]
    leftovers = [Condition("bank", "=", (name,))]
    if published:
        leftovers.append(Condition("version", "!=", tuple(published)))
    store.delete(BANK, where=tuple(leftovers))
    given = [pointer_of(p)[1] for p in store.get(META, [counter_id(name)])]
    version = max([at_least, *(v + 1 for v in (*published, *given))])
    store.upsert(META, [pointer_point(counter_id(name), COUNTER_KIND, name, version)])
    store.flush(META)
    return version


def publish(store: VectorStore, bank: Bank) -> None:
    """Write the head, if there is one, and the prototypes, make them durable, and only then the card.

    Raises BankError, publishing nothing, when another process touched this bank's prototypes meanwhile.
    """
    card = bank.card
    if bank.head is not None:
        store_head(store, bank.head)
    points = [prototype_point(p, card) for p in bank.prototypes]
    for start in range(0, len(points), _BATCH):
        store.upsert(BANK, points[start : start + _BATCH])
    store.flush(BANK)
    found = store.count(BANK, prototypes_where(card.name, card.version))
    if found != card.n_prototypes:
        raise BankError(
            f"bank {card.label} was not published: {card.n_prototypes} prototypes were written but {found} "
            "are there; is another build of the same bank running? Run `samdb bank build` again"
        )
    _write_meta(store, [card_point(card)])


def unpublish(store: VectorStore, card: BankCard) -> None:
    """Take a bank away: first the card, which hides it, then its prototypes, and its head, unless another
    bank has the same."""
    store.delete(META, ids=[card_id(card.name, card.version)])
    store.flush(META)
    if card.head and all(other.head != card.head for other in published_cards(store)):
        drop_head(store, card.head)
    store.delete(BANK, where=prototypes_where(card.name, card.version))
    store.flush(BANK)


def active_version(store: VectorStore) -> tuple[str, int] | None:
    """The (name, version) of the active bank, if one was ever activated."""
    points = store.get(META, [ACTIVE_ID])
    return pointer_of(points[0]) if points else None


def set_active(store: VectorStore, card: BankCard | None) -> None:
    """Make this the active bank; None: no bank is active."""
    if card is None:
        store.delete(META, ids=[ACTIVE_ID])
        store.flush(META)
    else:
        _write_meta(store, [pointer_point(ACTIVE_ID, ACTIVE_KIND, card.name, card.version)])


def _write_meta(store: VectorStore, points: Sequence[Point]) -> None:
    store.upsert(META, points)
    store.flush(META)
