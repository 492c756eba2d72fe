"""One Pascal VOC annotation as labels: boxes of the XML, masks of the picture of instances."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from samdb.core.boxes import Box, box_iou
from samdb.core.masks import Rle
from samdb.core.sample import Attribute, Label
from samdb.datasets.attributes import is_on
from samdb.datasets.label_list import LabelList, corner_box
from samdb.datasets.records import ImageLabels
from samdb.datasets.segmentation import masks_of_map
from samdb.datasets.xml_file import child_text
from samdb.errors import DatasetError

#: the border around objects in VOC's pictures, which belongs to none
VOID = 255
#: the classes of VOC's palette, 1 to 20. Source: the VOC2012 development kit
VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip

_SWITCHES = ("truncated", "difficult", "occluded")
# an instance is the object at its own place in the file if their boxes overlap so much, else the best one
_SAME_IOU = 0.5

ClassNames = Mapping[int, str]
#: from a category of the file to the name samdb uses inside
Naming = Callable[[str], str]


def voc_labels(root: ElementTree.Element, naming: Naming = lambda name: name) -> LabelList:
    """The objects of an annotation; one that cannot be used becomes a problem.

    A label is called by its place, `#1` and so on: VOC's pictures number their instances in that order.
    """
    found = LabelList()
    for position, element in enumerate(root.iterfind("object"), 1):

        def make(label_id: str, element: ElementTree.Element = element) -> Label:
            return _label(label_id, element, naming)

        found.add(None, position, make)
    return found


def with_masks(
    found: LabelList,
    instances: NDArray[np.uint8],
    classes: NDArray[np.uint8] | None,
    class_names: ClassNames,
) -> ImageLabels:
    """The labels with the masks of a picture of instances (H, W): 0 is background, 255 a border.

    An instance that is no object of the annotation becomes a label of its own, its class told by the picture
    of classes (H, W); without one it is a problem.
    """
    labels = {label.label_id: label for label in found.labels}
    masks = {k: m for k, m in masks_of_map(instances.astype(np.int64)).items() if k != VOID}
    for number, label_id in _matched(masks, list(found.labels)).items():
        label = labels[label_id]
        labels[label_id] = Label(
            label_id, label.category, label.class_name, label.box_xyxy, masks.pop(number), label.attributes
        )
    for number, mask in masks.items():
        name = None if classes is None else _class_under(mask, classes, class_names)
        if name is None:
            found.note(
                f"#{number}", "is in the picture of instances, but no object of the annotation fits it"
            )
        else:
            label_id = f"instance {number}"
            labels[label_id] = Label(label_id, name, name, mask.box_xyxy, mask)
    return ImageLabels(tuple(labels.values()), {}, tuple(found.problems))


def _label(label_id: str, element: ElementTree.Element, naming: Naming) -> Label:
    name = child_text(element, "name")
    if name is None:
        raise DatasetError("has no name")
    return Label(label_id, name, naming(name), _box(element), None, _attributes(element))


def _box(element: ElementTree.Element) -> Box:
    """Our box of a `bndbox`, whose pixels count from 1 and whose last ones are inside."""
    corners = element.find("bndbox")
    if corners is None:
        raise DatasetError("has no bndbox")
    xmin, ymin, xmax, ymax = (_number(corners, key) for key in ("xmin", "ymin", "xmax", "ymax"))
    if xmax < xmin or ymax < ymin:
        raise DatasetError(
            f"bndbox [{xmin:g}, {ymin:g}, {xmax:g}, {ymax:g}] is inverted (xmax must not be below xmin, nor "
            "ymax below ymin)"
        )
    # files that count from 0 have a 0 here: their first pixel is still the first
    return corner_box(max(xmin - 1, 0.0), max(ymin - 1, 0.0), xmax, ymax)


def _number(element: ElementTree.Element, name: str) -> float:
    text = child_text(element, name)
    if text is None:
        raise DatasetError(f"{name} is missing")
    try:
        return float(text)
    except ValueError as exc:
        raise DatasetError(f"{name} is {text!r:.40}, not a number") from exc


def _attributes(element: ElementTree.Element) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {}
    for key in _SWITCHES:
        text = child_text(element, key)
        if text is not None:
            found[key] = is_on(text)
    pose = child_text(element, "pose")
    if pose is not None and pose.lower() != "unspecified":
        found["pose"] = pose
    for entry in element.iterfind("attributes/attribute"):  # an extension of CVAT and Datumaro
        name, value = child_text(entry, "name"), child_text(entry, "value")
        if name is not None and value is not None:
            found[name] = is_on(value) if value.lower() in ("true", "false") else value
    return found


def _matched(masks: Mapping[int, Rle], labels: Sequence[Label]) -> dict[int, str]:
    """Which label each instance is: the one of its number, unless another box fits much better."""
    if not masks or not labels:
        return {}
    boxes = np.array([label.box_xyxy for label in labels])
    overlap = box_iou(np.array([m.box_xyxy for m in masks.values()]), boxes)
    rows = {number: row for row, number in enumerate(masks)}
    places = {label.label_id: column for column, label in enumerate(labels)}
    found: dict[int, str] = {}
    for number, row in rows.items():
        column = places.get(f"#{number}")
        if column is not None and overlap[row, column] > 0:
            fits = overlap[row, column] >= _SAME_IOU or overlap[row, column] == overlap[row].max()
            if fits:
                found[number] = labels[column].label_id
    for number, row in rows.items():
        free = [c for c, label in enumerate(labels) if label.label_id not in found.values()]
        best = max(free, key=lambda c: overlap[row, c], default=None)
        if number not in found and best is not None and overlap[row, best] >= _SAME_IOU:
            found[number] = labels[best].label_id
    return found


def _class_under(mask: Rle, classes: NDArray[np.uint8], names: ClassNames) -> str | None:
    """The class that most pixels of a mask have in the picture of classes."""
    if classes.shape != mask.size_hw:
        return None
    values, counts = np.unique(classes[mask.decode()], return_counts=True)
    known = [(int(n), names[int(v)]) for v, n in zip(values, counts, strict=True) if int(v) in names]
    return max(known)[1] if known else None
