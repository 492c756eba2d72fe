"""The banks of a store: list, show, load, activate, delete, export and import them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from samdb.bank.artefact import read_bank_file, write_bank_file
from samdb.core.bank import Bank, BankCard, check_bank_name
from samdb.core.head import Head
from samdb.core.ids import make_id
from samdb.errors import BankError, ConfigError
from samdb.pipelines.bank_points import card_id, card_of, prototype_of, prototypes_where
from samdb.pipelines.classify_segments import check_bank_fits
from samdb.pipelines.head_store import load_head
from samdb.pipelines.project import make_active
from samdb.pipelines.publish_bank import (
    active_version,
    publish,
    published_cards,
    reserve_version,
    set_active,
    unpublish,
)
from samdb.ports import VectorStore
from samdb.stores.layout import BANK, META


@dataclass(frozen=True, slots=True)
class BankListing:
    """A published bank, whether it is the active one, and whether it came with samdb."""

    card: BankCard
    active: bool
    built_in: bool = False


def active_head(store: VectorStore, fingerprint: str) -> tuple[Head | None, str]:
    """The active bank's head and its fingerprint, if it has one that is for the model of `fingerprint`."""
    active = [b.card for b in list_banks(store) if b.active and b.card.head]
    if not active or active[0].fingerprint not in ("", fingerprint):
        return None, ""
    return load_head(store, active[0]), active[0].head


def list_banks(store: VectorStore) -> list[BankListing]:
    """All published banks, by name and version."""
    active = active_version(store)
    return [BankListing(card, (card.name, card.version) == active) for card in published_cards(store)]


def show_bank(store: VectorStore, bank: str | None = None) -> BankCard:
    """The card of a bank.

    `bank` is `name@version`, or a name, which means its newest version, or None, which means the active
    one. Raises BankError when there is none, ConfigError when `bank` cannot be read.
    """
    if bank is None:
        return _active_card(store)
    name, version = _parse(bank)
    if version is None:
        cards = published_cards(store, name)
        if cards:
            return cards[-1]
    else:
        points = store.get(META, [card_id(name, version)])
        if points:
            return card_of(points[0])
    known = ", ".join(card.label for card in published_cards(store))
    advice = f"there are {known}" if known else "there is none yet: build one with `samdb bank build`"
    raise BankError(f"there is no bank {bank} in {store.address}; {advice}")


def load_bank(store: VectorStore, bank: str | None = None) -> Bank:
    """A bank with its prototypes; `bank` as for `show_bank`. Raises BankError when it is damaged."""
    card = show_bank(store, bank)
    points = store.scroll(BANK, prototypes_where(card.name, card.version), (card.recipe,))
    prototypes = sorted((prototype_of(p, card.recipe) for p in points), key=lambda p: p.prototype_id)
    if len(prototypes) != card.n_prototypes:
        raise BankError(
            f"bank {card.label} is damaged: {len(prototypes)} of its {card.n_prototypes} prototypes are "
            "there; build it again with `samdb bank build`"
        )
    return Bank(card, tuple(prototypes), load_head(store, card))


def load_active_bank(store: VectorStore) -> Bank:
    """The active bank. Raises BankError when no bank is active."""
    return load_bank(store)


def activate_bank(
    store: VectorStore,
    bank: str,
    *,
    fingerprint: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> BankCard:
    """Make a bank the one that `classify` uses unless told otherwise; `bank` as for `show_bank`.

    A bank with a head first gives every stored segment its projected vector. `fingerprint` names the model
    that embedded them. Raises BankError when such a bank was made for another model or for other recipes.
    """
    card = show_bank(store, bank)
    if card.head:
        check_bank_fits(card, model=card.model, fingerprint=fingerprint)
    make_active(store, card, progress)
    return card


def delete_bank(store: VectorStore, bank: str, *, force: bool = False) -> BankCard:
    """Delete one version, named `name@version`. Its number is never used again.

    Raises BankError when it is the active one, unless `force`: then no bank is active afterwards.
    """
    name, version = _parse(bank)
    if version is None:
        raise ConfigError(f"which version of {name!r} is to be deleted? Write it like {name}@1")
    card = show_bank(store, bank)
    if active_version(store) == (card.name, card.version):
        if not force:
            raise BankError(
                f"bank {card.label} is the active one: activate another with `samdb bank activate`, "
                "or delete it with --force"
            )
        set_active(store, None)
    unpublish(store, card)
    return card


def export_bank(store: VectorStore, path: Path, bank: str | None = None) -> BankCard:
    """Write a bank to one safetensors file, replacing it; `bank` as for `show_bank`."""
    found = load_bank(store, bank)
    write_bank_file(found, path)
    return found.card


def import_bank(
    store: VectorStore,
    path: Path,
    *,
    name: str | None = None,
    activate: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> BankCard:
    """Publish the bank of a file, under its own name or `name`.

    It keeps its version when that is newer than all that the store has had of this name; otherwise it gets
    the next one. Raises BankError when the file is damaged, or the store has no such vectors.
    """
    bank = read_bank_file(path)
    name = _checked(name or bank.card.name)
    card = bank.card
    version = reserve_version(store, name, at_least=card.version)
    if (name, version) != (card.name, card.version):
        card = replace(card, name=name, version=version)
        # ids name the bank and version that a prototype belongs to: another version needs others
        renamed = [
            replace(p, prototype_id=make_id("imported", name, str(version), p.prototype_id))
            for p in bank.prototypes
        ]
        bank = Bank(card, tuple(sorted(renamed, key=lambda p: p.prototype_id)), bank.head)
    publish(store, bank)
    if activate:
        make_active(store, card, progress)
    return card


def _active_card(store: VectorStore) -> BankCard:
    active = active_version(store)
    if active is None:
        raise BankError(
            f"no bank is active in {store.address}: build one with `samdb bank build`, "
            "or choose one with `samdb bank activate`"
        )
    points = store.get(META, [card_id(*active)])
    if not points:
        raise BankError(
            f"the active bank {active[0]}@{active[1]} is no longer there: choose another with "
            "`samdb bank activate`"
        )
    return card_of(points[0])


def _parse(bank: str) -> tuple[str, int | None]:
    name, at, version = bank.partition("@")
    if at and not (version.isdecimal() and int(version) >= 1):
        raise ConfigError(f"cannot read the bank {bank!r}: write name or name@version, such as default@2")
    return _checked(name), int(version) if at else None


def _checked(name: str) -> str:
    try:
        check_bank_name(name)
    except ValueError as exc:
        raise ConfigError(str(exc)) from exc
    return name
