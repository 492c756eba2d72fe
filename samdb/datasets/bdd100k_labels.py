"""One frame of a BDD100K label file, 2018 or 2020, as labels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from samdb.core.boxes import Box
from samdb.core.masks import Rle, mask_iou
from samdb.core.sample import Label
from samdb.datasets.attributes import frame_attributes, is_ignored, label_attributes
from samdb.datasets.json_file import Json, as_list, as_number, as_object, as_text
from samdb.datasets.label_list import LabelList, corner_box
from samdb.datasets.poly2d import poly2d_polygons
from samdb.datasets.records import ImageLabels
from samdb.datasets.segmentation import polygons_mask, rle_mask
from samdb.datasets.vocabulary import IGNORED_CLASSES, det_20_name, is_region
from samdb.errors import DatasetError, ImageError

SizeOf = Callable[[], tuple[int, int]]


def frame_labels(frame: dict[str, Json], image_size_hw: SizeOf) -> ImageLabels:
    """The labels of a frame, whose objects are in `labels` (2020, 2018 single file) or `frames[0].objects`.

    Objects are what has a `box2d`, an `rle` or a closed `poly2d`; lanes and drivable areas are not. Where
    outlines overlap, the later label of the file covers the earlier one, as in BDD100K's own bitmasks.
    `image_size_hw` is asked for the image's (height, width) in px only if outlines must be drawn and the
    frame does not tell.
    """
    found = LabelList()
    entries = [as_object(raw) for raw in _entries(frame, found)]
    for position, entry in enumerate(entries):

        def make(label_id: str, entry: dict[str, Json] = entry) -> Label | None:
            return _label(label_id, entry, lambda: _size(frame, image_size_hw), found)

        found.add(entry.get("id"), position, make)
    # run lengths come from bitmasks, in which nothing overlaps
    labels = found.labels if any("rle" in entry for entry in entries) else _uncover(found)
    return ImageLabels(labels, frame_attributes(frame.get("attributes")), tuple(found.problems))


def inclusive_box(raw: Json) -> Box:
    """Our box of a `box2d`, whose x2 and y2 are the last pixels inside. Raises DatasetError on a bad one.

    Source: `box2d_to_xyxy` in scalabel, label/transforms.py.
    """
    box = as_object(raw)
    x1, y1, x2, y2 = (as_number(box.get(key), f"box2d's {key}") for key in ("x1", "y1", "x2", "y2"))
    if x2 < x1 or y2 < y1:
        raise DatasetError(
            f"box2d [{x1:g}, {y1:g}, {x2:g}, {y2:g}] is inverted (x2 must not be below x1, nor y2 below y1)"
        )
    return corner_box(x1, y1, x2 + 1, y2 + 1)


def _entries(frame: dict[str, Json], found: LabelList) -> list[Json]:
    inner = as_list(frame.get("frames"))
    entries = as_object(inner[0]).get("objects") if inner else frame.get("labels")
    if entries is not None and not isinstance(entries, list):
        found.problems.append(f"the frame's labels are {entries!r:.40}, not a list")
    return as_list(entries)


def _label(label_id: str, entry: dict[str, Json], size: SizeOf, found: LabelList) -> Label | None:
    category = as_text(entry.get("category"))
    if category is None:
        raise DatasetError("has no category")
    if is_region(category):
        return None
    box = None if entry.get("box2d") is None else inclusive_box(entry["box2d"])
    mask: Rle | None = None
    try:
        mask = _mask(entry, size)
    except DatasetError as exc:
        if box is None:
            raise
        found.note(label_id, f"{exc}; its box is used without it")
    if box is None and mask is None:
        if entry.get("poly2d") is not None:
            return None  # an open line
        raise DatasetError("has neither box2d, rle nor poly2d")
    if box is None and mask is not None:
        box = mask.box_xyxy
    class_name = det_20_name(category)
    attributes = label_attributes(entry.get("attributes"), class_name)
    ignore = class_name in IGNORED_CLASSES or is_ignored(attributes)
    return Label(label_id, category, class_name, box, mask, attributes, ignore)


def _mask(entry: dict[str, Json], size: SizeOf) -> Rle | None:
    if entry.get("rle") is not None:
        return rle_mask(as_object(entry["rle"]), None)
    if entry.get("poly2d") is None:
        return None
    polygons = poly2d_polygons(entry["poly2d"])
    return polygons_mask(list[Json](list(p) for p in polygons), size()) if polygons else None


def _size(frame: dict[str, Json], image_size_hw: SizeOf) -> tuple[int, int]:
    size = as_object(frame.get("size"))
    if size:
        height, width = (
            as_number(size.get("height"), "size.height"),
            as_number(size.get("width"), "size.width"),
        )
        if not (math.isfinite(height) and math.isfinite(width)):
            raise DatasetError(f"the frame's size is {width:g}x{height:g}")
        return int(height), int(width)
    try:
        return image_size_hw()
    except ImageError as exc:
        raise DatasetError(f"its outline cannot be drawn without the image's size: {exc}") from exc


def _uncover(found: LabelList) -> tuple[Label, ...]:
    """The labels with later outlines cut out of earlier ones; those wholly covered become problems."""
    labels = list(found.labels)
    order = [i for i, label in enumerate(labels) if label.mask is not None]
    masks = [mask for label in labels if (mask := label.mask) is not None]
    overlap = mask_iou(masks, masks) > 0
    gone: set[int] = set()
    for a, i in enumerate(order):
        above = [masks[b].decode() for b in range(a + 1, len(order)) if overlap[a, b]]
        if not above:
            continue
        visible = masks[a].decode() & ~np.logical_or.reduce(above)
        label = labels[i]
        if not visible.any():
            gone.add(i)
            found.note(label.label_id, "its outline is wholly covered by later ones")
            continue
        mask = Rle.encode(visible)
        box = mask.box_xyxy if label.box_xyxy == masks[a].box_xyxy else label.box_xyxy
        labels[i] = replace(label, box_xyxy=box, mask=mask)
    return tuple(label for i, label in enumerate(labels) if i not in gone)
