"""The ledger: what makes an image be cut again, and that it reads back what was written."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from samdb.core.masks import Rle
from samdb.core.sample import Label, Sample
from samdb.core.vectors import normalise
from samdb.pipelines.cutting import CutSettings
from samdb.pipelines.ledger import (
    PENDING,
    LedgerEntry,
    file_sha256,
    fingerprint,
    ledger_point,
    read_ledger,
)
from samdb.stores.layout import GLOBAL_VECTOR, IMAGES
from tests.pipelines.ingest_worlds import RectangleSegmenter, filled, new_store

LABEL = Label("1", "automobile", "car", (1, 2, 30, 40), filled((1, 2, 30, 40), (50, 60)), {"occluded": True})
SAMPLE = Sample("d", "train", "a/b.jpg", Path("a/b.jpg"), (LABEL,), True, {"scene": "street"})
SETTINGS = CutSettings("both", ("neck", "token"))
ENTRY = LedgerEntry(
    "a/b.jpg", Path("/photos/a/b.jpg"), "0" * 64, "f", "done", 3, None, ("label 2: is inverted",)
)


def test_the_same_image_has_the_same_fingerprint_in_every_run() -> None:
    again = Sample("d", "train", "a/b.jpg", Path("a/b.jpg"), (replace(LABEL),), True, {"scene": "street"})
    assert fingerprint(RectangleSegmenter(), SETTINGS, SAMPLE) == fingerprint(
        RectangleSegmenter(), CutSettings("both", ("token", "neck")), again
    )


def test_attributes_may_come_in_any_order() -> None:
    one = replace(SAMPLE, attributes={"scene": "street", "weather": "rainy"})
    other = replace(SAMPLE, attributes={"weather": "rainy", "scene": "street"})
    segmenter = RectangleSegmenter()
    assert fingerprint(segmenter, SETTINGS, one) == fingerprint(segmenter, SETTINGS, other)


def with_label(label: Label) -> Sample:
    """The sample with another label."""
    return replace(SAMPLE, labels=(label,))


@pytest.mark.parametrize(
    "changed",
    [
        replace(SAMPLE, split="val"),
        replace(SAMPLE, attributes={"scene": "tunnel"}),
        replace(SAMPLE, problems=("label 2: has no category",)),
        replace(SAMPLE, labels=()),
        replace(SAMPLE, labels=(), has_labels=False),
        replace(SAMPLE, labels=(LABEL, replace(LABEL, label_id="2"))),
        with_label(replace(LABEL, label_id="2")),
        with_label(replace(LABEL, category="van")),
        with_label(replace(LABEL, class_name="truck")),
        with_label(replace(LABEL, box_xyxy=(1, 2, 30, 40.5))),
        with_label(replace(LABEL, box_xyxy=None)),
        with_label(replace(LABEL, mask=None)),
        with_label(replace(LABEL, mask=filled((1, 2, 30, 39), (50, 60)))),
        with_label(replace(LABEL, mask=Rle((60, 50), filled((1, 2, 30, 40), (50, 60)).counts))),
        with_label(replace(LABEL, attributes={"occluded": False})),
        with_label(replace(LABEL, attributes={"occluded": 1})),
        with_label(replace(LABEL, ignore=True)),
    ],
)
def test_any_change_of_labels_or_attributes_changes_the_fingerprint(changed: Sample) -> None:
    segmenter = RectangleSegmenter()
    assert fingerprint(segmenter, SETTINGS, changed) != fingerprint(segmenter, SETTINGS, SAMPLE)


def test_labelled_as_empty_is_not_the_same_as_not_labelled() -> None:
    segmenter, empty = RectangleSegmenter(), replace(SAMPLE, labels=())
    unlabelled = replace(empty, has_labels=False)
    assert fingerprint(segmenter, SETTINGS, empty) != fingerprint(segmenter, SETTINGS, unlabelled)


@pytest.mark.parametrize(
    ("segmenter", "settings"),
    [
        (RectangleSegmenter(weights="weights-2"), SETTINGS),
        (RectangleSegmenter(grid="grid-2"), SETTINGS),
        (RectangleSegmenter(), CutSettings("auto", ("neck", "token"))),
        (RectangleSegmenter(), CutSettings("both", ("neck",))),
        (RectangleSegmenter(), CutSettings("both", ("neck", "token", "crop"))),
    ],
)
def test_other_weights_prompts_or_recipes_change_the_fingerprint(
    segmenter: RectangleSegmenter, settings: CutSettings
) -> None:
    assert fingerprint(segmenter, settings, SAMPLE) != fingerprint(RectangleSegmenter(), SETTINGS, SAMPLE)


def test_the_grid_does_not_matter_to_label_prompts() -> None:
    settings = CutSettings("labels", ("neck",))
    other = RectangleSegmenter(grid="grid-2")
    assert fingerprint(other, settings, SAMPLE) == fingerprint(RectangleSegmenter(), settings, SAMPLE)


@pytest.mark.parametrize(
    "entry", [ENTRY, replace(ENTRY, status="quarantined", reason="is empty", problems=())]
)
def test_an_entry_reads_back_as_it_was_written(entry: LedgerEntry) -> None:
    store = new_store()
    store.upsert(IMAGES, [ledger_point(SAMPLE, entry, None, None)])
    assert read_ledger(store, "d") == {"a/b.jpg": entry}


def test_only_entries_of_the_dataset_are_read() -> None:
    store = new_store()
    store.upsert(IMAGES, [ledger_point(replace(SAMPLE, dataset="other"), ENTRY, None, None)])
    assert read_ledger(store, "d") == {}


def test_the_size_and_the_global_vector_of_an_image_are_kept() -> None:
    store = new_store()
    vector = normalise(np.arange(256, dtype=np.float32))
    store.upsert(IMAGES, [ledger_point(SAMPLE, ENTRY, (720, 1280), vector)])
    (point,) = store.scroll(IMAGES, (), (GLOBAL_VECTOR,))
    assert point.payload["size_hw"] == [720, 1280]
    np.testing.assert_array_equal(point.vectors[GLOBAL_VECTOR], vector)


@pytest.mark.parametrize("status", ["pending", "a status of a later version"])
def test_an_image_whose_segments_were_being_replaced_is_not_done(status: str) -> None:
    store = new_store()
    point = ledger_point(SAMPLE, ENTRY, None, None)
    store.upsert(IMAGES, [point])
    store.set_payload(IMAGES, [point.id], {**PENDING, "status": status})
    assert read_ledger(store, "d") == {"a/b.jpg": replace(ENTRY, status="pending")}


def test_a_file_is_known_by_its_bytes_and_one_that_cannot_be_read_as_empty(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"photo")
    assert file_sha256(tmp_path / "a") == hashlib.sha256(b"photo").hexdigest()
    assert file_sha256(tmp_path / "gone") == file_sha256(tmp_path) == hashlib.sha256().hexdigest()
