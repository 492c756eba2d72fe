"""Which bank answers: one of the store's, or the one in the box."""

from __future__ import annotations

from dataclasses import dataclass

from samdb import wiring
from samdb.bank.built_in import BUILT_IN_NAME, built_in_bank
from samdb.core.bank import BankCard
from samdb.errors import BankError, StoreLayoutError
from samdb.pipelines.bank_versions import BankListing, list_banks, show_bank
from samdb.pipelines.publish_bank import active_version, published_cards
from samdb.ports import VectorStore
from samdb.stores.migrate import check_layout, stored_params


@dataclass(frozen=True, slots=True)
class Answering:
    """A bank and the store that holds it; the built-in one lies in a store of its own, in memory."""

    store: VectorStore
    card: BankCard
    built_in: bool

    @property
    def pair(self) -> tuple[VectorStore, BankCard]:
        """The store and the card."""
        return self.store, self.card


def answering(store: VectorStore, model: str, bank: str | None) -> Answering:
    """The bank that `bank` names (None: the active one). Where the store has no active bank, or was never
    laid out, the built-in one answers; by its name it can always be had.

    Raises BankError when there is none, or only the built-in one, which is for another model,
    StoreLayoutError when one is named and the store is empty.
    """
    laid_out = stored_params(store) is not None
    if laid_out:
        check_layout(store, model)
    if laid_out and not _means_built_in(store, bank):
        return Answering(store, show_bank(store, bank), False)
    if not laid_out and bank is not None and not names_built_in(bank):
        raise StoreLayoutError(
            f"there is no bank {bank}, the store at {store.address} is empty: run `samdb ingest PATH` and "
            f"`samdb bank build` first, or take --bank {BUILT_IN_NAME}"
        )
    card = built_in_bank().card
    if model != card.model:
        raise BankError(
            f"no bank is active in {store.address}, and the one that comes with samdb is for {card.model}, "
            f"not {model}: build one with `samdb bank build`"
        )
    return Answering(wiring.built_in_store(), card, True)


def all_banks(store: VectorStore, model: str) -> list[BankListing]:
    """The banks of the store, and the built-in one after them, where it is for this model."""
    found = list_banks(store) if stored_params(store) is not None else []
    card = built_in_bank().card
    if model == card.model and all(b.card.name != BUILT_IN_NAME for b in found):
        found.append(BankListing(card, active=not any(b.active for b in found), built_in=True))
    return found


def names_built_in(bank: str | None) -> bool:
    """Whether this is the built-in bank's name, with or without its version."""
    return bank in (BUILT_IN_NAME, built_in_bank().card.label)


def _means_built_in(store: VectorStore, bank: str | None) -> bool:
    if bank is None:
        return active_version(store) is None
    stored = {c.label for c in published_cards(store, BUILT_IN_NAME)}
    return names_built_in(bank) and (bank not in stored if "@" in str(bank) else not stored)
