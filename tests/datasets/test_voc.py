"""Pascal VOC: annotations, lists of splits, pictures of masks, and XML that means harm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from samdb.core.sample import Sample
from samdb.datasets import describe, open_dataset
from samdb.errors import DatasetError

WriteImages: TypeAlias = Callable[..., list[Path]]

BOX = "<bndbox><xmin>3</xmin><ymin>4</ymin><xmax>12</xmax><ymax>11</ymax></bndbox>"
CAR = f"<object><name>car</name>{BOX}</object>"


def annotation(*objects: str, filename: str = "a.jpg") -> str:
    """The text of an annotation."""
    return f"<annotation><filename>{filename}</filename>{''.join(objects)}</annotation>"


def write(path: Path, text: str) -> Path:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def write_index(path: Path, numbers: NDArray[np.uint8]) -> None:
    """Write a picture of numbers with a palette."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(numbers)
    picture.putpalette([i % 256 for i in range(768)])
    picture.save(path)


@pytest.fixture
def root(tmp_path: Path, write_images: WriteImages) -> Path:
    """VOCdevkit with one year and three images of 40x20 px."""
    write_images(tmp_path / "VOCdevkit/VOC2012/JPEGImages", ["a.jpg", "b.jpg", "c.jpg"])
    write(tmp_path / "VOCdevkit/VOC2012/Annotations/a.xml", annotation(CAR))
    return tmp_path / "VOCdevkit"


def first(root: Path) -> Sample:
    """The first sample of the dataset."""
    return next(open_dataset(root).samples())


def test_boxes_count_from_one_and_include_their_last_pixels(root: Path) -> None:
    extra = "<pose>Left</pose><truncated>1</truncated><difficult>0</difficult><occluded>1</occluded>"
    write(root / "VOC2012/Annotations/b.xml", annotation(f"<object><name>dog</name>{extra}{BOX}</object>"))
    dataset = open_dataset(root)
    a, b, c = dataset.samples()
    assert (dataset.format, dataset.name, a.image_id) == ("voc", "VOCdevkit", "VOC2012/JPEGImages/a.jpg")
    assert (a.labels[0].label_id, a.labels[0].class_name) == ("#1", "car")
    assert a.labels[0].box_xyxy == (2, 3, 12, 11)
    assert b.labels[0].attributes == {"pose": "Left", "truncated": True, "difficult": False, "occluded": True}
    assert not c.has_labels
    assert [describe(row) for row in dataset.summary()] == [
        "VOC2012/JPEGImages: 3 images, 2 with boxes (2 boxes, 2 classes)"
    ]
    assert dataset.notices() == ("VOC2012/Annotations: has no entry for 1 of 3 images (the first is c)",)


@pytest.mark.parametrize("where", ["VOC2012", "VOC2012/Annotations", "VOC2012/Annotations/a.xml"])
def test_a_year_its_annotations_or_one_of_them_open_the_year(root: Path, where: str) -> None:
    dataset = open_dataset(root / where)
    assert (dataset.format, len(dataset), next(dataset.samples()).labels[0].class_name) == ("voc", 3, "car")


def test_lists_tell_the_splits(root: Path) -> None:
    sets = root / "VOC2012/ImageSets/Main"
    write(sets / "train.txt", "a\n")
    write(sets / "val.txt", "b  1\na\ngone\n")
    write(sets / "trainval.txt", "a\nb\nc\n")
    write(sets / "car_train.txt", "c  1\n")
    dataset = open_dataset(root)
    assert [(s.split, Path(s.image_id).stem) for s in dataset.samples()] == [
        ("train", "a"),
        ("val", "b"),
        ("trainval", "c"),
    ]
    notices = "\n".join(dataset.notices())
    assert "val.txt: 1 of 3 listed images are not there (the first is gone)" in notices
    assert "1 images are listed in train and val; they count as train" in notices


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (f"<object>{BOX}</object>", "has no name"),
        ("<object><name>car</name></object>", "has no bndbox"),
        (CAR.replace("12", "2"), "is inverted"),
        (CAR.replace("12", "nan"), "finite"),
        (CAR.replace("12", "wide"), "xmax is 'wide', not a number"),
        (CAR.replace("<xmax>12</xmax>", ""), "xmax is missing"),
    ],
)
def test_an_object_that_cannot_be_used_is_reported_and_the_others_stay(
    root: Path, entry: str, reason: str
) -> None:
    write(root / "VOC2012/Annotations/a.xml", annotation(entry, CAR))
    sample = first(root)
    assert [label.label_id for label in sample.labels] == ["#2"]
    assert reason in sample.problems[0]


BOMB = '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;">]>'
FILE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOMB + annotation(CAR.replace("car", "&y;")), "declares a document type or entities"),
        (FILE + annotation(CAR.replace("car", "&x;")), "declares a document type or entities"),
        (annotation(CAR.replace("car", "&y;")), "broken XML"),
        ("", "is empty"),
        ("<annotation><object>", "broken XML"),
        ("<annotations/>", "begins with <annotations>"),
        ("<annotation>" + "<a>" * 100 + "</a>" * 100 + "</annotation>", "nested too deeply"),
        ('<?xml version="1.0" encoding="nonsense"?>' + annotation(CAR), "broken XML"),
    ],
)
def test_a_file_that_is_broken_or_means_harm_leaves_its_image_unlabelled(
    root: Path, text: str, reason: str
) -> None:
    write(root / "VOC2012/Annotations/a.xml", text)
    write(root / "VOC2012/Annotations/b.xml", annotation(CAR))
    dataset = open_dataset(root, format="voc")
    a, b, _ = dataset.samples()
    assert (a.has_labels, b.has_labels) == (False, True)
    assert reason in a.problems[0]
    assert any(reason in problem for problem in dataset.problems())


def test_instances_of_the_picture_are_the_masks_of_the_objects_in_their_order(root: Path) -> None:
    left, right = CAR, CAR.replace("car", "dog").replace(">3<", ">21<").replace(">12<", ">30<")
    write(root / "VOC2012/Annotations/a.xml", annotation(left, right))
    numbers = np.zeros((20, 40), dtype=np.uint8)
    numbers[3:11, 2:12] = 1
    numbers[3:11, 20:30] = 2
    numbers[11, :] = 255
    write_index(root / "VOC2012/SegmentationObject/a.png", numbers)
    dog = first(root).labels[1]
    assert (dog.class_name, dog.box_xyxy) == ("dog", (20, 3, 30, 11))
    assert dog.mask is not None
    assert np.array_equal(dog.mask.decode(), numbers == 2)
    # in another order, the boxes tell
    write_index(
        root / "VOC2012/SegmentationObject/a.png",
        np.where(numbers == 255, 0, (3 - numbers) % 3).astype(np.uint8),
    )
    masks = [label.mask for label in first(root).labels]
    assert [m.box_xyxy for m in masks if m is not None] == [(2, 3, 12, 11), (20, 3, 30, 11)]


def test_an_instance_without_an_object_takes_its_class_from_the_picture_of_classes(root: Path) -> None:
    numbers = np.zeros((20, 40), dtype=np.uint8)
    numbers[3:11, 2:12] = 1
    numbers[15:20, 30:40] = 2
    write_index(root / "VOC2012/SegmentationObject/a.png", numbers)
    sample = first(root)
    assert len(sample.labels) == 1
    assert sample.problems == (
        "label #2: is in the picture of instances, but no object of the annotation fits it",
    )
    write_index(
        root / "VOC2012/SegmentationClass/a.png", np.where(numbers == 2, 12, 7 * numbers).astype(np.uint8)
    )
    assert [label.class_name for label in first(root).labels] == ["car", "dog"]  # VOC's palette: 7 and 12
    write(
        root / "VOC2012/labelmap.txt", "# label:color\nbackground:0,0,0\n" + "x\n" * 11 + "hydrant:1,2,3::\n"
    )
    assert [label.class_name for label in first(root).labels] == ["car", "hydrant"]


def test_a_picture_of_another_size_leaves_the_boxes(root: Path) -> None:
    write_index(root / "VOC2012/SegmentationObject/a.png", np.ones((5, 5), dtype=np.uint8))
    sample = first(root)
    assert sample.labels[0].mask is None
    assert "is 5x5 px, the image 40x20; the boxes are used without masks" in sample.problems[0]


def test_files_beside_the_images_and_files_named_otherwise_are_found(
    tmp_path: Path, write_images: WriteImages
) -> None:
    write_images(tmp_path / "train", ["a.jpg", "b.png"])
    write(tmp_path / "train/a.xml", annotation(CAR))
    write(tmp_path / "train/0007.xml", annotation(CAR.replace("car", "dog"), filename="b.png"))
    dataset = open_dataset(tmp_path)
    assert dataset.format == "voc"
    assert [(s.split, s.labels[0].class_name) for s in dataset.samples()] == [
        ("train", "car"),
        ("train", "dog"),
    ]
    assert not dataset.notices()


def test_rubbish_in_any_place_never_crashes_the_reader(root: Path) -> None:
    good = annotation(f"<object><name>car</name><pose>x</pose><truncated>0</truncated>{BOX}</object>")
    rng = np.random.default_rng(0)
    path = root / "VOC2012/Annotations/a.xml"
    numbers = np.zeros((20, 40), dtype=np.uint8)
    numbers[3:11, 2:12] = 1
    write_index(root / "VOC2012/SegmentationObject/a.png", numbers)
    for _ in range(300):
        raw = bytearray(good.encode())
        for _ in range(int(rng.integers(1, 4))):
            start = int(rng.integers(0, len(raw)))
            kind = int(rng.integers(0, 3))
            if kind == 0:
                raw[start] = int(rng.integers(0, 256))
            elif kind == 1:
                del raw[start : start + int(rng.integers(1, 20))]
            else:
                raw[start:start] = raw[: int(rng.integers(1, 40))]
        path.write_bytes(bytes(raw))
        dataset = open_dataset(root, format="voc")
        for sample in dataset.samples():
            assert len({label.label_id for label in sample.labels}) == len(sample.labels)
        assert all(isinstance(p, str) for p in dataset.problems())


def test_a_folder_that_is_not_voc_is_refused(tmp_path: Path, write_images: WriteImages) -> None:
    write_images(tmp_path, ["a.jpg"])
    write(tmp_path / "pom.xml", "<project/>")
    assert open_dataset(tmp_path).format == "folder"
    with pytest.raises(DatasetError, match="does not look like Pascal VOC"):
        open_dataset(tmp_path, format="voc")
