"""The migration runner on every store: twice, half-failed, from an older layout, from a newer samdb."""

from __future__ import annotations

from dataclasses import replace

import pytest

from samdb.core.ids import make_id
from samdb.core.points import Payload, Point
from samdb.errors import StoreError, StoreLayoutError
from samdb.ports import VectorStore
from samdb.stores.layout import BANK, IMAGES, META, SEGMENTS, LayoutParams, meta_spec
from samdb.stores.migrate import (
    Migration,
    applied,
    check_layout,
    load_migrations,
    migrate,
    pending,
    stored_params,
)
from tests.stores.worlds import uid, vec

PARAMS = LayoutParams("vit_t", {"neck": 4, "backbone": 3})
ALL = [m.name for m in load_migrations()]


def test_migrations_are_numbered_and_named_after_their_files() -> None:
    assert ALL[:3] == ["m0001_create_segments", "m0002_create_images", "m0003_create_bank"]
    assert [m.number for m in load_migrations()] == list(range(1, len(ALL) + 1))


def test_a_new_store_is_laid_out_once_and_the_second_run_does_nothing(bare_store: VectorStore) -> None:
    check_layout(bare_store, "vit_t")  # nothing there yet: nothing wrong
    assert migrate(bare_store, PARAMS) == ALL
    assert bare_store.collections() == sorted([BANK, IMAGES, META, SEGMENTS])
    assert migrate(bare_store, PARAMS) == []
    check_layout(bare_store, "vit_t")
    records = applied(bare_store)
    assert [r.name for r in records] == ALL
    assert all(r.applied_at.endswith("+00:00") and r.samdb_version for r in records)
    assert stored_params(bare_store) == PARAMS
    # the layout takes what it is for
    bare_store.upsert(SEGMENTS, [Point(uid(1), {"neck": vec(1, 0, 0, 0)}, {"class_name": "car"})])
    assert bare_store.facet(SEGMENTS, "class_name") == {"car": 1}


def test_listing_migrations_only_reads(bare_store: VectorStore) -> None:
    assert applied(bare_store) == []
    assert [m.name for m in pending(bare_store)] == ALL
    assert stored_params(bare_store) is None
    assert bare_store.collections() == []


def test_a_migration_that_dies_half_way_is_run_again(bare_store: VectorStore) -> None:
    real = load_migrations()
    power = {"on": False}

    def dies_half_way(store: VectorStore, params: LayoutParams) -> None:
        real[1].apply(store, params)
        if not power["on"]:
            raise RuntimeError("the power went out")
        real[2].apply(store, params)

    steps = [real[0], Migration(2, real[1].name, dies_half_way), real[2]]
    with pytest.raises(StoreError, match=f"{real[1].name} failed.*samdb store migrate"):
        migrate(bare_store, PARAMS, steps)
    assert [r.name for r in applied(bare_store)] == [real[0].name]
    with pytest.raises(StoreLayoutError, match="samdb store migrate"):
        check_layout(bare_store, migrations=steps)
    power["on"] = True
    assert migrate(bare_store, PARAMS, steps) == [m.name for m in steps[1:]]
    check_layout(bare_store, "vit_t", steps)
    assert bare_store.collections() == sorted([BANK, IMAGES, META, SEGMENTS])


def test_an_older_layout_asks_to_be_migrated_and_keeps_its_points(bare_store: VectorStore) -> None:
    first = load_migrations()[:1]
    migrate(bare_store, PARAMS, first)
    bare_store.upsert(SEGMENTS, [Point(uid(1), {"neck": vec(1, 0, 0, 0)}, {"class_name": "car"})])
    with pytest.raises(StoreLayoutError, match=r"2 migrations behind.*samdb store migrate"):
        check_layout(bare_store, "vit_t")
    assert migrate(bare_store, PARAMS) == ALL[1:]
    check_layout(bare_store, "vit_t")
    assert [p.id for p in bare_store.scroll(SEGMENTS)] == [uid(1)]


def test_a_newer_layout_asks_for_a_newer_samdb(bare_store: VectorStore) -> None:
    migrate(bare_store, PARAMS)
    name = "m9999_from_the_future"
    record: Payload = {
        "kind": "migration",
        "name": name,
        "number": 9999,
        "applied_at": "",
        "samdb_version": "9.9",
    }
    bare_store.upsert(META, [Point(make_id("migration", name), {}, record)])
    with pytest.raises(StoreLayoutError, match=r"samdb 9\.9.*upgrade samdb"):
        check_layout(bare_store)
    with pytest.raises(StoreLayoutError, match="upgrade samdb"):
        migrate(bare_store, PARAMS)


def test_a_store_belongs_to_one_model(bare_store: VectorStore) -> None:
    migrate(bare_store, PARAMS)
    with pytest.raises(StoreLayoutError, match=r"holds vit_t segments.*--model vit_t"):
        check_layout(bare_store, "vit_b")
    with pytest.raises(StoreLayoutError, match="--model vit_t"):
        migrate(bare_store, replace(PARAMS, model="vit_b"))
    with pytest.raises(StoreLayoutError, match="'neck' vectors of 4"):
        migrate(bare_store, LayoutParams("vit_t", {"neck": 5}))


def test_a_vector_that_the_model_gained_is_added(bare_store: VectorStore, kind: str) -> None:
    migrate(bare_store, PARAMS)
    bare_store.upsert(SEGMENTS, [Point(uid(1), {"neck": vec(1, 0, 0, 0)}, {})])
    more = LayoutParams("vit_t", {**PARAMS.vectors, "crop": 2})
    if kind in ("grpc", "rest"):
        with pytest.raises(StoreLayoutError, match="without the vectors crop"):
            migrate(bare_store, more)
        return
    assert migrate(bare_store, more) == []
    assert stored_params(bare_store) == more
    bare_store.set_vectors(SEGMENTS, {uid(1): {"crop": vec(1, 0)}})
    # fewer vectors than the store holds are fine
    assert migrate(bare_store, PARAMS) == []
    assert stored_params(bare_store) == more


def test_a_store_without_records_is_an_older_one(bare_store: VectorStore) -> None:
    bare_store.create_collection(meta_spec())
    with pytest.raises(StoreLayoutError, match="samdb store migrate"):
        check_layout(bare_store)
