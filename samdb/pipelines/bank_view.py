"""A bank as people look at it: its prototypes, each with the real segment that is closest to it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from samdb.core.bank import BankCard, Prototype
from samdb.core.points import Condition
from samdb.core.segment import Segment
from samdb.pipelines.bank_points import prototype_of, prototypes_where
from samdb.ports import VectorStore
from samdb.stores.codec import point_to_segment
from samdb.stores.layout import BANK, SEGMENTS


@dataclass(frozen=True, slots=True)
class ShownPrototype:
    """A prototype and its exemplar; None where this store does not have that segment."""

    prototype: Prototype
    exemplar: Segment | None


def show_prototypes(
    store: VectorStore, card: BankCard, class_name: str | None = None, limit: int = 1000
) -> list[ShownPrototype]:
    """Up to `limit` prototypes of a bank, of one class if it is given, those that stand for most first.

    Raises BankError when one is damaged.
    """
    where = prototypes_where(card.name, card.version)
    if class_name is not None:
        where = (*where, Condition("class_name", "=", (class_name,)))
    found = [prototype_of(p, card.recipe) for p in store.scroll(BANK, where, (card.recipe,))]
    found.sort(key=lambda p: (p.class_name is None, p.class_name or "", -p.count, p.prototype_id))
    shown = list(islice(found, limit))
    ids = list(dict.fromkeys(p.exemplar_id for p in shown if p.exemplar_id is not None))
    exemplars = {p.id: point_to_segment(p) for p in store.get(SEGMENTS, ids)} if ids else {}
    return [ShownPrototype(p, exemplars.get(p.exemplar_id or "")) for p in shown]
