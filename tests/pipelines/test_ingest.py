"""Ingest with a segmenter of rectangles: what is stored, skipped, replaced, and survives a crash anywhere."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from samdb.core.boxes import Box
from samdb.core.points import Condition, Point
from samdb.core.sample import Sample
from samdb.core.segment import FLAG_BACKGROUND
from samdb.datasets import open_dataset, read_image
from samdb.errors import DatasetError, StoreError
from samdb.pipelines.ingest import IngestProgress, Problem
from samdb.ports import VectorStore
from samdb.stores.codec import point_to_segment
from samdb.stores.edge import EdgeStore
from samdb.stores.layout import IMAGES, SEGMENTS
from tests.pipelines.bank_worlds import lay_out
from tests.pipelines.crashing_store import store_with
from tests.pipelines.ingest_worlds import (
    DIM,
    LABELLED_BOX,
    RECIPES,
    RectangleSegmenter,
    assert_same_points,
    contents,
    new_store,
    noise,
    run_ingest,
    write_image,
    write_labels,
    write_world,
)

#: whole, left part and upper left subpart of the labelled box
PER_IMAGE = 3
OTHER_BOX: Box = (10, 10, 46, 30)
AWAY: Box = (32, 4, 46, 28)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Ten labelled images: two groups of writes."""
    return write_world(tmp_path / "world", 10)


def per_image(store: VectorStore) -> dict[str, int]:
    """How many segments each image has."""
    return store.facet(SEGMENTS, "image_id")


def fresh(world: Path, **options: object) -> dict[str, Point]:
    """What an uninterrupted run on a new store gives."""
    store = new_store()
    run_ingest(world, store, **options)  # type: ignore[arg-type]
    return contents(store)


def test_every_image_is_cut_stored_and_entered_in_the_ledger(world: Path) -> None:
    store = new_store()
    report = run_ingest(world, store, run="20260101T000000Z")
    assert (report.dataset, report.n_images, report.n_ingested) == ("world", 10, 10)
    assert (report.n_segments, report.n_unchanged, report.n_removed) == (30, 0, 0)
    assert (report.quarantined, report.problems) == ((), ())
    assert report.seconds > 0
    assert report.images_per_s == pytest.approx(10 / report.seconds)
    assert per_image(store) == {f"images/{i:02}.png": PER_IMAGE for i in range(10)}
    segment = point_to_segment(next(store.scroll(SEGMENTS)))
    assert (segment.dataset, segment.split, segment.run) == ("world", "train", "20260101T000000Z")
    ledger = {str(p.payload["image_id"]): p.payload for p in store.scroll(IMAGES)}
    entry = ledger["images/07.png"]
    assert (entry["status"], entry["n_segments"], entry["size_hw"]) == ("done", PER_IMAGE, [32, 48])
    assert entry["path"] == str(world / "images" / "07.png")


def test_progress_is_told_after_every_image(world: Path) -> None:
    told: list[IngestProgress] = []
    run_ingest(world, new_store(), limit=3, on_progress=told.append)
    assert told == [IngestProgress(3, i, PER_IMAGE * i) for i in (1, 2, 3)]


def test_a_limit_takes_the_first_images_and_a_later_run_goes_on(world: Path) -> None:
    store = new_store()
    assert run_ingest(world, store, limit=4).n_ingested == 4
    report = run_ingest(world, store)
    assert (report.n_images, report.n_unchanged, report.n_ingested) == (10, 4, 6)
    assert_same_points(contents(store), fresh(world))


def test_a_split_is_ingested_alone_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_image(tmp_path / "d" / split / "a.png", noise(1))
    store, dataset = new_store(), open_dataset(tmp_path / "d")
    report = run_ingest(dataset, store, RectangleSegmenter([AWAY]), prompts="auto", split="val")
    assert report.n_images == 1
    assert per_image(store) == {"val/a.png": 1}
    with pytest.raises(DatasetError, match="no split 'night'"):
        run_ingest(dataset, store, split="night")


def test_unchanged_images_are_skipped_without_encoding_or_writing(world: Path) -> None:
    store = new_store()
    run_ingest(world, store, run="first")
    segmenter = RectangleSegmenter()
    report = run_ingest(world, store, segmenter, run="second")
    assert segmenter.n_encoded == 0
    assert (report.n_unchanged, report.n_ingested, report.n_segments, report.n_removed) == (10, 0, 0, 0)
    assert {p.payload["run"] for p in store.scroll(SEGMENTS)} == {"first"}


def test_recipes_in_another_order_are_no_change(world: Path) -> None:
    store = new_store()
    run_ingest(world, store, recipes=("neck", "backbone"))
    assert run_ingest(world, store, recipes=("backbone", "neck")).n_unchanged == 10


def test_a_changed_image_is_cut_again_and_only_that_one(world: Path) -> None:
    store, segmenter = new_store(), RectangleSegmenter()
    run_ingest(world, store)
    write_image(world / "images" / "03.png", noise(99))
    report = run_ingest(world, store, segmenter)
    assert (report.n_ingested, report.n_unchanged, segmenter.n_encoded) == (1, 9, 1)
    assert_same_points(contents(store), fresh(world))


def test_changed_labels_leave_no_orphan(world: Path) -> None:
    store = new_store()
    run_ingest(world, store)
    # 00 loses its label, 01 gets a second one, 02 another box and class; the ids of the others stay
    labels: dict[str, list[tuple[Box, str]]] = {f"{i:02}.png": [(LABELLED_BOX, "car")] for i in range(10)}
    labels["00.png"], labels["02.png"] = [], [(OTHER_BOX, "van")]
    labels["01.png"].append((OTHER_BOX, "bus"))
    write_labels(world, labels)
    report = run_ingest(world, store)
    assert (report.n_ingested, report.n_removed) == (3, PER_IMAGE)
    assert per_image(store)["images/01.png"] == 2 * PER_IMAGE
    assert "images/00.png" not in per_image(store)
    assert_same_points(contents(store), fresh(world))


def test_other_recipes_replace_the_vectors(world: Path) -> None:
    store = new_store()
    run_ingest(world, store, recipes=("neck",))
    report = run_ingest(world, store, recipes=("backbone",))
    assert (report.n_ingested, report.n_removed) == (10, 0)
    assert {name for p in store.scroll(SEGMENTS, (), RECIPES) for name in p.vectors} == {"backbone"}
    assert_same_points(contents(store), fresh(world, recipes=("backbone",)))


def test_other_prompts_replace_the_segments(world: Path) -> None:
    store, segmenter = new_store(), RectangleSegmenter([AWAY])
    run_ingest(world, store, segmenter, prompts="both")
    assert store.count(SEGMENTS, (Condition("flags", "=", (FLAG_BACKGROUND,)),)) == 10
    report = run_ingest(world, store, segmenter, prompts="auto")
    assert (report.n_segments, report.n_removed) == (10, 10 * PER_IMAGE)
    assert_same_points(contents(store), fresh(world, segmenter=segmenter, prompts="auto"))


def test_an_image_that_became_corrupt_loses_its_segments_and_comes_back_when_repaired(world: Path) -> None:
    store = new_store()
    run_ingest(world, store)
    picture = world / "images" / "05.png"
    whole = picture.read_bytes()
    picture.write_bytes(whole[:200])
    report = run_ingest(world, store)
    (problem,) = report.quarantined
    assert problem.image_id == "images/05.png"
    assert "damaged or truncated" in problem.reason
    assert (report.n_unchanged, report.n_ingested, report.n_removed) == (9, 0, PER_IMAGE)
    assert "images/05.png" not in per_image(store)
    assert_same_points(contents(store), fresh(world))
    picture.write_bytes(whole)
    report = run_ingest(world, store)
    assert (report.n_ingested, report.quarantined) == (1, ())
    assert_same_points(contents(store), fresh(world))


def test_the_troubles_of_unchanged_images_are_reported_in_every_run(world: Path) -> None:
    (world / "images" / "05.png").write_bytes(b"")
    nan = float("nan")
    labels: dict[str, list[tuple[Box, str]]] = {
        "04.png": [(LABELLED_BOX, "car"), ((nan, 1, 2, 3), "car")],
        "05.png": [((nan, 1, 2, 3), "car")],
        "06.png": [((60, 1, 70, 9), "car")],
    }
    write_labels(world, labels)
    store = new_store()
    first, second = run_ingest(world, store), run_ingest(world, store)
    assert [p.image_id for p in first.quarantined] == ["images/05.png"]
    assert [p.image_id for p in first.problems] == ["images/04.png", "images/05.png", "images/06.png"]
    assert (second.quarantined, second.problems) == (first.quarantined, first.problems)
    assert (second.n_unchanged, second.n_ingested) == (9, 0)


def test_a_quarantined_image_is_tried_again_though_its_file_is_the_same(world: Path) -> None:
    def out_of_memory(sample: Sample) -> NDArray[np.uint8]:
        return read_image(sample.path, max_pixels=32 * 48 - 1 if sample.path.stem == "02" else 32 * 48)

    store = new_store()
    assert [p.image_id for p in run_ingest(world, store, read=out_of_memory).quarantined] == ["images/02.png"]
    report = run_ingest(world, store)
    assert (report.quarantined, report.n_ingested) == ((), 1)
    assert_same_points(contents(store), fresh(world))


def test_an_image_that_cannot_be_cut_is_quarantined_and_the_run_goes_on(world: Path) -> None:
    # a mask without any pixel has no colours: the vector would be NaN
    write_image(world / "images" / "04.png", noise(4, (2, 2)))
    segmenter = RectangleSegmenter([(10, 10, 20, 20)])
    store = new_store()
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning):
        report = run_ingest(world, store, segmenter, prompts="auto")
    assert report.quarantined == (Problem("images/04.png", "an embedding must be finite and not zero"),)
    assert (report.n_ingested, store.count(SEGMENTS)) == (9, 9)


def test_images_no_longer_in_the_dataset_stay_in_the_store(world: Path) -> None:
    store = new_store()
    run_ingest(world, store)
    (world / "images" / "09.png").unlink()
    assert run_ingest(world, store).n_images == 9
    assert per_image(store)["images/09.png"] == PER_IMAGE


def test_a_dataset_that_moved_is_unchanged_and_found_at_its_new_place(world: Path, tmp_path: Path) -> None:
    store = new_store()
    run_ingest(world, store)
    moved = world.rename(tmp_path / "other")
    report = run_ingest(open_dataset(moved, name="world"), store)
    assert report.n_unchanged == 10
    paths = {str(p.payload["path"]) for p in store.scroll(IMAGES)}
    assert paths == {str(tmp_path / "other" / "images" / f"{i:02}.png") for i in range(10)}


def test_two_datasets_of_one_name_are_not_mixed_up(world: Path, tmp_path: Path) -> None:
    other = write_world(tmp_path / "second" / "world", 1)
    write_image(other / "images" / "00.png", noise(77))
    store = new_store()
    run_ingest(world, store)
    before = contents(store)
    with pytest.raises(DatasetError, match=r"already holds images/00.png .* another name with --name"):
        run_ingest(other, store)
    assert_same_points(contents(store), before)
    assert run_ingest(open_dataset(other, name="second"), store).n_ingested == 1
    assert store.count(SEGMENTS) == 11 * PER_IMAGE


def test_replacing_an_image_leaves_other_datasets_alone(world: Path, tmp_path: Path) -> None:
    other = write_world(tmp_path / "other", 2)
    store = new_store()
    run_ingest(other, store)
    run_ingest(world, store)
    write_labels(world, {"00.png": []})
    report = run_ingest(world, store)
    assert report.n_removed == 10 * PER_IMAGE
    assert store.count(SEGMENTS) == store.count(SEGMENTS, (Condition("dataset", "=", ("other",)),)) == 6


def test_images_are_let_go_of_once_they_are_cut(tmp_path: Path) -> None:
    world = write_world(tmp_path / "world", 30)
    seen: list[weakref.ref[NDArray[np.uint8]]] = []
    alive: list[int] = []

    def read(sample: Sample) -> NDArray[np.uint8]:
        pixels = read_image(sample.path)
        seen.append(weakref.ref(pixels))
        return pixels

    def count(_: IngestProgress) -> None:
        alive.append(sum(ref() is not None for ref in seen))

    run_ingest(world, new_store(), read=read, on_progress=count)
    assert len(seen) == 30
    assert max(alive) <= 5  # the one being cut, the one before it, two read ahead and one being read
    gc.collect()
    assert not any(ref() is not None for ref in seen)


def test_an_interrupted_run_keeps_every_image_that_was_cut(world: Path) -> None:
    def stop(at: IngestProgress) -> None:
        if at.n_seen == 5:
            raise KeyboardInterrupt

    store = new_store()
    with pytest.raises(KeyboardInterrupt):
        run_ingest(world, store, on_progress=stop)
    report = run_ingest(world, store)
    assert (report.n_unchanged, report.n_ingested) == (5, 5)
    assert_same_points(contents(store), fresh(world))


def test_the_embedded_store_holds_the_same_as_the_reference(world: Path, tmp_path: Path) -> None:
    store = EdgeStore(tmp_path / "store")
    lay_out(store, dict.fromkeys(RECIPES, DIM))
    run_ingest(world, store, recipes=RECIPES)
    assert_same_points(contents(store), fresh(world, recipes=RECIPES))
    store.close()


@pytest.mark.parametrize("when", ["before", "half", "after"])
def test_a_crash_at_any_write_of_a_first_run_leaves_nothing_that_the_next_run_does_not_mend(
    world: Path, when: str
) -> None:
    wanted = fresh(world)
    whole = store_with(new_store(), None, when)
    run_ingest(world, whole)
    assert whole.n_writes >= 8  # two groups: segments, flush, ledger, flush
    for position in range(1, whole.n_writes + 1):
        store = store_with(new_store(), position, when)
        with pytest.raises(StoreError):
            run_ingest(world, store)
        done = [p for p in store.scroll(IMAGES) if p.payload["status"] == "done"]
        for entry in done:  # whoever is done is whole
            where = (Condition("image_id", "=", (str(entry.payload["image_id"]),)),)
            assert store.count(SEGMENTS, where) == entry.payload["n_segments"]
        run_ingest(world, store)
        assert_same_points(contents(store), wanted)


@pytest.mark.parametrize("when", ["before", "half", "after"])
@pytest.mark.parametrize("then", ["go on", "go back"])
def test_a_crash_at_any_write_of_a_replacing_run_is_mended_whichever_settings_come_next(
    world: Path, when: str, then: str
) -> None:
    segmenter = RectangleSegmenter([AWAY])
    first = new_store()
    run_ingest(world, first, segmenter, prompts="both")
    wanted = fresh(world, segmenter=segmenter, prompts="auto") if then == "go on" else contents(first)
    whole = store_with(first, None, when)
    run_ingest(world, whole, segmenter, prompts="auto")
    assert whole.n_writes >= 14  # two groups: withdraw, flush, segments, orphans, flush, ledger, flush
    for position in range(1, whole.n_writes + 1):
        store = store_with(first, position, when)
        with pytest.raises(StoreError):
            run_ingest(world, store, segmenter, prompts="auto")
        run_ingest(world, store, segmenter, prompts="auto" if then == "go on" else "both")
        assert_same_points(contents(store), wanted)
