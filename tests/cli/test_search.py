"""`samdb search` on the drawn dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samdb.datasets.images import read_image
from tests.cli.command import Finished, Samdb
from tests.shapes import N_TRAIN, Shapes, boxes_of

NEW = 100  # an image of val: it is not in the store

pytestmark = pytest.mark.weights


def box_of(name: str, number: int = NEW) -> str:
    """A shape's box as it is typed."""
    return ",".join(f"{v:g}" for v in boxes_of(number)[name])


def centre_of(name: str, number: int = NEW) -> str:
    """A shape's centre as it is typed."""
    x0, y0, x1, y1 = boxes_of(number)[name]
    return f"{(x0 + x1) / 2:g},{(y0 + y1) / 2:g}"


def first_classes(done: Finished, n: int) -> set[object]:
    """The classes of the first n hits."""
    assert done.code == 0, done.err
    return {record["class_name"] for record in done.records[:n]}


def test_a_box_on_a_new_image_finds_its_like(samdb: Samdb, shapes: Shapes) -> None:
    done = samdb("search", shapes.photo("val", NEW), "--box", box_of("bar"), "--limit", N_TRAIN, "--json")
    assert first_classes(done, 5) == {"bar"}
    record = done.records[0]
    assert {"rank", "score", "segment_id", "image", "box_xyxy", "class_name", "granularity"} <= record.keys()
    assert record["rank"] == 1
    assert isinstance(record["score"], float)
    assert 0.5 < record["score"] <= 1
    assert Path(str(record["image"])).is_file()


def test_points_masks_and_several_examples_find_their_like(
    samdb: Samdb, shapes: Shapes, tmp_path: Path
) -> None:
    photo = shapes.photo("val", NEW)
    by_point = samdb("search", photo, "--point", centre_of("square"), "--json")
    assert first_classes(by_point, 3) == {"square"}
    mask = np.zeros(read_image(photo).shape[:2], dtype=np.uint8)
    x0, y0, x1, y1 = (int(v) for v in boxes_of(NEW)["bar"])
    mask[y0:y1, x0:x1] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    by_mask = samdb("search", photo, "--mask", tmp_path / "mask.png", "--json")
    assert first_classes(by_mask, 3) == {"bar"}
    words = ("--segment", shapes.stored_id("disc", 0), "--segment", shapes.stored_id("bar", 1))
    assert first_classes(samdb("search", *words, "--json"), 8) == {"disc", "bar"}


def test_counter_examples_push_their_like_to_the_end(samdb: Samdb, shapes: Shapes) -> None:
    photo = shapes.photo("val", NEW)
    words = (
        "search",
        photo,
        "--box",
        box_of("disc"),
        "--limit",
        100,
        "--where",
        "granularity=whole",
        "--json",
    )
    done = samdb(*words, "--not", centre_of("bar"), "--not", box_of("square"))
    assert first_classes(done, N_TRAIN) == {"disc"}
    stored = next(r["segment_id"] for r in done.records if r["class_name"] == "bar")
    again = samdb(*words, "--not", stored)
    assert stored not in {r["segment_id"] for r in again.records}
    assert first_classes(again, N_TRAIN) == {"disc"}


def test_the_example_is_not_among_its_own_hits(samdb: Samdb, shapes: Shapes) -> None:
    words = ("--limit", 100, "--json", "--where", "granularity=whole")
    done = samdb("search", shapes.photo("train", 3), "--box", box_of("disc", 3), *words)
    of_image = [r["class_name"] for r in done.records if r["image_id"] == "images/train/03.png"]
    assert sorted(of_image, key=str) == ["bar", "square"]
    assert len(done.records) == 3 * N_TRAIN - 1
    first = done.records[0]["segment_id"]
    by_id = samdb("search", "--segment", first, *words)
    assert first not in {r["segment_id"] for r in by_id.records}
    assert len(by_id.records) == 3 * N_TRAIN - 1


def test_filters_pages_and_limits_per_image_hold(samdb: Samdb, shapes: Shapes) -> None:
    words = ("search", "--segment", shapes.stored_id("disc", 0), "--json")
    bars = samdb(*words, "--where", "class_name=bar", "--where", "area_px>=100", "--limit", 100)
    assert first_classes(bars, 100) == {"bar"}
    pages = [samdb(*words, "--limit", 5, "--offset", at).records for at in (0, 5)]
    whole = samdb(*words, "--limit", 10).records
    assert [r["segment_id"] for page in pages for r in page] == [r["segment_id"] for r in whole]
    assert [r["rank"] for r in pages[1]] == [6, 7, 8, 9, 10]
    one_each = samdb(*words, "--per-image", 1, "--limit", 100).records
    assert sorted(str(r["image_id"]) for r in one_each) == [
        f"images/train/{i:02}.png" for i in range(N_TRAIN)
    ]


def test_the_table_prints_whole_ids_however_narrow_the_terminal_is(samdb: Samdb, shapes: Shapes) -> None:
    words = ("search", "--segment", shapes.stored_id("disc", 0), "--limit", 3)
    wanted = samdb(*words, "--json").records
    done = samdb(*words, COLUMNS="40")
    header, *rows = done.table
    assert header == ["rank", "score", "class", "granularity", "box", "segment", "image"]
    assert [row[5] for row in rows] == [r["segment_id"] for r in wanted]
    assert [row[6] for row in rows] == [r["image_id"] for r in wanted]
    assert "…" not in done.out


def test_the_contact_sheet_is_a_picture(samdb: Samdb, shapes: Shapes, tmp_path: Path) -> None:
    sheet = tmp_path / "new" / "sheet.png"
    done = samdb("search", "--segment", shapes.stored_id("disc", 0), "--limit", 4, "--out", sheet)
    assert done.code == 0
    assert f"picture: {sheet}" in done.err
    assert read_image(sheet).reshape(-1, 3).std(axis=0).min() > 10


def test_a_search_that_finds_nothing_says_why(samdb: Samdb, shapes: Shapes, tmp_path: Path) -> None:
    words = ("search", "--segment", shapes.stored_id("disc", 0))
    done = samdb(*words, "--where", "class_name=dics", "--out", tmp_path / "sheet.png")
    assert (done.code, done.out) == (0, "")
    assert "nothing was found" in done.err
    assert "class_name is " in done.err
    assert "disc (" in done.err
    assert (tmp_path / "sheet.png").is_file()
    unstored = samdb(*words, "--recipe", "crop", "--json")
    assert (unstored.code, unstored.out) == (1, "")
    assert "ingest again with --recipes crop" in unstored.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--box", "10,10,20"), 2, "write X0,Y0,X1,Y1 in pixels"),
        (("--box", "10,10,10,20"), 1, "inverted or empty"),
        (("--box", "900,10,950,20"), 1, "lies outside the image of 240x180 px"),
        (("--point", "12;3"), 2, "write X,Y in pixels"),
        (("--point", "-5,3"), 1, "lies outside the image"),
        (("--mask", "nowhere.png"), 1, "there is no such file"),
        (("--segment", "12345"), 1, "is not a segment id"),
        (("--segment", "00000000-0000-0000-0000-000000000000"), 1, "there is no segment"),
        (("--box", "1,1,90,90", "--not", "that"), 2, "give a segment id"),
        (("--box", "1,1,90,90", "--where", "class_name"), 2, "cannot read the filter"),
        (("--box", "1,1,90,90", "--where", "area_px>=big"), 2, "needs one number"),
        (("--box", "1,1,90,90", "--recipe", "blnd"), 2, "unknown recipe 'blnd': choose from backbone, blend"),
        (("--box", "1,1,90,90", "--limit", "0"), 2, "--limit"),
        (("--box", "1,1,90,90", "--out", "sheet.jpg"), 2, "name it sheet.png"),
        (("--box", "1,1,90,90", "--device", "gpu"), 2, "gpu"),
        (("--box", "1,1,90,90", "--model", "vit_b"), 3, "--model vit_t"),
        ((), 2, "give an example"),
    ],
)
def test_what_cannot_be_used_says_why_and_how(
    samdb: Samdb, shapes: Shapes, words: tuple[str, ...], code: int, message: str
) -> None:
    done = samdb("search", shapes.photo("val", NEW), *words)
    assert (done.code, done.out) == (code, "")
    assert message in " ".join(done.err.split())
    assert "Traceback" not in done.err


def test_a_box_without_image_and_a_mask_of_another_size_are_refused(
    samdb: Samdb, shapes: Shapes, tmp_path: Path
) -> None:
    alone = samdb("search", "--box", "1,1,9,9")
    assert (alone.code, alone.out) == (2, "")
    assert "need the IMAGE" in alone.err
    Image.fromarray(np.full((20, 30), 255, dtype=np.uint8)).save(tmp_path / "mask.png")
    small = samdb("search", shapes.photo("val", NEW), "--mask", tmp_path / "mask.png")
    assert small.code == 1
    assert "the mask is 30x20 px: it must be as large as the image of 240x180 px" in small.err
    Image.fromarray(np.zeros((180, 240), dtype=np.uint8)).save(tmp_path / "mask.png")
    black = samdb("search", shapes.photo("val", NEW), "--mask", tmp_path / "mask.png")
    assert black.code == 2
    assert "the mask is empty" in black.err
