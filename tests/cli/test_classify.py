"""`samdb classify` on the drawn dataset."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from samdb.core.masks import Rle
from samdb.datasets.images import read_image
from tests.cli.command import Samdb
from tests.shapes import N_VAL, Shapes, boxes_of

NEW = 100

pytestmark = pytest.mark.weights

KEYS = {
    "image",
    "box_xyxy",
    "mask",
    "granularity",
    "class_name",
    "score",
    "runner_up",
    "reason",
    "segment_id",
    "outcome",
    "classes",
    "parts",
    "answered_by",
}


def test_the_segments_of_an_image_are_told_as_json_lines(samdb: Samdb, shapes: Shapes) -> None:
    photo = shapes.photo("val", NEW)
    done = samdb("classify", photo, "--json")
    assert done.code == 0, done.err
    assert done.records
    for record in done.records:
        assert record.keys() == KEYS
        assert record["image"] == str(photo)
        mask, score = record["mask"], record["score"]
        assert isinstance(mask, dict)
        assert Rle((180, 240), str(mask["counts"])).area_px > 0
        assert mask["size"] == [180, 240]
        assert isinstance(score, float)
        assert 0 <= score <= 1
        assert (record["class_name"] is None) == (record["reason"] is not None)
        assert (record["outcome"] == "unknown") == (record["class_name"] is None)
        assert record["answered_by"] is None
    for name, box in boxes_of(NEW).items():
        (found,) = (r for r in done.records if r["box_xyxy"] == list(box))
        assert found["class_name"] == name


def test_the_labels_of_a_dataset_are_answered_and_compared(
    samdb: Samdb, shapes: Shapes, tmp_path: Path
) -> None:
    done = samdb(
        "classify", shapes.folder, "--split", "val", "--prompts", "labels", "--json", "--out", tmp_path
    )
    assert done.code == 0, done.err
    assert len(done.records) == 3 * N_VAL
    for record in done.records:
        assert record.keys() == KEYS | {"label", "label_box_xyxy"}
        assert record["class_name"] == record["label"]
        number = int(Path(str(record["image"])).stem)
        assert record["label_box_xyxy"] == list(boxes_of(number)[str(record["label"])])
    said = "6 labelled boxes: accuracy 1.000, macro-F1 1.000 over 3 classes (0 rejected, counted as wrong)"
    assert said in done.err
    for number in range(NEW, NEW + N_VAL):
        assert read_image(tmp_path / f"{number}.png").reshape(-1, 3).std(axis=0).min() > 10


def test_parts_are_shown_when_all_segments_are_asked_for(samdb: Samdb, shapes: Shapes) -> None:
    photo = shapes.photo("val", NEW)
    answers = samdb("classify", photo, "--json").records
    everything = samdb("classify", photo, "--json", "--all-segments").records
    assert {r["segment_id"] for r in answers} == {
        r["segment_id"] for r in everything if r["answered_by"] is None
    }
    hidden = sum(r["answered_by"] is not None for r in everything)
    assert hidden == sum(int(str(r["parts"])) for r in answers)


def test_boxes_of_a_file_are_answered(samdb: Samdb, shapes: Shapes, tmp_path: Path) -> None:
    boxes = tmp_path / "boxes.json"
    disc, bar = boxes_of(NEW)["disc"], boxes_of(NEW)["bar"]
    boxes.write_text(json.dumps([list(disc), {"box_xyxy": list(bar), "class_name": "bar"}, [900, 5, 950, 9]]))
    done = samdb("classify", shapes.photo("val", NEW), "--prompts", boxes, "--json")
    assert done.code == 0, done.err
    assert [(r["class_name"], r["label"]) for r in done.records] == [("disc", None), ("bar", "bar")]
    assert [r["label_box_xyxy"] for r in done.records] == [list(disc), list(bar)]
    assert "1 labelled box: accuracy 1.000" in done.err
    assert "outside the image" in done.err
    table = samdb("classify", shapes.photo("val", NEW), "--prompts", boxes, "--min-area-px", 1500)
    assert table.table[0] == ["image", "box", "class", "score", "runner-up", "granularity", "parts"]
    assert [row[2] for row in table.table[1:]] == ["disc"]


def test_a_folder_goes_on_after_an_image_that_cannot_be_read(
    samdb: Samdb, shapes: Shapes, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    names = ("[bold]a.png", "[red]b/[bold]a.png")
    for name in names:
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(shapes.photo("val", NEW), photos / name)
    (photos / "[red]b" / "[blink]broken.png").write_bytes(shapes.photo("val", NEW).read_bytes()[:3000])
    done = samdb("classify", photos, "--out", tmp_path / "out", "--points-per-side", 2)
    assert done.code == 0
    assert {row[0] for row in done.table} == {"image", "[bold]a.png"}
    assert "1 of 3 images cannot be classified" in done.err
    assert "[red]b/[blink]broken.png" in done.err
    pictures = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.png")}
    assert pictures == set(names)


def test_an_image_that_cannot_be_read_fails(samdb: Samdb, tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    alone = samdb("classify", tmp_path / "empty.png")
    assert (alone.code, alone.out) == (1, "")
    assert "the file is empty" in alone.err
    folder = samdb("classify", tmp_path)
    assert (folder.code, folder.out) == (1, "")
    assert "1 of 1 images cannot be classified" in folder.err


def test_a_bank_is_chosen_by_name_and_version(samdb: Samdb, shapes: Shapes) -> None:
    known = samdb("classify", shapes.folder, "--prompts", "labels", "--limit", 1, "--bank", "default@1")
    assert known.code == 0
    unknown = samdb("classify", shapes.photo("val", NEW), "--bank", "default@7")
    assert (unknown.code, unknown.out) == (1, "")
    assert "there are default@1" in unknown.err
    garbled = samdb("classify", shapes.photo("val", NEW), "--bank", "default@new")
    assert garbled.code == 2
    assert "name@version" in garbled.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("nowhere",), 1, "there is no such file or folder"),
        (("{folder}", "--prompts", "boxes.json"), 2, "a JSON file of boxes that exists"),
        (("{folder}", "--split", "test"), 2, "has no split 'test': there is train, val"),
        (("{folder}/images/train/00.png", "--prompts", "labels"), 2, "has no labels"),
    ],
)
def test_what_cannot_be_classified_says_why(
    samdb: Samdb, shapes: Shapes, words: tuple[str, ...], code: int, message: str
) -> None:
    done = samdb("classify", *(word.format(folder=shapes.folder) for word in words))
    assert (done.code, done.out) == (code, "")
    assert message in " ".join(done.err.split())


def test_without_a_bank_or_a_store_it_is_said_before_any_model_is_loaded(
    bare: Samdb, shapes: Shapes, tmp_path: Path
) -> None:
    photo, store = shapes.photo("val", NEW), tmp_path / "store"
    # without --bank the one that comes with samdb answers (tests/cli/test_built_in.py)
    ask = ("classify", photo, "--bank", "mine", "--store", store)
    nothing = bare(*ask, SAMDB_CHECKPOINT="/nowhere.pt")
    assert (nothing.code, nothing.out) == (3, "")
    assert "run `samdb ingest PATH`" in nothing.err
    assert not store.exists()
    assert bare("store", "migrate", "--store", store).code == 0
    no_bank = bare(*ask, SAMDB_CHECKPOINT="/nowhere.pt")
    assert (no_bank.code, no_bank.out) == (1, "")
    assert "`samdb bank build`" in no_bank.err
