"""Opening a path: which format it is, plain folders, and what is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from samdb.datasets import describe, open_dataset
from samdb.errors import ConfigError, DatasetError
from samdb.ports import SplitSummary

WriteImages: TypeAlias = Callable[..., list[Path]]
WriteJson: TypeAlias = Callable[[Path, object], Path]


def test_a_plain_folder_gives_all_images_in_it_in_a_stable_order(
    tmp_path: Path, write_images: WriteImages
) -> None:
    write_images(tmp_path, ["b.jpg", "a.PNG"])
    write_images(tmp_path / "trip/day 1", ["c.jpeg"])
    write_images(tmp_path / ".thumbnails", ["hidden.jpg"])
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "._b.jpg").write_bytes(b"what macOS leaves behind")
    dataset = open_dataset(tmp_path, name="mine")
    assert (dataset.format, dataset.name, len(dataset)) == ("folder", "mine", 3)
    samples = list(dataset.samples())
    assert [s.image_id for s in samples] == ["a.PNG", "b.jpg", "trip/day 1/c.jpeg"]
    assert {(s.split, s.has_labels, s.labels) for s in samples} == {("all", False, ())}
    assert [describe(row) for row in dataset.summary()] == [
        "images: 2 images, no labels",
        "trip/day 1: 1 image, no labels",
    ]
    assert not dataset.problems()


def test_splits_are_told_from_folder_names(tmp_path: Path, write_images: WriteImages) -> None:
    for folder in ("test", "train/night", "validation", "other"):
        write_images(tmp_path / folder, ["a.jpg"])
    dataset = open_dataset(tmp_path)
    assert dataset.splits() == ["train", "val", "test", "all"]
    assert [s.image_id for s in dataset.samples("train")] == ["train/night/a.jpg"]


def test_a_folder_named_like_a_split_is_that_split(tmp_path: Path, write_images: WriteImages) -> None:
    write_images(tmp_path / "val2017", ["a.jpg"])
    assert open_dataset(tmp_path / "val2017").splits() == ["val"]


def test_an_unknown_split_is_refused_at_once_and_the_known_ones_are_said(
    tmp_path: Path, write_images: WriteImages
) -> None:
    write_images(tmp_path / "train", ["a.jpg"])
    with pytest.raises(DatasetError, match="no split 'val'; it has: train"):
        open_dataset(tmp_path).samples("val")


def test_a_single_image_is_a_dataset_of_one(tmp_path: Path, write_images: WriteImages) -> None:
    (path,) = write_images(tmp_path, ["a.jpg"])
    dataset = open_dataset(path)
    (sample,) = dataset.samples()
    assert (dataset.format, dataset.name, sample.image_id, sample.path) == ("folder", "a", "a.jpg", path)


def test_the_name_is_that_of_the_folder_even_from_inside(
    tmp_path: Path, write_images: WriteImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images(tmp_path / "drives", ["a.jpg"])
    monkeypatch.chdir(tmp_path / "drives")
    assert open_dataset(Path(".")).name == "drives"


def test_a_link_back_to_the_folder_does_not_make_it_endless(
    tmp_path: Path, write_images: WriteImages
) -> None:
    write_images(tmp_path / "photos", ["a.jpg"])
    os.symlink(tmp_path, tmp_path / "photos/loop")
    assert len(open_dataset(tmp_path)) == 1


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such file or folder"):
        open_dataset(tmp_path / "nothing")


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no image"):
        open_dataset(tmp_path)


def test_a_file_that_is_no_dataset_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    with pytest.raises(DatasetError, match="neither an image nor a label file"):
        open_dataset(path)


def test_an_unknown_format_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="auto, bdd100k, coco, yolo, voc, imagenet, folder"):
        open_dataset(tmp_path, format="kitti")


def test_a_forced_format_that_does_not_fit_is_refused(tmp_path: Path, write_images: WriteImages) -> None:
    write_images(tmp_path, ["a.jpg"])
    with pytest.raises(DatasetError, match="does not look like BDD100K: expected images/100k"):
        open_dataset(tmp_path, format="bdd100k")


def test_format_folder_reads_only_the_images(
    tmp_path: Path, write_images: WriteImages, write_json: WriteJson
) -> None:
    write_images(tmp_path / "images/100k/val", ["a.jpg"])
    write_images(tmp_path / "labels/ins_seg/bitmasks/val", ["a.png"])
    frames = [{"name": "a.jpg", "labels": []}]
    write_json(tmp_path / "labels/det_20/det_val.json", frames)
    (sample,) = open_dataset(tmp_path, format="folder").samples()
    assert (sample.image_id, sample.split, sample.has_labels) == ("images/100k/val/a.jpg", "val", False)


def test_json_of_something_else_does_not_make_a_folder_a_dataset(
    tmp_path: Path, write_images: WriteImages, write_json: WriteJson
) -> None:
    write_images(tmp_path, ["a.jpg"])
    for i, content in enumerate(
        [{}, [], {"name": "x", "version": 1}, [{"image_id": 1, "bbox": [1, 2, 3, 4]}], 5]
    ):
        write_json(tmp_path / f"{i}.json", content)
    assert open_dataset(tmp_path).format == "folder"


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (SplitSummary("images/100k/val", "val", 200, 200, 3727, 0, 10),
         "images/100k/val: 200 images, 200 with boxes (3,727 boxes, 10 classes)"),
        (SplitSummary("images", "all", 20, 20, 312, 312, 40),
         "images: 20 images, 20 with masks (312 masks, 40 classes)"),
        (SplitSummary(".", "all", 1, 0, 0, 0, 0), "images: 1 image, no labels"),
        (SplitSummary("images/100k/train", "train", 69863, 69863, 1286871, 0, 10),
         "images/100k/train: 69,863 images, 69,863 with boxes (1,286,871 boxes, 10 classes)"),
    ],
)  # fmt: skip
def test_a_summary_reads_as_a_sentence(row: SplitSummary, text: str) -> None:
    assert describe(row) == text
