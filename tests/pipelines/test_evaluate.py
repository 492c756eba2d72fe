"""`evaluate` on a store in which every answer is known beforehand."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from samdb.core.points import Condition, Point
from samdb.errors import BankError, ConfigError
from samdb.pipelines.build_bank import build_bank
from samdb.pipelines.evaluate import evaluate
from samdb.pipelines.evaluate_data import find_splits, is_held_out
from samdb.pipelines.evaluate_plots import write_report
from samdb.pipelines.evaluate_report import EvalReport, EvalSettings, report_record
from samdb.pipelines.evaluate_table import table_rows
from samdb.ports import VectorStore
from samdb.stores.layout import IMAGES, SEGMENTS
from tests.pipelines.bank_worlds import memory_store
from tests.pipelines.evaluate_worlds import N_TRAIN, N_VAL, world

SETTINGS = EvalSettings(recipe="neck", min_box_px2=1000, open_set=("bus",), seeds=2)


@pytest.fixture(scope="module")
def report() -> EvalReport:
    return evaluate(world(), SETTINGS)


def test_classes_that_lie_apart_are_told_apart_by_all_but_chance(report: EvalReport) -> None:
    assert [m.name for m in report.methods] == ["neck bank", "prior work", "chance"]
    bank, prior, chance = (m.figures for m in report.methods)
    for figures in (bank, prior):
        assert figures["labelled/accuracy"].values == (1.0, 1.0)
        assert figures["labelled/macro_f1"].mean == 1.0
        assert figures["labelled/class/bus/f1"].mean == 1.0
        assert figures["retrieval/p_at_10"].mean == 1.0
        assert figures["retrieval/map_at_r"].mean == pytest.approx(1.0)
        assert figures["open_set/auroc"].mean == 1.0
        assert figures["open_set/fpr95"].mean == 0.0
    assert chance["labelled/accuracy"].mean < 0.6
    assert chance["retrieval/p_at_10"].mean < 0.5
    assert report.class_counts == {"car": N_VAL, "bus": N_VAL, "sign": N_VAL}
    assert report.counts["train_images"] == N_TRAIN
    assert report.counts["train_background"] == N_TRAIN


def test_figures_are_broken_down_by_size_and_time_of_day(report: EvalReport) -> None:
    figures = report.methods[0].figures
    # 40 x 40 px; of eight images the first is a night
    assert figures["labelled/size/1024-4096/n"].mean == 3 * N_VAL
    assert figures["labelled/timeofday/night/n"].mean == 3
    assert figures["labelled/timeofday/dawn/dusk/accuracy"].mean == 1.0


def test_automatic_masks_are_matched_and_background_is_rejected(report: EvalReport) -> None:
    figures = report.methods[0].figures
    # car and sign are shown by a mask, the bus is not: two labels of three
    assert figures["automatic/labels_shown"].mean == pytest.approx(2 / 3)
    assert figures["automatic/map"].mean == pytest.approx(2 / 3)
    assert figures["automatic/class/bus/ap"].mean == 0.0
    assert figures["automatic/precision"].mean == 1.0
    assert figures["automatic/recall"].mean == pytest.approx(2 / 3)
    assert figures["automatic/precision_at_recall_50"].mean == 1.0
    assert figures["automatic/precision_at_recall_50_of_shown"].mean == 1.0
    assert figures["automatic/background_rejected"].mean == 1.0
    # whoever knows no background names the ground, too: one answer of three is wrong
    assert figures["automatic_without_background/background_rejected"].mean < 1.0


def test_a_mask_that_knows_no_background_is_named(report: EvalReport) -> None:
    bank, prior, _ = (m.figures for m in report.methods)
    assert prior["automatic/background_rejected"].mean == 1.0  # its cosine to any class is about 0
    assert bank["automatic_without_background/map"].mean > 0


def test_the_report_is_json_a_table_and_pictures(report: EvalReport, tmp_path: Path) -> None:
    record = json.loads(json.dumps(report_record(report, "2026-01-01"), allow_nan=False))
    assert (record["format"], record["dataset"], record["classes"]) == (1, "d", ["bus", "car", "sign"])
    assert record["protocol"]["seeds"] == 2
    (first, _, _) = record["methods"]
    assert first["figures"]["labelled/accuracy"] == {"mean": 1.0, "std": 0.0, "values": [1.0, 1.0]}
    assert np.sum(first["confusion"]) == 2 * 3 * N_VAL
    assert len(first["reliability"]["accuracy"]) == 10
    columns, rows = table_rows(report)
    assert columns == ("figure", "neck bank", "prior work", "chance")
    assert rows[0][:3] == ["accuracy", "1.000 ± .000", "1.000 ± .000"]
    assert {len(row) for row in rows} == {4}
    assert "accuracy dawn/dusk (21)" in [row[0] for row in rows]

    files = write_report(report, report_record(report), tmp_path / "out")
    assert [f.name for f in files] == [
        "eval.json",
        "confusion.png",
        "pr.png",
        "reliability.png",
        "per_class.png",
    ]
    assert all(f.stat().st_size > 1000 for f in files)
    assert Counter(p.suffix for p in (tmp_path / "out").iterdir()) == {".png": 4, ".json": 1}


def test_pictures_that_cannot_be_written_say_so(report: EvalReport, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ConfigError, match="--out"):
        write_report(report, report_record(report), tmp_path / "out")


def test_the_store_is_only_read() -> None:
    store = world()
    before = {name: store.count(name) for name in store.collections()}
    evaluate(store, replace(SETTINGS, seeds=1))
    assert {name: store.count(name) for name in store.collections()} == before


def test_the_same_seeds_give_the_same_figures(report: EvalReport) -> None:
    again = evaluate(world(), SETTINGS)
    assert [m.figures for m in again.methods] == [m.figures for m in report.methods]


def test_a_published_bank_is_compared_and_cannot_forget_a_class() -> None:
    store = world()
    card = build_bank(store, recipe="neck", name="mine", where=(Condition("split", "=", ("train",)),)).card
    found = evaluate(store, replace(SETTINGS, banks=("mine",), seeds=1))
    mine = found.methods[1]
    assert mine.name == card.label
    assert mine.figures["labelled/accuracy"].mean == 1.0
    assert "cannot be made to forget" in mine.skipped["open_set"]
    assert not any("flatter" in note for note in found.notes)


def test_a_bank_that_may_have_seen_the_answers_is_pointed_out() -> None:
    store = world()
    build_bank(store, recipe="neck", name="mine")
    found = evaluate(store, replace(SETTINGS, banks=("mine",), seeds=1))
    assert any("flatter" in note for note in found.notes)


def test_what_is_missing_is_skipped_and_said() -> None:
    found = evaluate(world(automatic=False), replace(SETTINGS, open_set=("train",), seeds=1))
    first = found.methods[0]
    assert "--prompts both" in first.skipped["automatic"]
    assert "--open-set" in first.skipped["open_set"]
    assert not any(name.startswith(("automatic", "open_set")) for name in first.figures)
    assert any("no background" in note for note in found.notes)


def test_without_the_prior_works_recipe_it_is_not_compared() -> None:
    store = world()
    points = list(store.scroll(SEGMENTS, (), ("neck", "neck_box")))
    store.upsert(SEGMENTS, [Point(p.id, {"neck": p.vectors["neck"]}, p.payload) for p in points])
    found = evaluate(store, replace(SETTINGS, seeds=1))
    assert [m.name for m in found.methods] == ["neck bank", "chance"]
    assert any("neck_box" in note for note in found.notes)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (replace(SETTINGS, val_split="test"), "only of train, val"),
        (replace(SETTINGS, val_split="train"), "differ"),
        (replace(SETTINGS, dataset="other"), "no labelled dataset 'other'"),
        (replace(SETTINGS, classes=("car", "tram")), "no labelled box of tram"),
        (replace(SETTINGS, open_set=("car", "bus", "sign")), "leaves no class to know"),
    ],
)
def test_what_cannot_be_evaluated_says_why(settings: EvalSettings, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        evaluate(world(automatic=False), settings)


def test_a_recipe_that_is_not_stored_is_an_error() -> None:
    with pytest.raises(BankError, match="--recipes token"):
        evaluate(world(automatic=False), replace(SETTINGS, recipe="token"))


def test_an_empty_store_is_an_error() -> None:
    with pytest.raises(BankError, match="samdb eval PATH"):
        evaluate(memory_store(), SETTINGS)


def test_a_dataset_with_one_split_is_split_by_image() -> None:
    found = evaluate(world(splits=("all", "all")), replace(SETTINGS, seeds=1))
    keys = [f"d\x1f{s}/{i}.jpg" for s, n in (("train", N_TRAIN), ("val", N_VAL)) for i in range(n)]
    held = sum(map(is_held_out, keys))
    assert 0 < held < len(keys)
    assert (found.counts["val_images"], found.counts["train_images"]) == (held, len(keys) - held)
    assert found.split_by_hash


def test_an_image_that_was_also_learned_from_is_not_judged_by() -> None:
    store = world(automatic=False)
    _ledger(store, {"train/0.jpg": "same", "train/1.jpg": "b", "val/0.jpg": "same", "val/1.jpg": "d"})
    assert find_splits(store, None, "train", "val").leaked == {"d\x1fval/0.jpg"}
    found = evaluate(store, replace(SETTINGS, seeds=1))
    assert found.counts["val_images"] == N_VAL - 1
    assert any("same file" in note for note in found.notes)


def _ledger(store: VectorStore, hashes: dict[str, str]) -> None:
    vector = np.full(256, 1 / 16, dtype=np.float32)
    store.upsert(
        IMAGES,
        [
            Point(
                f"00000000-0000-0000-0000-00000000000{i}",
                {"global": vector},
                {"dataset": "d", "image_id": name, "split": name.split("/")[0], "sha256": sha},
            )
            for i, (name, sha) in enumerate(hashes.items())
        ],
    )


def test_whitened_and_trained_banks_are_learned_in_memory_too() -> None:
    store = world()
    found = evaluate(store, replace(SETTINGS, seeds=1, whiten=True, train=True))
    assert [m.name for m in found.methods][:3] == ["neck bank", "neck bank, whitened", "trained bank"]
    for method in found.methods[:3]:
        assert method.figures["labelled/accuracy"].mean == 1.0
        assert "open_set/auroc" in method.figures
        assert "automatic/map" in method.figures


def test_a_published_bank_with_a_head_needs_no_projected_vectors() -> None:
    store = world()
    where = (Condition("split", "=", ("train",)),)
    build_bank(store, recipe="neck", name="round", where=where, whiten=True, activate=False)
    found = evaluate(store, replace(SETTINGS, banks=("round",), seeds=1))
    assert found.methods[1].recipes == ("neck",)
    assert found.methods[1].figures["labelled/accuracy"].mean == 1.0
