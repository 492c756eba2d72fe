"""Banks built from small stores, and what they say of new segments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from samdb.bank.classifier import hold_vote, nearest_prototypes
from samdb.core.points import Condition
from samdb.errors import BankError, ConfigError
from samdb.pipelines.bank_versions import list_banks, load_active_bank, load_bank
from samdb.pipelines.build_bank import build_bank
from samdb.pipelines.classify_segments import check_bank_fits, classify_segments, classify_vectors
from samdb.pipelines.score import ScoreSource, score_bank, score_search
from samdb.stores.edge import EdgeStore
from samdb.stores.layout import BANK, SEGMENTS
from samdb.stores.memory import MemoryStore
from tests.bank.worlds import unit
from tests.pipelines.bank_worlds import background, lay_out, memory_store, put, rows_around, scattered, stored

CARS, BUSES = scattered(0, 60, "car"), scattered(1, 40, "bus")


@pytest.fixture
def store() -> MemoryStore:
    """Cars along e0, buses along e1, background along e3; one segment of each per image."""
    filled = memory_store()
    put(filled, [*CARS, *BUSES, *background(3, 40)])
    return filled


def test_a_bank_tells_what_it_was_learned_from(store: MemoryStore) -> None:
    report = build_bank(store, recipe="neck", k=5)
    assert [(c.class_name, c.n_segments, c.n_prototypes) for c in report.classes] == [
        ("bus", 40, 5),
        ("car", 60, 5),
    ]
    assert (report.n_background, report.n_background_prototypes) == (40, 8)
    assert all((c.held_out_f1 or 0) > 0.9 for c in report.classes)
    assert report.card.label == "default@1"
    assert (report.card.model, report.card.recipe, report.card.dim) == ("vit_t", "neck", 4)
    assert report.card.metrics["background_rejected"] > 0.9
    assert report.active
    assert load_active_bank(store).card == report.card


def test_new_segments_are_classified_and_background_is_rejected(store: MemoryStore) -> None:
    card = build_bank(store, recipe="neck", k=5).card
    car, bus, nothing = classify_vectors(
        store, np.stack([unit(1, 0.1, 0, 0), unit(0, 1, 0.1, 0), unit(0, 0, 0, 1)]), card
    )
    assert (car.class_name, bus.class_name) == ("car", "bus")
    assert (nothing.class_name, nothing.reason) == (None, "background")
    assert 0 < car.score <= 1
    assert car.nearest_prototype_id in {p.prototype_id for p in load_active_bank(store).prototypes}


def test_without_background_nothing_is_learned_from_it(store: MemoryStore) -> None:
    report = build_bank(store, recipe="neck", k=5, background=False)
    assert report.n_background_prototypes == 0
    assert {p.origin for p in load_active_bank(store).prototypes} == {"kmeans"}


def test_the_store_and_the_scan_agree(store: MemoryStore) -> None:
    card = build_bank(store, recipe="neck", k=5).card
    rows = rows_around(2, 50, 0.8)
    near = nearest_prototypes(rows, load_active_bank(store).prototypes, card.classes, card.k_neighbours)
    votes = hold_vote(near, card.vote_temperature, len(card.classes))
    found = classify_vectors(store, rows, card)
    np.testing.assert_allclose([p.score for p in found], votes.score, atol=1e-5)


def test_the_same_seed_gives_the_same_prototypes_whatever_the_order_of_ingest(store: MemoryStore) -> None:
    build_bank(store, recipe="neck", k=5, seed=3)
    other = memory_store()
    put(other, [*background(3, 40), *reversed(BUSES), *reversed(CARS)])
    build_bank(other, recipe="neck", k=5, seed=3)
    first, second = load_active_bank(store), load_active_bank(other)
    assert first.matrix.tobytes() == second.matrix.tobytes()
    assert replace(first.card, created_at="") == replace(second.card, created_at="")


def test_another_version_is_built_beside_the_first(store: MemoryStore) -> None:
    build_bank(store, recipe="neck", k=5)
    second = build_bank(store, recipe="neck", k=3, activate=False)
    assert second.card.version == 2
    assert load_active_bank(store).card.version == 1
    # both are in one collection, each answers for itself
    found = classify_vectors(store, np.stack([unit(1, 0, 0, 0)]), second.card)[0]
    assert found.nearest_prototype_id in {p.prototype_id for p in load_bank(store, "default@2").prototypes}


def test_excluded_and_small_classes_are_left_out_with_a_reason(store: MemoryStore) -> None:
    put(store, scattered(2, 3, "train"))
    report = build_bank(store, recipe="neck", k=5, exclude=("bus",), min_segments=5)
    assert [c.class_name for c in report.classes] == ["car"]
    assert report.skipped == {"bus": "excluded", "train": "3 segments, fewer than 5"}


def test_a_misspelt_exclusion_names_the_classes(store: MemoryStore) -> None:
    with pytest.raises(BankError, match="cannot exclude buss: the labelled classes are bus, car"):
        build_bank(store, recipe="neck", exclude=("buss",))


def test_only_segments_that_match_and_are_large_enough_are_learned_from(store: MemoryStore) -> None:
    put(store, [stored("v", unit(1, 0, 0, 0), "car", split="val", image="v.jpg", box=(0, 0, 30, 30))])
    only_val = build_bank(store, recipe="neck", where=(Condition("split", "=", ("val",)),))
    assert [(c.class_name, c.n_segments) for c in only_val.classes] == [("car", 1)]
    large = build_bank(store, recipe="neck", min_area_px=900)
    assert [(c.class_name, c.n_segments) for c in large.classes] == [("car", 1)]
    assert large.card.settings["min_area_px"] == 900
    assert only_val.card.settings["where"] == "split=val"


def test_inherited_parts_are_learned_from_when_asked(store: MemoryStore) -> None:
    part = unit(0, 0, 1, 0)
    put(store, [stored("p", part, "car", granularity="part", label_source="inherited")])
    assert build_bank(store, recipe="neck", k=5).card.class_counts["car"] == 60
    with_parts = build_bank(store, recipe="neck", k=5, parts=True)
    assert with_parts.card.class_counts["car"] == 61
    assert {p.granularity for p in load_active_bank(store).prototypes} == {"whole", "part"}


def test_predicted_labels_are_never_learned_from(store: MemoryStore) -> None:
    put(store, [stored("x", unit(0, 0, 1, 0), "zebra", label_source="predicted")])
    assert [c.class_name for c in build_bank(store, recipe="neck", k=5).classes] == ["bus", "car"]


def test_images_that_cannot_be_held_out_give_an_uncalibrated_bank(store: MemoryStore) -> None:
    one = memory_store()
    put(one, [stored(str(i), unit(1, 0.1 * i, 0, 0), "car") for i in range(5)])
    report = build_bank(one, recipe="neck")
    assert not report.calibrated
    assert report.classes[0].held_out_f1 is None
    assert report.card.thresholds == {"car": 0.0}
    assert classify_vectors(one, np.stack([unit(1, 0, 0, 0)]), report.card)[0].class_name == "car"


def test_progress_names_the_stages(store: MemoryStore) -> None:
    stages: list[str] = []
    build_bank(store, recipe="neck", k=5, progress=lambda stage, done, total: stages.append(stage))
    assert list(dict.fromkeys(stages)) == ["read", "calibrate", "fit", "publish"]


def test_a_store_without_labels_says_what_to_do() -> None:
    with pytest.raises(BankError, match="samdb ingest PATH --prompts labels"):
        build_bank(memory_store(), recipe="neck")


def test_a_recipe_that_was_never_ingested_says_what_to_do(store: MemoryStore) -> None:
    with pytest.raises(BankError, match="--recipes token"):
        build_bank(store, recipe="token")


def test_segments_without_the_recipe_are_counted(store: MemoryStore) -> None:
    put(store, [stored("t", unit(1, 0, 0, 0), "car", recipe="token")])
    report = build_bank(store, recipe="neck", k=5)
    assert (report.n_without_embedding, report.card.class_counts["car"]) == (1, 60)


def test_segments_of_two_models_are_not_mixed(store: MemoryStore) -> None:
    put(store, [stored("h", unit(1, 0, 0, 0), "car", model="vit_h")])
    with pytest.raises(BankError, match="vit_h, vit_t"):
        build_bank(store, recipe="neck")


def test_excluding_all_classes_leaves_nothing(store: MemoryStore) -> None:
    with pytest.raises(BankError, match="no class is left"):
        build_bank(store, recipe="neck", exclude=("bus", "car"))


@pytest.mark.parametrize(("name", "k"), [("no good", 5), ("default", 0)])
def test_settings_that_cannot_be_used_are_usage_errors(store: MemoryStore, name: str, k: int) -> None:
    with pytest.raises(ConfigError, match="cannot build a bank"):
        build_bank(store, recipe="neck", name=name, k=k)
    assert list_banks(store) == []


def test_a_bank_answers_only_for_its_own_vectors(store: MemoryStore) -> None:
    card = build_bank(store, recipe="neck", k=5, fingerprint="vit_t-1").card
    check_bank_fits(card, model="vit_t", fingerprint="vit_t-1", recipe="neck")
    with pytest.raises(BankError, match="--model vit_t"):
        check_bank_fits(card, model="vit_h")
    with pytest.raises(BankError, match="other weights"):
        check_bank_fits(card, model="vit_t", fingerprint="vit_t-2")
    with pytest.raises(BankError, match="--recipe token"):
        check_bank_fits(card, model="vit_t", recipe="token")
    with pytest.raises(BankError, match="4 numbers"):
        classify_vectors(store, np.ones((1, 3), np.float32), card)


def test_segments_are_classified_by_the_banks_recipe(store: MemoryStore) -> None:
    card = build_bank(store, recipe="neck", k=5).card
    found = classify_segments(store, [stored("n", unit(1, 0, 0, 0), None)], card)
    assert [p.class_name for p in found] == ["car"]
    assert classify_segments(store, [], card) == []
    with pytest.raises(BankError, match="have no 'neck' embedding"):
        classify_segments(store, [stored("t", unit(1, 0, 0, 0), None, recipe="token")], card)
    with pytest.raises(BankError, match="vit_h"):
        classify_segments(store, [stored("h", unit(1, 0, 0, 0), None, model="vit_h")], card)


def test_a_bank_deleted_meanwhile_finds_no_neighbours(store: MemoryStore) -> None:
    card = build_bank(store, recipe="neck", k=5).card
    store.delete(BANK, where=(Condition("bank", "=", ("default",)),))
    assert classify_vectors(store, np.stack([unit(1, 0, 0, 0)]), card)[0].reason == "no_neighbours"


def test_a_bank_is_scored_on_another_split(store: MemoryStore) -> None:
    put(store, [*scattered(0, 20, "car", split="val"), *scattered(1, 10, "bus", split="val")])
    train, val = Condition("split", "=", ("train",)), Condition("split", "=", ("val",))
    card = build_bank(store, recipe="neck", k=5, where=(train,)).card
    score = score_bank(store, card, ScoreSource(where=(val,)))
    assert score.forced.n == 30
    assert score.forced.macro_f1 > 0.9
    assert score.answered.accuracy <= score.forced.accuracy
    cars = score_bank(store, card, ScoreSource(where=(val,), classes=("car",)))
    assert [c.class_name for c in cars.forced.per_class] == ["car"]
    found = score_search(store, "neck", ScoreSource(where=(val,)), (train,), k=10)
    assert (found.n, found.k) == (30, 10)
    assert found.precision > 0.9


def test_a_score_by_the_size_of_the_labels_box(store: MemoryStore) -> None:
    card = build_bank(store, recipe="neck", k=5).card
    put(store, [stored("big", unit(1, 0, 0, 0), "car", label_box=(0, 0, 40, 40))])
    assert score_bank(store, card, ScoreSource(min_box_px2=1024)).forced.n == 1
    with pytest.raises(BankError, match="no labelled segment"):
        score_bank(store, card, ScoreSource(min_box_px2=10_000))


def test_a_search_never_finds_its_own_example(store: MemoryStore) -> None:
    alone = memory_store()
    put(alone, [stored("a", unit(1, 0, 0, 0), "car"), stored("b", unit(0, 1, 0, 0), "bus")])
    assert score_search(alone, "neck", ScoreSource(), (), k=1).precision == 0.0
    assert alone.count(SEGMENTS) == 2


def test_a_bank_is_built_and_used_in_the_embedded_store(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path / "store")
    put(lay_out(store), [*CARS, *BUSES, *background(3, 40)])
    card = build_bank(store, recipe="neck", k=5).card
    memory = memory_store()
    put(memory, [*CARS, *BUSES, *background(3, 40)])
    build_bank(memory, recipe="neck", k=5)
    assert load_active_bank(store).matrix.tobytes() == load_active_bank(memory).matrix.tobytes()
    car, nothing = classify_vectors(store, np.stack([unit(1, 0.1, 0, 0), unit(0, 0, 0, 1)]), card)
    assert (car.class_name, nothing.reason) == ("car", "background")
    assert score_bank(store, card, ScoreSource()).forced.macro_f1 > 0.9
    store.close()
