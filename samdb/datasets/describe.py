"""Putting what was found in a dataset into words."""

from __future__ import annotations

from samdb.datasets.splits import NO_SPLIT, split_of_folder
from samdb.ports import SplitSummary


def describe(summary: SplitSummary) -> str:
    """One line, such as "images/100k/val: 200 images, 200 with boxes (3,727 boxes, 10 classes)"."""
    where = "images" if summary.folder == "." else summary.folder
    if summary.split not in (NO_SPLIT, split_of_folder(summary.folder.split("/"))):
        where += f" [{summary.split}]"
    return f"{where}: {_count(summary.n_images, 'image')}, {_labels(summary)}"


def _labels(summary: SplitSummary) -> str:
    if not summary.n_labelled:
        return "no labels"
    classes = _count(summary.n_classes, "class", "classes")
    masks = _count(summary.n_masks, "mask")
    if summary.n_masks >= summary.n_boxes:
        return f"{summary.n_labelled:,} with masks ({masks}, {classes})"
    boxes = _count(summary.n_boxes, "box", "boxes")
    if summary.n_masks:
        boxes += f", {masks}"
    return f"{summary.n_labelled:,} with boxes ({boxes}, {classes})"


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
