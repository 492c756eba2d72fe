"""The readers on real BDD100K frames and labels."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from samdb.datasets import describe, image_size, open_dataset, read_image

pytestmark = pytest.mark.data


def test_the_sample_is_found_and_described(bdd100k_mini: Path) -> None:
    dataset = open_dataset(bdd100k_mini)
    assert (dataset.format, dataset.name, len(dataset)) == ("bdd100k", "bdd100k_mini", 700)
    # the sample holds no train (railway), the tenth class
    assert [describe(row) for row in dataset.summary()] == [
        "images/100k/train: 500 images, 500 with boxes (9,278 boxes, 9 classes)",
        "images/100k/val: 200 images, 200 with boxes (3,727 boxes, 9 classes)",
    ]
    assert not dataset.problems()


def test_both_releases_give_the_same_labels_but_for_their_category(bdd100k_mini: Path) -> None:
    old = open_dataset(bdd100k_mini / "labels/bdd100k_labels_images_val.json")
    new = open_dataset(bdd100k_mini / "labels/det_20/det_val.json")
    for a, b in zip(old.samples(), new.samples(), strict=True):
        assert (a.image_id, a.attributes, a.problems) == (b.image_id, b.attributes, b.problems)
        assert [(x.label_id, x.class_name, x.box_xyxy) for x in a.labels] == [
            (y.label_id, y.class_name, y.box_xyxy) for y in b.labels
        ]
    categories = Counter(label.category for sample in old.samples() for label in sample.labels)
    assert (categories["car"], categories["person"], categories["bike"], categories["motor"]) == (
        2027,
        268,
        26,
        9,
    )


def test_frames_are_read_and_boxes_lie_in_them(bdd100k_mini: Path) -> None:
    for sample in list(open_dataset(bdd100k_mini).samples("val"))[:5]:
        assert read_image(sample.path).shape == (720, 1280, 3)
        assert image_size(sample.path) == (720, 1280)
        for label in sample.labels:
            assert label.box_xyxy is not None
            x0, y0, x1, y1 = label.box_xyxy
            # some labels reach from -0.001 to 1280.001, and the last pixel counts
            assert -1 < x0 < x1 < 1282
            assert -1 < y0 < y1 < 722
