"""Banks in a store: published in full or not at all, listed, activated, deleted, exported, imported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from samdb.core.bank import Bank
from samdb.core.points import Condition, Point
from samdb.errors import BankError, ConfigError, StoreError, StoreRejectedError
from samdb.pipelines.bank_versions import (
    activate_bank,
    delete_bank,
    export_bank,
    import_bank,
    list_banks,
    load_active_bank,
    load_bank,
    show_bank,
)
from samdb.pipelines.publish_bank import publish, published_cards, reserve_version, set_active
from samdb.ports import VectorStore
from samdb.stores.edge import EdgeStore
from samdb.stores.layout import BANK, META
from samdb.stores.memory import MemoryStore
from tests.bank.worlds import bank_of, prototype, unit
from tests.pipelines.bank_worlds import lay_out, memory_store


def world(name: str = "default", version: int = 1) -> Bank:
    """Three prototypes; their ids differ by version."""
    tag = f"{name}{version}"
    return bank_of(
        [
            prototype(f"{tag}a", unit(1, 0.3, 0, 0.1), "car", count=7),
            prototype(f"{tag}b", unit(0, 1, 0.7, 0), "traffic light"),
            prototype(f"{tag}c", unit(0.1, 0.2, 0.3, 1), None, count=2),
        ],
        name=name,
        version=version,
    )


@pytest.fixture
def store() -> VectorStore:
    return memory_store()


class DyingStore(MemoryStore):
    """A store whose process dies at its n-th write: a real store until then."""

    def __init__(self, writes_left: int) -> None:
        super().__init__()
        self.writes_left: int | None = None
        lay_out(self)
        self.writes_left = writes_left

    def upsert(self, name: str, points: Sequence[Point]) -> None:
        self._write()
        super().upsert(name, points)

    def delete(self, name: str, *, ids: Sequence[str] = (), where: tuple[Condition, ...] = ()) -> None:
        self._write()
        super().delete(name, ids=ids, where=where)

    def _write(self) -> None:
        if self.writes_left is not None:
            if self.writes_left == 0:
                raise KeyboardInterrupt
            self.writes_left -= 1


def build(store: VectorStore, name: str = "default") -> Bank:
    """Reserve, publish and activate as `build_bank` does."""
    bank = world(name, reserve_version(store, name))
    publish(store, bank)
    set_active(store, bank.card)
    return bank


def test_a_published_bank_comes_back_as_it_was(store: VectorStore) -> None:
    bank = build(store)
    again = load_active_bank(store)
    assert again.card == bank.card
    assert again.matrix.tobytes() == bank.matrix.tobytes()
    assert [(p.prototype_id, p.class_name, p.count, p.origin, p.exemplar_id) for p in again.prototypes] == [
        (p.prototype_id, p.class_name, p.count, p.origin, p.exemplar_id) for p in bank.prototypes
    ]


def test_versions_increase_and_old_ones_stay(store: VectorStore) -> None:
    build(store)
    build(store)
    build(store, "other")
    assert [(b.card.label, b.active) for b in list_banks(store)] == [
        ("default@1", False),
        ("default@2", False),
        ("other@1", True),
    ]
    assert show_bank(store, "default").version == 2
    assert load_bank(store, "default@1").card.version == 1


def test_another_bank_can_be_made_the_active_one(store: VectorStore) -> None:
    build(store)
    build(store)
    assert activate_bank(store, "default@1").version == 1
    assert show_bank(store).version == 1


def test_a_deleted_bank_is_gone_and_its_number_is_never_used_again(store: VectorStore) -> None:
    build(store)
    build(store)
    activate_bank(store, "default@1")
    delete_bank(store, "default@2")
    assert [c.version for c in published_cards(store)] == [1]
    assert store.count(BANK) == 3
    assert build(store).card.version == 3


def test_the_active_bank_is_deleted_only_by_force(store: VectorStore) -> None:
    build(store)
    with pytest.raises(BankError, match="activate another"):
        delete_bank(store, "default@1")
    delete_bank(store, "default@1", force=True)
    with pytest.raises(BankError, match="no bank is active"):
        show_bank(store)
    assert store.count(BANK) == 0


def test_a_delete_must_name_the_version(store: VectorStore) -> None:
    build(store)
    with pytest.raises(ConfigError, match="default@1"):
        delete_bank(store, "default")


@pytest.mark.parametrize("bank", ["default@9", "nobody"])
def test_a_bank_that_is_not_there_names_those_that_are(store: VectorStore, bank: str) -> None:
    build(store)
    with pytest.raises(BankError, match="there are default@1"):
        show_bank(store, bank)


def test_a_store_without_a_bank_says_how_to_build_one(store: VectorStore) -> None:
    with pytest.raises(BankError, match="samdb bank build"):
        load_active_bank(store)
    with pytest.raises(BankError, match="samdb bank build"):
        show_bank(store, "default")


@pytest.mark.parametrize("bank", ["default@", "default@x", "default@0", "a b", "@1", ""])
def test_a_name_that_cannot_be_read_is_a_usage_error(bank: str) -> None:
    with pytest.raises(ConfigError):
        show_bank(memory_store(), bank)


def test_a_bank_exported_and_imported_elsewhere_is_the_same_bit_for_bit(
    store: VectorStore, tmp_path: Path
) -> None:
    bank = build(store)
    export_bank(store, tmp_path / "b.safetensors")
    other = memory_store()
    card = import_bank(other, tmp_path / "b.safetensors", activate=True)
    assert card == bank.card
    export_bank(other, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_a_bank_imported_where_its_version_is_taken_gets_the_next_one(
    store: VectorStore, tmp_path: Path
) -> None:
    first = build(store)
    export_bank(store, tmp_path / "b.safetensors")
    card = import_bank(store, tmp_path / "b.safetensors")
    assert card == replace(first.card, version=2)
    assert show_bank(store).version == 1  # not activated unless asked
    both = [load_bank(store, "default@1"), load_bank(store, "default@2")]
    assert {p.vector.tobytes() for p in both[0].prototypes} == {
        p.vector.tobytes() for p in both[1].prototypes
    }


def test_an_import_can_be_renamed(store: VectorStore, tmp_path: Path) -> None:
    build(store)
    export_bank(store, tmp_path / "b.safetensors")
    assert import_bank(store, tmp_path / "b.safetensors", name="copy").label == "copy@1"
    with pytest.raises(ConfigError):
        import_bank(store, tmp_path / "b.safetensors", name="no good")


def test_a_damaged_file_publishes_nothing(store: VectorStore, tmp_path: Path) -> None:
    (tmp_path / "b.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(BankError, match="cannot be read as a bank"):
        import_bank(store, tmp_path / "b.safetensors")
    assert list_banks(store) == []


def test_a_bank_of_another_recipe_cannot_be_imported(store: VectorStore, tmp_path: Path) -> None:
    bank = world()
    publish(store, bank)
    set_active(store, bank.card)
    export_bank(store, tmp_path / "b.safetensors")
    narrow = MemoryStore()
    lay_out(narrow, {"token": 4})
    with pytest.raises(StoreRejectedError, match="neck"):
        import_bank(narrow, tmp_path / "b.safetensors")
    assert list_banks(narrow) == []


# publishing writes: sweep, version counter, prototypes, card, active pointer
@pytest.mark.parametrize("writes", range(5))
def test_a_build_killed_between_its_steps_leaves_the_bank_of_before_and_no_half_one(writes: int) -> None:
    store = DyingStore(writes_left=10)
    build(store)
    store.writes_left = writes
    with pytest.raises(KeyboardInterrupt):
        build(store)
    store.writes_left = None
    assert load_active_bank(store).card.version == 1
    for listing in list_banks(store):
        assert len(load_bank(store, listing.card.label).prototypes) == 3

    last = build(store)
    assert load_active_bank(store).card == last.card
    # nothing is left of what the killed build wrote, unless it got as far as to publish it
    assert store.count(BANK) == 3 * len(list_banks(store))


@pytest.mark.parametrize("writes", range(3))
def test_a_delete_killed_between_its_steps_leaves_no_half_bank(writes: int) -> None:
    store = DyingStore(writes_left=100)
    build(store)
    store.writes_left = writes
    with pytest.raises(KeyboardInterrupt):
        delete_bank(store, "default@1", force=True)
    store.writes_left = None
    for listing in list_banks(store):
        load_bank(store, listing.card.label)
    build(store)
    assert store.count(BANK) == 3 * len(list_banks(store))


def test_the_leftovers_of_another_bank_are_not_swept(store: VectorStore) -> None:
    build(store)
    build(store, "other")
    build(store)
    assert len(load_bank(store, "other@1").prototypes) == 3


def test_a_bank_that_lost_prototypes_is_refused(store: VectorStore) -> None:
    bank = build(store)
    store.delete(BANK, ids=[bank.prototypes[0].prototype_id])
    with pytest.raises(BankError, match=r"2 of its 3 prototypes"):
        load_active_bank(store)


def test_prototypes_of_another_build_stop_the_publishing(store: VectorStore) -> None:
    bank = world()
    stray = bank_of([prototype("stray", unit(0, 0, 1, 0), "car")])
    publish(store, stray)
    store.delete(META, where=(Condition("kind", "=", ("bank_card",)),))
    with pytest.raises(BankError, match="another build"):
        publish(store, bank)
    assert list_banks(store) == []


def test_a_damaged_card_says_what_to_do(store: VectorStore) -> None:
    build(store)
    card = next(store.scroll(META, (Condition("kind", "=", ("bank_card",)),)))
    store.set_payload(META, [card.id], {"card": "{}"})
    with pytest.raises(BankError, match="build the bank again"):
        list_banks(store)


def test_the_life_of_a_bank_in_the_embedded_store(tmp_path: Path) -> None:
    # one long test: laying out a folder takes seconds
    first = EdgeStore(tmp_path / "store")
    bank = build(lay_out(first))
    build(first)
    assert [b.card.label for b in list_banks(first)] == ["default@1", "default@2"]
    first.close()

    second = EdgeStore(tmp_path / "store")
    again = load_bank(second, "default@1")
    assert again.card == bank.card
    assert again.matrix.tobytes() == bank.matrix.tobytes()
    assert load_active_bank(second).card.version == 2
    export_bank(second, tmp_path / "b.safetensors", "default@1")
    assert import_bank(second, tmp_path / "b.safetensors").version == 3
    delete_bank(second, "default@1")
    assert second.count(BANK) == 6
    second.close()
    with pytest.raises(StoreError):
        list_banks(second)
