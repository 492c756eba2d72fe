"""BDD100K's det_20 form, which is Scalabel's: boxes, and masks as run lengths, a file per split.

    labels/det_20/det_<split>.json     images/100k/<split>/<name>

or one JSON file for all. A box's x2 and y2 are the last pixels inside. Source: scalabel, label/typing.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from samdb.core.sample import Attribute
from samdb.reports.export_record import ExportImage, ExportObject, frame_attributes
from samdb.reports.json_parts import JsonListFile, JsonValue

_LETTERS = {"green": "G", "red": "R", "yellow": "Y", "none": "NA"}
# scalabel's own loader asks for these keys where it runs on pydantic 2, though all may be null
_ABSENT: dict[str, JsonValue] = {"box3d": None, "poly2d": None, "graph": None}
_SNAKE = re.compile(r"_([a-z0-9])")


class Bdd100kWriter:
    """Writes into a folder, or with `single` the one file `target`.

    With `own_ids` labels are called by the dataset's ids, else by those of the segments, and their attributes
    then tell granularity and parent.
    """

    def __init__(self, target: Path, *, single: bool, own_ids: bool) -> None:
        self._target = target
        self._single = single
        self._own_ids = own_ids
        self._files: dict[str, JsonListFile] = {}

    def images_folder(self, split: str) -> str | None:
        """Where the images of a split lie."""
        return None if self._single else f"images/100k/{split}"

    def add(self, image: ExportImage, objects: Sequence[ExportObject], *, has_file: bool) -> None:
        """Write a frame."""
        height, width = image.size_hw
        labels: list[JsonValue] = [dict(self._label(found)) for found in objects]
        frame: dict[str, JsonValue] = {
            "name": image.name if has_file else Path(image.image_id).name,
            "url": None,
            "attributes": dict(frame_attributes(objects)),
            "size": {"width": width, "height": height},
            "labels": labels,
        }
        self._list("" if self._single else image.split_name).append(frame)

    def finish(self) -> Sequence[str]:
        """End the files."""
        for file in self._files.values():
            file.close()
        return ()

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files.values():
            file.abandon()

    def _label(self, found: ExportObject) -> dict[str, JsonValue]:
        s = found.segment
        x0, y0, x1, y1 = found.box_xyxy
        attributes = {_camel(k): _value(k, v) for k, v in found.own_attributes().items()}
        if not self._own_ids:
            attributes["granularity"] = s.granularity
            if s.parent_id is not None:
                attributes["parentId"] = s.parent_id
        entry: dict[str, JsonValue] = {
            "id": s.label_id if self._own_ids and s.label_id else s.segment_id,
            "category": found.category,
            "attributes": dict(attributes),
            "box2d": {"x1": x0, "y1": y0, "x2": x1 - 1, "y2": y1 - 1},
            "rle": {"counts": s.mask.counts, "size": list(s.mask.size_hw)},
            **_ABSENT,
        }
        return entry if found.score is None else {**entry, "score": round(found.score, 6)}

    def _list(self, split: str) -> JsonListFile:
        if split not in self._files:
            path = self._target if self._single else self._target / f"labels/det_20/det_{split}.json"
            self._files[split] = JsonListFile(path)
        return self._files[split]


def _camel(name: str) -> str:
    """`traffic_light_color` -> `trafficLightColor`, as BDD100K writes its attributes."""
    return _SNAKE.sub(lambda match: match.group(1).upper(), name)


def _value(name: str, value: Attribute) -> Attribute:
    return _LETTERS.get(str(value), str(value)) if name == "traffic_light_color" else value
