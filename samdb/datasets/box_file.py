"""Boxes that a person gives for one image: `classify --prompts boxes.json`."""

from __future__ import annotations

from pathlib import Path

from samdb.core.sample import Label
from samdb.datasets.json_file import Json, as_numbers, as_text, read_json
from samdb.datasets.label_list import corner_box
from samdb.errors import DatasetError


def read_boxes(path: Path) -> tuple[Label, ...]:
    """The boxes in a JSON file: a list of `[x0, y0, x1, y1]` or `{"box_xyxy": [...], "class_name": "car"}`.

    Px in the upright image, x1 and y1 exclusive. `label_id` is the position in the list; `class_name` and
    `category` are empty where the file names no class.

    Raises DatasetError on anything else, naming the entry: a wrong box here is the user's own, so none is
    left out in silence.
    """
    content = read_json(path)
    if not isinstance(content, list):
        raise DatasetError(
            f'{path}: must hold a list of [x0, y0, x1, y1] or of {{"box_xyxy": [x0, y0, x1, y1]}}'
        )
    labels = []
    for position, entry in enumerate(content):
        try:
            labels.append(_label(str(position), entry))
        except DatasetError as exc:
            raise DatasetError(f"{path}: entry {position}: {exc}") from exc
    return tuple(labels)


def _label(label_id: str, entry: Json) -> Label:
    name = ""
    if isinstance(entry, dict):
        unknown = sorted(entry.keys() - {"box_xyxy", "class_name"})
        if unknown:
            raise DatasetError(f"has the unknown key {unknown[0]!r}; the keys are box_xyxy and class_name")
        if entry.get("class_name") is not None:
            text = as_text(entry["class_name"])
            if text is None:
                raise DatasetError(f"class_name is {entry['class_name']!r}, not a name")
            name = text
        entry = entry.get("box_xyxy")
    x0, y0, x1, y1 = as_numbers(entry, 4, "the box")
    return Label(label_id, name, name, corner_box(x0, y0, x1, y1))
