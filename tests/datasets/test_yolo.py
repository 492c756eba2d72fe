"""YOLO in the layouts that Ultralytics, Roboflow and darknet write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
import yaml

from samdb.core.sample import Sample
from samdb.datasets import describe, open_dataset
from samdb.errors import DatasetError

WriteImages: TypeAlias = Callable[..., list[Path]]

NAMES = ["car", "person"]


def write_yaml(root: Path, **keys: object) -> Path:
    """Write `data.yaml`."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "data.yaml").write_text(yaml.safe_dump(keys))
    return root


def write_labels(root: Path, **files: str) -> None:
    """Write label files: folder__name="lines"; `/` in a folder is `_SL_`."""
    for key, text in files.items():
        folder, _, name = key.rpartition("__")
        path = root / folder.replace("_SL_", "/") / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def root(tmp_path: Path, write_images: WriteImages) -> Path:
    """A dataset of three images of 40x20 px in `train`, its labels still to be written."""
    write_images(tmp_path / "set/images/train", ["a.jpg", "b.jpg", "c.jpg"])
    return write_yaml(tmp_path / "set", path=".", train="images/train", val="images/val", names=NAMES)


def first(root: Path) -> Sample:
    """The first sample of the dataset."""
    return next(open_dataset(root).samples())


def test_boxes_and_outlines_are_read_in_px(root: Path) -> None:
    write_labels(
        root,
        labels_SL_train__a="0 0.5 0.5 0.5 0.2\n1 0.1 0.1 0.6 0.1 0.6 0.6 0.1 0.6\n",
        labels_SL_train__b="",
    )
    dataset = open_dataset(root)
    a, b, c = dataset.samples("train")
    assert (dataset.format, dataset.name, a.image_id, a.split) == (
        "yolo",
        "set",
        "images/train/a.jpg",
        "train",
    )
    car, person = a.labels
    assert (car.label_id, car.class_name, car.box_xyxy, car.mask) == ("#1", "car", (10, 8, 30, 12), None)
    assert (person.class_name, person.box_xyxy) == ("person", (4, 2, 24, 12))
    assert person.mask is not None
    assert person.mask.area_px == 200
    assert (b.has_labels, b.labels) == (True, ())  # an empty file: nothing is in it
    assert not c.has_labels  # no file: not labelled
    assert [describe(row) for row in dataset.summary()] == [
        "images/train: 3 images, 1 with boxes (2 boxes, 1 mask, 2 classes)"
    ]
    notices = "\n".join(dataset.notices())
    assert "val: images/val is not there" in notices
    assert "labels/train: has no entry for 1 of 3 images (the first is c)" in notices
    assert not dataset.problems()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 nan 0.5 0.1 0.1", "not a finite number"),
        ("0 1.7 0.5 0.1 0.1", "coordinate 1.7; they are fractions"),
        ("0 -0.2 0.5 0.1 0.1", "coordinate -0.2"),
        ("7 0.5 0.5 0.1 0.1", "class 7, but the names go from 0 to 1"),
        ("-1 0.5 0.5 0.1 0.1", "class -1, not a whole number"),
        ("0.5 0.5 0.5 0.1 0.1", "class 0.5, not a whole number"),
        ("car 0.5 0.5 0.1 0.1", "'car' where a number should be"),
        ("0 0.5 0.5", "has 2 numbers after the class"),
        ("0", "has 0 numbers after the class"),
        ("0 0.5 0.5 0 0.1", "inverted or empty"),
        ("0 0.1 0.1 0.2 0.2 0.1 0.1", "the mask is empty"),
    ],
)
def test_a_line_that_cannot_be_used_is_reported_and_the_others_stay(
    root: Path, line: str, reason: str
) -> None:
    write_labels(root, labels_SL_train__a=f"{line}\n1 0.5 0.5 0.5 0.5\n")
    sample = first(root)
    assert [label.label_id for label in sample.labels] == ["#2"]
    assert len(sample.problems) == 1
    assert sample.problems[0].startswith("label #1: ")
    assert reason in sample.problems[0]


def test_repeated_lines_rounding_errors_and_classes_written_as_floats(root: Path) -> None:
    write_labels(root, labels_SL_train__a="0.0 0.5 0.5 1.0001 1\n\n0 0.5 0.5 0.5 0.5\n0  0.5 0.5 0.5 0.5\n")
    sample = first(root)
    assert [label.box_xyxy for label in sample.labels] == [(0, 0, 40, 20), (10, 5, 30, 15)]
    assert sample.problems == ("label #4: repeats line 3",)


def test_the_confidence_of_predictions_is_an_attribute(root: Path) -> None:
    write_labels(root, labels_SL_train__a="0 0.5 0.5 0.5 0.5 0.9\n0 0.1 0.1 0.6 0.1 0.6 0.6 0.25\n")
    assert [label.attributes for label in first(root).labels] == [{"confidence": 0.9}, {"confidence": 0.25}]


def test_keypoints_are_passed_over(root: Path) -> None:
    write_yaml(root, train="images/train", names=NAMES, kpt_shape=[1, 3])
    write_labels(root, labels_SL_train__a="0 0.5 0.5 0.5 0.5 0.5 0.5 2\n")
    (label,) = first(root).labels
    assert (label.box_xyxy, label.mask) == ((10, 5, 30, 15), None)


def test_splits_may_be_lists_of_folders_text_files_and_names_a_dict(
    root: Path, write_images: WriteImages
) -> None:
    write_images(root / "more", ["d.jpg"])
    (root / "lists").mkdir()
    (root / "lists/val.txt").write_text(
        "./../images/train/a.jpg\nimages/train/b.jpg\nimages/train/gone.jpg\n"
    )
    write_yaml(root, val="lists/val.txt", train=["images/train", "more"], names={5: "car", 1: "person"})
    write_labels(root, labels_SL_train__c="5 0.5 0.5 0.5 0.5", more__d="1 0.5 0.5 0.5 0.5")
    dataset = open_dataset(root / "data.yaml")
    by_split = {split: [s.image_id for s in dataset.samples(split)] for split in dataset.splits()}
    assert by_split == {
        "train": ["images/train/a.jpg", "images/train/b.jpg", "images/train/c.jpg", "more/d.jpg"]
    }
    # a label file beside its image serves where there is no folder `images`
    assert [label.class_name for s in dataset.samples() for label in s.labels] == ["car", "person"]
    notices = "\n".join(dataset.notices())
    assert "1 of 3 listed images are not there (the first is images/train/gone.jpg)" in notices
    assert "val: 2 images are listed before" in notices


def test_a_list_that_names_some_images_makes_no_noise_about_the_others(root: Path) -> None:
    (root / "train.txt").write_text("./images/train/a.jpg\n")
    write_yaml(root, train="train.txt", names=NAMES)
    write_labels(root, labels_SL_train__a="0 0.5 0.5 0.5 0.5", labels_SL_train__b="", labels_SL_train__c="")
    dataset = open_dataset(root)
    assert len(dataset) == 1
    assert not dataset.notices()


def test_roboflows_paths_that_leave_the_folder_mean_the_folder(
    tmp_path: Path, write_images: WriteImages
) -> None:
    root = write_yaml(tmp_path / "export", train="../train/images", val="../valid/images", nc=2, names=NAMES)
    write_images(root / "train/images", ["a.jpg"])
    write_images(root / "valid/images", ["b.jpg"])
    write_labels(root, train_SL_labels__a="0 0.5 0.5 0.5 0.5", valid_SL_labels__b="1 0.5 0.5 0.5 0.5")
    dataset = open_dataset(root)
    assert [(s.split, s.image_id, s.labels[0].class_name) for s in dataset.samples()] == [
        ("train", "train/images/a.jpg", "car"),
        ("val", "valid/images/b.jpg", "person"),
    ]


def test_images_outside_the_folder_of_the_yaml_are_found(tmp_path: Path, write_images: WriteImages) -> None:
    write_images(tmp_path / "photos/images", ["a.jpg"])
    write_labels(tmp_path / "photos", labels__a="0 0.5 0.5 0.5 0.5")
    root = write_yaml(tmp_path / "config", path=str(tmp_path / "photos"), train="images", names=NAMES)
    (sample,) = open_dataset(root).samples()
    assert (sample.image_id, sample.path) == ("photos/images/a.jpg", tmp_path / "photos/images/a.jpg")
    assert sample.labels[0].class_name == "car"


def test_twin_folders_without_a_yaml_are_told_by_their_label_files(
    tmp_path: Path, write_images: WriteImages
) -> None:
    write_images(tmp_path / "images/val", ["a.jpg"])
    write_labels(tmp_path, labels_SL_val__a="1 0.5 0.5 0.5 0.5")
    dataset = open_dataset(tmp_path)
    (sample,) = dataset.samples("val")
    assert (dataset.format, sample.labels[0].class_name) == ("yolo", "1")
    assert any("classes are called by their numbers" in notice for notice in dataset.notices())
    (tmp_path / "classes.txt").write_text("car\nperson\n")
    assert first(tmp_path).labels[0].class_name == "person"


def test_text_files_of_something_else_make_no_folder_a_dataset(
    tmp_path: Path, write_images: WriteImages
) -> None:
    write_images(tmp_path / "images", ["a.jpg"])
    write_labels(tmp_path, labels__a="a photograph of a street\n")
    (tmp_path / "config.yaml").write_text("names: none\nlearning_rate: 1\n")
    assert open_dataset(tmp_path).format == "folder"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("names: [car\ntrain: x", "broken YAML"),
        ("names: []\ntrain: x", "needs a list of class names"),
        ("names: {a: car}\ntrain: x", "'a': 'car' is not an index with a name"),
        ("names: [[car]]\ntrain: x", "is not an index with a name"),
        ("names: {0: !!python/object/apply:os.getcwd []}\ntrain: x", "broken YAML"),
    ],
)
def test_a_yaml_that_cannot_be_used_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(DatasetError, match=reason):
        open_dataset(tmp_path)


def test_an_image_that_cannot_be_read_counts_as_not_labelled_with_the_reason(root: Path) -> None:
    (root / "images/train/a.jpg").write_bytes(b"no image")
    write_labels(root, labels_SL_train__a="0 0.5 0.5 0.5 0.5")
    dataset = open_dataset(root)
    sample = next(dataset.samples())
    assert not sample.has_labels
    assert "its labels need the image's size" in sample.problems[0]
    assert any("a.jpg" in problem for problem in dataset.problems())


def test_rubbish_in_any_place_never_crashes_the_reader(root: Path) -> None:
    good = "0 0.5 0.5 0.5 0.2\n1 0.1 0.1 0.6 0.1 0.6 0.6 0.1 0.6\n"
    rubbish = ["", "nan", "inf", "-1", "1e400", "x", "0x1", "0,5", "\x00", "\n", "1_0", "٣", "9" * 400, "0.5"]
    rng = np.random.default_rng(0)
    for _ in range(300):
        words = good.split(" ")
        for _ in range(int(rng.integers(1, 4))):
            words[int(rng.integers(0, len(words)))] = rubbish[int(rng.integers(0, len(rubbish)))]
        write_labels(root, labels_SL_train__a=" ".join(words))
        sample = first(root)
        for label in sample.labels:
            assert label.box_xyxy is not None
            assert all(-20 <= v <= 60 for v in label.box_xyxy)
            assert label.class_name in NAMES


def test_a_folder_that_is_not_yolo_is_refused(tmp_path: Path, write_images: WriteImages) -> None:
    write_images(tmp_path, ["a.jpg"])
    with pytest.raises(DatasetError, match="does not look like YOLO: no data"):
        open_dataset(tmp_path, format="yolo")
