"""COCO annotations of one image as labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from samdb.core.boxes import Box
from samdb.core.masks import Rle
from samdb.core.sample import Label
from samdb.datasets.attributes import is_ignored, is_on, label_attributes
from samdb.datasets.images import read_label_picture
from samdb.datasets.json_file import Json, as_id, as_list, as_numbers, as_object, as_text
from samdb.datasets.label_list import LabelList, corner_box
from samdb.datasets.segmentation import masks_of_map, polygons_mask, rle_mask
from samdb.errors import DatasetError, ImageError

Categories = Mapping[str, dict[str, Json]]


def add_instance(
    found: LabelList,
    position: int,
    annotation: dict[str, Json],
    categories: Categories,
    size_hw: Callable[[], tuple[int, int]],
) -> None:
    """Add an annotation with a `bbox`, a `segmentation` or both; `iscrowd` means ignore.

    A mask that cannot be used is a problem, but its box stays. `size_hw` is asked for the image's
    (height, width) in px when there are polygons to draw.
    """

    def make(label_id: str) -> Label:
        name = _category_name(annotation, categories)
        raw = annotation.get("bbox")
        box = None if raw is None else _xywh_box(raw)
        mask: Rle | None = None
        try:
            mask = _instance_mask(annotation.get("segmentation"), size_hw)
        except DatasetError as exc:
            if box is None:
                raise
            found.note(label_id, f"{exc}; its box is used without it")
        if box is None and mask is None:
            raise DatasetError("has neither bbox nor segmentation")
        return _label(label_id, name, box, mask, annotation)

    found.add(annotation.get("id"), position, make)


def add_panoptic(
    found: LabelList,
    annotation: dict[str, Json],
    categories: Categories,
    mask_path: Path,
    size_hw: tuple[int, int] | None,
) -> None:
    """Add the segments of a panoptic annotation, whose masks are in a picture of ids: R + 256 G + 65536 B.

    Attribute `isthing` tells countable things from stuff, where the file's categories say. `size_hw` is the
    size in px that the file gives for the image.

    Raises DatasetError when the picture cannot be read or has another size.

    Source: cocodataset.org/#format-data, 4. Panoptic Segmentation.
    """
    try:
        picture = read_label_picture(mask_path, "RGB").astype(np.int64)
    except ImageError as exc:
        raise DatasetError(str(exc)) from exc
    if size_hw is not None and picture.shape[:2] != size_hw:
        raise DatasetError(
            f"{mask_path}: is {picture.shape[1]}x{picture.shape[0]} px, the image {size_hw[1]}x{size_hw[0]}"
        )
    masks = masks_of_map(picture @ np.array([1, 256, 65536]))
    for position, entry in enumerate(as_list(annotation.get("segments_info"))):
        segment = as_object(entry)

        def make(label_id: str, segment: dict[str, Json] = segment) -> Label:
            name = _category_name(segment, categories)
            mask = masks.pop(_segment_number(segment), None)
            if mask is None:
                raise DatasetError(f"has no pixel in {mask_path.name}")
            thing = categories[str(as_id(segment.get("category_id")))].get("isthing")
            extra = {} if thing is None else {"isthing": is_on(thing)}
            return _label(label_id, name, None, mask, segment, extra)

        found.add(segment.get("id"), position, make)
    for number in masks:
        found.note(str(number), f"is in {mask_path.name} but not in segments_info")


def _label(
    label_id: str,
    name: str,
    box: Box | None,
    mask: Rle | None,
    entry: dict[str, Json],
    extra: Mapping[str, bool] | None = None,
) -> Label:
    attributes = {**label_attributes(entry.get("attributes"), name), **(extra or {})}
    ignore = is_on(entry.get("iscrowd")) or is_on(entry.get("ignore")) or is_ignored(attributes)
    if box is None and mask is not None:
        box = mask.box_xyxy
    return Label(label_id, name, name, box, mask, attributes, ignore)


def _category_name(entry: dict[str, Json], categories: Categories) -> str:
    category_id = as_id(entry.get("category_id"))
    name = as_text(categories.get(category_id or "", {}).get("name"))
    if name is None:
        raise DatasetError(
            f"has the category_id {entry.get('category_id')!r}, which is not among the file's categories"
        )
    return name


def _xywh_box(raw: Json) -> Box:
    x, y, width, height = as_numbers(raw, 4, "bbox")
    return corner_box(x, y, x + width, y + height)


def _instance_mask(raw: Json, size_hw: Callable[[], tuple[int, int]]) -> Rle | None:
    if isinstance(raw, dict):
        return rle_mask(raw, None)
    return polygons_mask(raw, size_hw()) if isinstance(raw, list) and raw else None


def _segment_number(segment: dict[str, Json]) -> int:
    number = segment.get("id")
    if isinstance(number, bool) or not isinstance(number, int):
        raise DatasetError(f"has the id {number!r}, not a whole number")
    return number
