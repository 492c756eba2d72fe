"""A bank as points: prototypes in the bank collection, its card and the pointer to the active one in meta."""

from __future__ import annotations

from typing import Final, get_args

from samdb.bank.card import card_from_json, card_to_json
from samdb.bank.parse import optional_text, text, whole
from samdb.core.bank import BankCard, Prototype, PrototypeOrigin
from samdb.core.ids import make_id
from samdb.core.points import Condition, Payload, Point, Where
from samdb.core.segment import GRANULARITIES, Granularity
from samdb.errors import BankError

CARD_KIND: Final = "bank_card"
ACTIVE_KIND: Final = "active_bank"
COUNTER_KIND: Final = "bank_counter"

#: there is one active bank in a store
ACTIVE_ID: Final = make_id(ACTIVE_KIND)


def card_id(name: str, version: int) -> str:
    """The id of a card's point."""
    return make_id(CARD_KIND, name, str(version))


def counter_id(name: str) -> str:
    """The id of the point that remembers the last version given out, so that none is given twice."""
    return make_id(COUNTER_KIND, name)


def card_point(card: BankCard) -> Point:
    """The point of a card; it exists, therefore the bank is published."""
    payload: Payload = {
        "kind": CARD_KIND,
        "name": card.name,
        "version": card.version,
        "model": card.model,
        "recipe": card.recipe,
        "created_at": card.created_at,
        "card": card_to_json(card),
    }
    return Point(card_id(card.name, card.version), {}, payload)


def card_of(point: Point) -> BankCard:
    """The card of a card's point. Raises BankError when it is damaged."""
    return card_from_json(str(point.payload.get("card", "")))


def pointer_point(point_id: str, kind: str, name: str, version: int) -> Point:
    """A point that names a version of a bank."""
    return Point(point_id, {}, {"kind": kind, "name": name, "version": version})


def pointer_of(point: Point) -> tuple[str, int]:
    """The (name, version) that such a point names. Raises BankError when it is damaged."""
    try:
        return text(point.payload.get("name")), whole(point.payload.get("version"))
    except ValueError as exc:
        raise BankError(
            f"a pointer to a bank is damaged ({exc}): run `samdb bank activate` to set the active bank again"
        ) from exc


def prototype_point(prototype: Prototype, card: BankCard) -> Point:
    """The point of a prototype of the bank of `card`; background has no class_name and no threshold."""
    payload: dict[str, str | int | float] = {
        "bank": card.name,
        "version": card.version,
        "granularity": prototype.granularity,
        "count": prototype.count,
        "origin": prototype.origin,
    }
    if prototype.class_name is not None:
        payload["class_name"] = prototype.class_name
        payload["threshold"] = card.thresholds.get(prototype.class_name, 0.0)
    if prototype.exemplar_id is not None:
        payload["exemplar_id"] = prototype.exemplar_id
    return Point(prototype.prototype_id, {card.recipe: prototype.vector}, payload)


def prototype_of(point: Point, recipe: str) -> Prototype:
    """The prototype of a point read with its vector. Raises BankError when it is damaged."""
    granularity: dict[str, Granularity] = {g: g for g in GRANULARITIES}
    origin: dict[str, PrototypeOrigin] = {o: o for o in get_args(PrototypeOrigin)}
    payload = point.payload
    try:
        return Prototype(
            prototype_id=point.id,
            vector=point.vectors[recipe],
            class_name=optional_text(payload.get("class_name")),
            granularity=granularity[text(payload.get("granularity"))],
            count=whole(payload.get("count")),
            origin=origin[text(payload.get("origin"))],
            exemplar_id=optional_text(payload.get("exemplar_id")),
        )
    except (KeyError, ValueError) as exc:
        raise BankError(
            f"prototype {point.id} is damaged ({exc}): build the bank again with `samdb bank build`"
        ) from exc


def prototypes_where(name: str, version: int) -> Where:
    """The filter that finds the prototypes of one version."""
    return (Condition("bank", "=", (name,)), Condition("version", "=", (version,)))
