"""COCO: instances and panoptic, in the layouts that are found in the field."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from PIL import Image

from samdb.core.masks import Rle
from samdb.core.sample import Sample
from samdb.datasets import describe, open_dataset
from samdb.errors import DatasetError

WriteImages: TypeAlias = Callable[..., list[Path]]
WriteJson: TypeAlias = Callable[[Path, object], Path]
Fields: TypeAlias = dict[str, object]

CATEGORIES = [
    {"id": 1, "name": "person", "supercategory": "person", "isthing": 1},
    {"id": 3, "name": "car", "isthing": 1},
    {"id": 184, "name": "tree-merged", "isthing": 0},
]
CAR: Fields = {"id": 5, "image_id": 1, "category_id": 3, "bbox": [2, 3, 10, 8], "iscrowd": 0}


def instances(*annotations: Fields, names: tuple[str, ...] = ("a.jpg", "b.jpg")) -> Fields:
    """A file of instances whose images 1, 2, ... are 40x20 px."""
    images = [
        {"id": i, "file_name": name, "height": 20, "width": 40} for i, name in enumerate(names, start=1)
    ]
    return {"info": {}, "images": images, "annotations": list(annotations), "categories": CATEGORIES}


@pytest.fixture
def root(tmp_path: Path, write_images: WriteImages) -> Path:
    """A COCO folder with the images of val2017 and no labels yet."""
    write_images(tmp_path / "coco/val2017", ["a.jpg", "b.jpg"])
    return tmp_path / "coco"


def first_sample(root: Path) -> Sample:
    """The first sample of the dataset."""
    return next(open_dataset(root).samples())


def test_instances_give_boxes_masks_and_category_names(root: Path, write_json: WriteJson) -> None:
    polygon = [2, 3, 12, 3, 12, 11, 2, 11]
    write_json(
        root / "annotations/instances_val2017.json",
        instances({**CAR, "segmentation": [polygon]}, {**CAR, "id": 6, "category_id": 1}),
    )
    dataset = open_dataset(root)
    first, second = dataset.samples("val")
    assert (dataset.format, dataset.name, first.image_id) == ("coco", "coco", "val2017/a.jpg")
    car, person = first.labels
    assert (car.label_id, car.class_name, car.category) == ("5", "car", "car")
    assert car.box_xyxy == (2, 3, 12, 11)
    assert car.mask is not None
    assert (car.mask.size_hw, car.mask.area_px) == ((20, 40), 80)
    assert (person.class_name, person.mask) == ("person", None)
    assert second.has_labels
    assert second.labels == ()
    assert [describe(row) for row in dataset.summary()] == [
        "val2017: 2 images, 1 with boxes (2 boxes, 1 mask, 2 classes)"
    ]
    assert not dataset.problems()


def test_a_crowd_is_ignored_and_run_lengths_of_both_kinds_are_read(root: Path, write_json: WriteJson) -> None:
    mask = np.zeros((20, 40), dtype=bool)
    mask[3:11, 2:12] = True
    plain = [2 * 20 + 3, *[8, 12] * 9, 8, 800 - (11 * 20 + 11)]
    write_json(
        root / "annotations/instances_val2017.json",
        instances(
            {**CAR, "iscrowd": 1, "segmentation": {"size": [20, 40], "counts": plain}},
            {**CAR, "id": 6, "segmentation": {"size": [20, 40], "counts": Rle.encode(mask).counts}},
        ),
    )
    crowd, car = first_sample(root).labels
    assert (crowd.ignore, car.ignore) == (True, False)
    assert crowd.mask == car.mask == Rle.encode(mask)


def test_a_mask_without_bbox_gives_its_own_box(root: Path, write_json: WriteJson) -> None:
    annotation = {"id": 1, "image_id": 1, "category_id": 3, "segmentation": [[2, 3, 12, 3, 12, 11, 2, 11]]}
    write_json(root / "annotations/instances_val2017.json", instances(annotation))
    assert first_sample(root).labels[0].box_xyxy == (2, 3, 12, 11)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"bbox": [2, 3, -5, 8]}, "inverted or empty"),
        ({"bbox": [2, 3, 0, 8]}, "inverted or empty"),
        ({"bbox": [2, 3, float("nan"), 8]}, "finite"),
        ({"bbox": [2, 3, 4]}, "not a list of 4 numbers"),
        ({"bbox": ["2", 3, 4, 5]}, "not a number"),
        ({"bbox": None}, "neither bbox nor segmentation"),
        ({"category_id": 999}, "category_id 999"),
        ({"category_id": None}, "category_id None"),
    ],
)
def test_a_bad_annotation_is_left_out_with_its_reason(
    root: Path, write_json: WriteJson, fields: Fields, reason: str
) -> None:
    write_json(root / "annotations/instances_val2017.json", instances({**CAR, **fields}, {**CAR, "id": 6}))
    sample = first_sample(root)
    assert [label.label_id for label in sample.labels] == ["6"]
    assert len(sample.problems) == 1
    assert reason in sample.problems[0]


def test_a_bad_mask_leaves_the_good_box(root: Path, write_json: WriteJson) -> None:
    write_json(
        root / "annotations/instances_val2017.json", instances({**CAR, "segmentation": [[1, 2, 3, 4]]})
    )
    sample = first_sample(root)
    assert (sample.labels[0].mask, sample.labels[0].box_xyxy) == (None, (2, 3, 12, 11))
    assert "its box is used without it" in sample.problems[0]


def test_entries_without_ids_annotations_without_image_and_missing_images_are_problems(
    root: Path, write_json: WriteJson
) -> None:
    content = instances(CAR, {**CAR, "image_id": 77}, names=("a.jpg", "gone.jpg"))
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "gone.jpg"}, {}, 5]
    write_json(root / "annotations/instances_val2017.json", {**content, "images": images})
    dataset = open_dataset(root)
    text = "\n".join(dataset.problems())
    assert "image 2 has no id or no file_name" in text
    assert "1 annotations belong to no image" in text
    assert "1 of 2 labelled images are not there (the first is gone.jpg)" in dataset.notices()[0]
    assert [sample.has_labels for sample in dataset.samples()] == [True, False]


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("images/val2017", "annotations/instances_val2017.json"),
        ("images", "annotations/instances_val.json"),
        ("val2017", "annotations/instances_val2017.json"),
        ("photos", "photos/labels.json"),
        (".", "labels.json"),
        ("valid", "valid/_annotations.coco.json"),
        ("deep/down/photos", "labels.json"),
    ],
)
def test_every_usual_layout_is_found_by_folder_and_by_file(
    tmp_path: Path, write_json: WriteJson, write_images: WriteImages, images: str, labels: str
) -> None:
    write_images(tmp_path / images, ["a.jpg", "b.jpg"])
    path = write_json(tmp_path / labels, instances(CAR))
    for start in (tmp_path, path):
        dataset = open_dataset(start)
        assert (dataset.format, len(dataset)) == ("coco", 2)
        assert [len(sample.labels) for sample in dataset.samples()] == [1, 0]
        assert dataset.splits() == (["val"] if "val" in images + labels else ["all"])


def test_the_same_name_in_two_splits_is_told_apart(
    tmp_path: Path, write_json: WriteJson, write_images: WriteImages
) -> None:
    for split in ("train", "val"):
        write_images(tmp_path / f"images/{split}2017", ["a.jpg"])
    write_json(tmp_path / "annotations/instances_train2017.json", instances(CAR, names=("a.jpg",)))
    write_json(tmp_path / "annotations/instances_val2017.json", instances(names=("a.jpg",)))
    train, val = open_dataset(tmp_path).samples()
    assert (train.image_id, train.split, len(train.labels)) == ("images/train2017/a.jpg", "train", 1)
    assert (val.image_id, val.split, len(val.labels)) == ("images/val2017/a.jpg", "val", 0)


def test_two_splits_over_one_folder_of_images_are_described_apart(
    tmp_path: Path, write_json: WriteJson, write_images: WriteImages
) -> None:
    write_images(tmp_path / "images", ["a.jpg", "b.jpg", "c.jpg"])
    write_json(tmp_path / "train.json", instances(CAR, names=("a.jpg",)))
    write_json(tmp_path / "val.json", instances(CAR, names=("b.jpg",)))
    assert [describe(row) for row in open_dataset(tmp_path).summary()] == [
        "images [train]: 1 image, 1 with boxes (1 box, 1 class)",
        "images [val]: 1 image, 1 with boxes (1 box, 1 class)",
        "images: 1 image, no labels",
    ]


def panoptic(root: Path, write_json: WriteJson, masks: str, file: str, **fields: object) -> Path:
    """Write a panoptic file for a.jpg: car 1000, trees 70000 as stuff; `fields` change the annotation."""
    id_map = np.zeros((20, 40), dtype=np.int64)
    id_map[:, 20:] = 70_000
    id_map[5:10, 5:15] = 1_000
    picture = np.stack([id_map & 255, id_map >> 8 & 255, id_map >> 16], axis=-1).astype(np.uint8)
    (root / masks).mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(root / masks / "a.png")
    segments = [
        {"id": 1_000, "category_id": 3, "iscrowd": 0, "bbox": [5, 5, 10, 5], "area": 50},
        {"id": 70_000, "category_id": 184, "iscrowd": 1, "bbox": [20, 0, 20, 20], "area": 400},
    ]
    annotation = {"image_id": 1, "file_name": "a.png", "segments_info": segments, **fields}
    return write_json(root / file, instances(annotation, names=("a.jpg",)))


@pytest.mark.parametrize(
    ("images", "masks", "file"),
    [
        ("val2017", "annotations/panoptic_val2017", "annotations/panoptic_val2017.json"),
        ("images", "masks", "panoptic.json"),
        (".", "panoptic", "panoptic.json"),
        ("photos", "png", "panoptic.json"),
    ],
)
def test_panoptic_masks_are_found_and_are_not_taken_for_images(
    tmp_path: Path, write_json: WriteJson, write_images: WriteImages, images: str, masks: str, file: str
) -> None:
    write_images(tmp_path / images, ["a.jpg"])
    path = panoptic(tmp_path, write_json, masks, file)
    for start in (tmp_path, path):
        dataset = open_dataset(start)
        (sample,) = dataset.samples()
        car, trees = sample.labels
        assert (car.label_id, car.class_name, car.attributes) == ("1000", "car", {"isthing": True})
        assert car.box_xyxy == (5, 5, 15, 10)
        assert car.mask is not None
        assert car.mask.area_px == 50
        assert (trees.class_name, trees.attributes, trees.ignore) == ("tree-merged", {"isthing": False}, True)
        assert not sample.problems
        assert not dataset.problems()


def test_panoptic_segments_and_pixels_that_do_not_match_are_problems(
    tmp_path: Path, write_json: WriteJson, write_images: WriteImages
) -> None:
    write_images(tmp_path / "images", ["a.jpg"])
    segments = [{"id": 1_000, "category_id": 3}, {"id": 5, "category_id": 3}, {"id": None, "category_id": 3}]
    panoptic(tmp_path, write_json, "masks", "panoptic.json", segments_info=segments)
    sample = first_sample(tmp_path)
    assert [label.label_id for label in sample.labels] == ["1000"]
    assert "label 5: has no pixel in a.png" in sample.problems
    assert "label 70000: is in a.png but not in segments_info" in sample.problems
    assert len(sample.problems) == 3


def test_a_panoptic_picture_that_is_missing_or_of_another_size_is_a_problem(
    tmp_path: Path, write_json: WriteJson, write_images: WriteImages
) -> None:
    write_images(tmp_path / "images", ["a.jpg"])
    panoptic(tmp_path, write_json, "masks", "panoptic.json")
    Image.new("RGB", (10, 10)).save(tmp_path / "masks/a.png")
    assert "is 10x10 px, the image 40x20" in first_sample(tmp_path).problems[0]
    (tmp_path / "masks/a.png").unlink()
    dataset = open_dataset(tmp_path)
    (sample,) = dataset.samples()
    assert not sample.has_labels
    assert "no such file" in sample.problems[0]
    assert "no such file" in dataset.problems()[0]


def test_instances_come_before_panoptic_and_what_is_not_used_is_said(
    root: Path, write_json: WriteJson
) -> None:
    panoptic(root, write_json, "annotations/panoptic_val2017", "annotations/panoptic_val2017.json")
    write_json(root / "annotations/instances_val2017.json", instances({**CAR, "category_id": 1}))
    write_json(
        root / "annotations/captions_val2017.json", instances({"id": 1, "image_id": 1, "caption": "A car"})
    )
    dataset = open_dataset(root)
    assert [label.class_name for label in next(dataset.samples()).labels] == ["person"]
    assert not dataset.problems()
    text = "\n".join(dataset.notices())
    assert "panoptic_val2017.json: not used, another file has labels" in text
    assert "captions_val2017.json: not used, it holds no boxes" in text


def test_a_broken_file_is_named_and_its_images_stay_without_labels(root: Path, write_json: WriteJson) -> None:
    path = write_json(root / "annotations/instances_val2017.json", {})
    path.write_text('{"images": [')
    dataset = open_dataset(root)
    assert [sample.has_labels for sample in dataset.samples()] == [False, False]
    assert "broken JSON" in dataset.problems()[0]


def test_a_folder_without_label_file_is_refused_when_coco_is_forced(root: Path) -> None:
    with pytest.raises(DatasetError, match="does not look like COCO"):
        open_dataset(root, format="coco")


def test_polygons_without_a_stated_size_take_it_from_the_image(root: Path, write_json: WriteJson) -> None:
    content = instances({**CAR, "segmentation": [[2, 3, 12, 3, 12, 11, 2, 11]]})
    content["images"] = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}]
    write_json(root / "annotations/instances_val2017.json", content)
    mask = first_sample(root).labels[0].mask
    assert mask is not None
    assert mask.size_hw == (20, 40)
