"""What a dataset gives: one image with its labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from samdb.core.boxes import Box
from samdb.core.masks import Rle

Attribute: TypeAlias = str | bool | int | float


@dataclass(frozen=True, slots=True)
class Label:
    """One labelled object of an image.

    `class_name` is the name samdb uses inside (BDD100K: the det_20 names), `category` the source's own.
    At least one of `box_xyxy` (px, x1 and y1 exclusive) and `mask` is given. `ignore` marks crowds and
    regions that the dataset itself tells to leave out.
    """

    label_id: str
    category: str
    class_name: str
    box_xyxy: Box | None = None
    mask: Rle | None = None
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    ignore: bool = False

    def __post_init__(self) -> None:
        if self.box_xyxy is None and self.mask is None:
            raise ValueError(f"label {self.label_id!r} has neither a box nor a mask")


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of a dataset with its labels.

    `image_id` is the image's path relative to the dataset's folder, with forward slashes: unique in the
    dataset and stable between runs. `has_labels` tells "labelled, nothing in it" from "not labelled".
    `problems` are label entries left out, each with its reason.
    """

    dataset: str
    split: str
    image_id: str
    path: Path
    labels: tuple[Label, ...] = ()
    has_labels: bool = False
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
