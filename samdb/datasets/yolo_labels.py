"""One label file of a YOLO dataset: boxes and polygons in fractions of the image's sides."""

from __future__ import annotations

import math
from collections.abc import Mapping

from samdb.core.sample import Label
from samdb.datasets.json_file import Json
from samdb.datasets.label_list import LabelList, corner_box
from samdb.datasets.records import ImageLabels
from samdb.datasets.segmentation import polygons_mask
from samdb.errors import DatasetError

#: how far outside the image a fraction may lie and still be a rounding error
_ROUNDING = 1e-3


def yolo_labels(
    text: str, size_hw: tuple[int, int], names: Mapping[int, str], *, has_keypoints: bool = False
) -> ImageLabels:
    """The labels of an image of `size_hw` (px); a line that cannot be used becomes a problem.

    `class cx cy w h` is a box, `class x1 y1 x2 y2 x3 y3 ...` an outline (also the four corners of a turned
    box); one more number is the confidence of a prediction. With `has_keypoints` what follows the box is
    passed over. Without `names` a class is called by its number. A label is called by its line: `#1`, `#2`.
    """
    found = LabelList()
    seen: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        key = " ".join(words)
        first = seen.setdefault(key, number)
        if first != number:
            found.note(f"#{number}", f"repeats line {first}")
            continue

        def make(label_id: str, words: list[str] = words) -> Label:
            return _label(label_id, words, size_hw, names, has_keypoints)

        found.add(None, number, make)
    return ImageLabels(found.labels, {}, tuple(found.problems))


def _label(
    label_id: str, words: list[str], size_hw: tuple[int, int], names: Mapping[int, str], has_keypoints: bool
) -> Label:
    name = _class_name(words[0], names)
    values = [_number(word) for word in words[1:]]
    if len(values) < 4:
        raise DatasetError(f"has {len(values)} numbers after the class; a box has 4, an outline 6 or more")
    attributes: dict[str, float] = {}
    if has_keypoints:
        values = values[:4]
    elif len(values) % 2:
        attributes["confidence"] = values.pop()
    height, width = size_hw
    if len(values) == 4:
        cx, cy, w, h = _fractions(values)
        box = corner_box(
            (cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height
        )
        return Label(label_id, name, name, box, None, attributes)
    points = _fractions(values)
    outline: list[Json] = [v * (height if i % 2 else width) for i, v in enumerate(points)]
    mask = polygons_mask([outline], size_hw)
    return Label(label_id, name, name, mask.box_xyxy, mask, attributes)


def _class_name(word: str, names: Mapping[int, str]) -> str:
    value = _number(word)
    if not value.is_integer() or value < 0:
        raise DatasetError(f"has the class {word}, not a whole number from 0")
    if not names:
        return str(int(value))
    name = names.get(int(value))
    if name is None:
        raise DatasetError(f"has the class {int(value)}, but the names go from {min(names)} to {max(names)}")
    return name


def _number(word: str) -> float:
    try:
        value = float(word)
    except ValueError as exc:
        raise DatasetError(f"has {word!r:.40} where a number should be") from exc
    if not math.isfinite(value):
        raise DatasetError(f"has a value that is not a finite number ({word})")
    return value


def _fractions(values: list[float]) -> list[float]:
    """The values, rounding errors taken back. Raises DatasetError when one is not within 0 and 1."""
    for value in values:
        if not -_ROUNDING <= value <= 1 + _ROUNDING:
            raise DatasetError(
                f"has the coordinate {value:g}; they are fractions of the image's sides, from 0 to 1"
            )
    return [min(max(value, 0.0), 1.0) for value in values]
