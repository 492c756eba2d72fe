"""ImageNet, its boxes, ImageNet-S masks, and plain folders of classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from PIL import Image

from samdb.core.sample import Sample
from samdb.datasets import describe, open_dataset
from samdb.errors import DatasetError

WriteImages: TypeAlias = Callable[..., list[Path]]

TENCH, CRANE_BIRD, CRANE = "n01440764", "n02012849", "n03126707"
WORDS = f"{TENCH} tench, Tinca tinca\n{CRANE_BIRD} crane\n{CRANE} crane\n"
XML = (
    "<annotation><filename>x</filename><object><name>n01440764</name><bndbox><xmin>3</xmin><ymin>4</ymin>"
    "<xmax>12</xmax><ymax>11</ymax></bndbox></object></annotation>"
)


def write(path: Path, text: str) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def write_mask(path: Path, numbers: object) -> None:
    """Write an ImageNet-S mask: class number = R + 256 G."""
    values = np.asarray(numbers, dtype=np.int64)
    path.parent.mkdir(parents=True, exist_ok=True)
    rgb = np.stack([values % 256, values // 256, np.zeros_like(values)], axis=-1).astype(np.uint8)
    Image.fromarray(rgb).save(path)


def by_name(root: Path) -> dict[str, Sample]:
    """The samples by the name of their image."""
    return {s.path.name: s for s in open_dataset(root).samples()}


@pytest.fixture
def root(tmp_path: Path, write_images: WriteImages) -> Path:
    """ImageNet-S with two images of 40x20 px in `train` and one in `validation`."""
    write_images(tmp_path / f"train/{TENCH}", ["a.JPEG"])
    write_images(tmp_path / f"train/{CRANE}", ["b.JPEG"])
    write_images(tmp_path / f"validation/{CRANE_BIRD}", ["c.JPEG"])
    return tmp_path


def test_the_class_of_an_image_is_its_attribute_and_labels_no_segment(root: Path) -> None:
    write(root / "LOC_synset_mapping.txt", WORDS)
    dataset = open_dataset(root)
    assert (dataset.format, dataset.splits()) == ("imagenet", ["train", "val"])
    samples = by_name(root)
    assert samples["a.JPEG"].attributes == {"image_class": "tench"}
    assert (samples["a.JPEG"].labels, samples["a.JPEG"].has_labels) == ((), False)
    # two classes of one name keep their ids
    assert samples["b.JPEG"].attributes == {"image_class": f"crane ({CRANE})"}
    assert samples["c.JPEG"].attributes == {"image_class": f"crane ({CRANE_BIRD})"}
    assert [describe(row) for row in dataset.summary()] == [
        "train: 2 images, no labels",
        "validation: 1 image, no labels",
    ]
    assert not dataset.notices()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("words.txt", f"{TENCH}\ttench, Tinca tinca\n{CRANE}\tcrane\n{CRANE_BIRD}\tbird\n"),
        ("synset_words.txt", WORDS),
        ("map_clsloc.txt", f"{TENCH} 1 tench\n{CRANE} 2 crane\n{CRANE_BIRD} 3 bird\n"),
        ("imagenet_class_index.json", f'{{"0": ["{TENCH}", "tench"], "1": ["{CRANE}", "crane"]}}'),
    ],
)
def test_names_are_read_from_any_of_the_usual_lists(root: Path, file: str, text: str) -> None:
    write(root / file, text)
    assert by_name(root)["a.JPEG"].attributes == {"image_class": "tench"}


def test_without_a_list_of_names_the_ids_are_the_names_and_a_notice_says_so(root: Path) -> None:
    assert by_name(root)["a.JPEG"].attributes == {"image_class": TENCH}
    assert "no list of names" in open_dataset(root).notices()[0]


def test_boxes_of_the_localisation_task_are_labels(tmp_path: Path, write_images: WriteImages) -> None:
    data, boxes = tmp_path / "ILSVRC/Data/CLS-LOC", tmp_path / "ILSVRC/Annotations/CLS-LOC"
    write_images(data / f"train/{TENCH}", ["a.JPEG", "b.JPEG"])
    write_images(data / "val", ["v.JPEG", "w.JPEG"])
    write(boxes / f"train/{TENCH}/a.xml", XML)
    write(boxes / "val/v.xml", XML)
    write(tmp_path / "LOC_synset_mapping.txt", WORDS)
    write(
        tmp_path / "LOC_val_solution.csv",
        f"ImageId,PredictionString\nv,{TENCH} 2 3 11 10 \nw,{CRANE} 1 1 2 2 \n",
    )
    dataset = open_dataset(tmp_path)
    assert dataset.format == "imagenet"
    samples = by_name(tmp_path)
    (label,) = samples["a.JPEG"].labels
    assert (label.class_name, label.category, label.box_xyxy) == ("tench", TENCH, (2, 3, 12, 11))
    assert not samples["b.JPEG"].has_labels
    assert samples["v.JPEG"].attributes == {"image_class": "tench"}
    assert samples["v.JPEG"].labels[0].class_name == "tench"
    assert samples["w.JPEG"].attributes == {"image_class": "crane"}


def test_masks_of_imagenet_s_name_classes_by_number(root: Path) -> None:
    write(root / "LOC_synset_mapping.txt", WORDS)
    write(root / "ImageNetS_categories_im50.txt", f"{CRANE}\n{TENCH}\n{CRANE_BIRD}\n")
    numbers = np.zeros((20, 40), dtype=np.int64)
    numbers[:5, :5], numbers[10:, :5], numbers[:, 30:] = 3, 1, 1000
    write_mask(root / f"validation-segmentation/{CRANE_BIRD}/c.png", numbers)
    sample = by_name(root)["c.JPEG"]
    assert [(x.label_id, x.class_name, x.ignore) for x in sample.labels] == [
        ("1", "tench", False),
        ("3", f"crane ({CRANE})", False),
        ("1000", "ignored region", True),
    ]
    assert sample.labels[0].mask is not None
    assert np.array_equal(sample.labels[0].mask.decode(), numbers == 1)
    assert len(open_dataset(root)) == 3  # masks are no images


def test_a_number_above_255_spans_two_channels(root: Path) -> None:
    ids = [f"n{i:08}" for i in range(919)]
    write(root / "ImageNetS_categories_im919.txt", "\n".join(ids))
    write_mask(root / f"validation-segmentation/{CRANE_BIRD}/c.png", np.full((20, 40), 700))
    assert by_name(root)["c.JPEG"].labels[0].category == ids[699]


def test_without_the_list_of_numbers_one_class_is_the_folders_and_more_are_problems(root: Path) -> None:
    write_mask(root / f"validation-segmentation/{CRANE_BIRD}/c.png", np.full((20, 40), 9))
    assert by_name(root)["c.JPEG"].labels[0].class_name == CRANE_BIRD
    mixed = np.full((20, 40), 9)
    mixed[:4] = 10
    write_mask(root / f"validation-segmentation/{CRANE_BIRD}/c.png", mixed)
    sample = by_name(root)["c.JPEG"]
    assert not sample.labels
    assert "put ImageNetS_categories_im50.txt" in sample.problems[0]


def test_a_mask_that_cannot_be_used_is_reported(root: Path) -> None:
    path = root / f"validation-segmentation/{CRANE_BIRD}/c.png"
    write_mask(path, np.full((4, 4), 9))
    sample = by_name(root)["c.JPEG"]
    assert (sample.has_labels, sample.attributes) == (False, {"image_class": CRANE_BIRD})
    assert "is 4x4 px, the image 40x20" in sample.problems[0]
    path.write_bytes(b"rubbish")
    assert "not an image" in by_name(root)["c.JPEG"].problems[0]
    write_mask(root / f"validation-segmentation/{TENCH}/z.png", np.full((4, 4), 9))
    assert any("1 of 2 masks have no image" in n for n in open_dataset(root).notices())


def test_folders_of_classes_are_known_by_having_the_same_classes_in_two_splits(
    tmp_path: Path, write_images: WriteImages
) -> None:
    for folder in ("train/cat", "train/dog", "val/cat", "val/dog"):
        write_images(tmp_path / folder, ["a.jpg"])
    dataset = open_dataset(tmp_path)
    assert (dataset.format, len(dataset)) == ("imagenet", 4)
    assert [s.attributes["image_class"] for s in dataset.samples("val")] == ["cat", "dog"]


def test_other_folders_are_plain_unless_the_format_is_given(
    tmp_path: Path, write_images: WriteImages
) -> None:
    for folder in ("cat", "dog"):
        write_images(tmp_path / folder, ["a.jpg"])
    assert open_dataset(tmp_path).format == "folder"
    forced = open_dataset(tmp_path, format="imagenet")
    assert [(s.split, s.attributes["image_class"]) for s in forced.samples()] == [
        ("all", "cat"),
        ("all", "dog"),
    ]


def test_one_split_can_be_opened_alone(root: Path) -> None:
    dataset = open_dataset(root / "train", format="imagenet")
    assert [s.image_id for s in dataset.samples()] == [f"train/{TENCH}/a.JPEG", f"train/{CRANE}/b.JPEG"]


def test_a_folder_without_class_folders_is_refused(tmp_path: Path, write_images: WriteImages) -> None:
    write_images(tmp_path, ["a.jpg"])
    with pytest.raises(DatasetError, match="does not look like ImageNet: no folders of classes"):
        open_dataset(tmp_path, format="imagenet")
