"""COCO instances: masks as run lengths, a file per split.

    annotations/instances_<split>.json     images/<split>/<name>

or one JSON file for all. Besides COCO's own keys an annotation has `score` (predictions), `segment_id`,
`parent` (the segment it is a part of), `granularity`, `label_source`, `predicted_iou`, `stability_score` and
`attributes`. Source: cocodataset.org/#format-data.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from samdb.reports.export_record import ExportImage, ExportObject, frame_attributes, number_of
from samdb.reports.json_parts import JsonListFile, JsonValue, compose

_SINGLE = ""


class CocoWriter:
    """Writes into a folder, or with `single` the one file `target`."""

    def __init__(self, target: Path, classes: Sequence[str], description: str, *, single: bool) -> None:
        self._target = target
        self._numbers = number_of(classes)
        self._description = description
        self._single = single
        self._files: dict[str, tuple[JsonListFile, JsonListFile]] = {}
        self._n = 0

    def images_folder(self, split: str) -> str | None:
        """Where the images of a split lie."""
        return None if self._single else f"images/{split}"

    def add(self, image: ExportImage, objects: Sequence[ExportObject], *, has_file: bool) -> None:
        """Write an image and its annotations."""
        images, labels = self._lists(_SINGLE if self._single else image.split_name)
        height, width = image.size_hw
        entry: dict[str, JsonValue] = {
            "id": image.number,
            # COCO names are relative to the folder of a split's images; without one, to the dataset's own
            "file_name": image.name if has_file else image.image_id,
            "width": width,
            "height": height,
            "dataset": image.dataset,
            "split": image.split,
            "image_id": image.image_id,
        }
        attributes = frame_attributes(objects)
        images.append({**entry, "attributes": dict(attributes)} if attributes else entry)
        for found in objects:
            self._n += 1
            labels.append(self._annotation(image, found))

    def finish(self) -> Sequence[str]:
        """Put each file together."""
        for split, (images, labels) in self._files.items():
            path = self._target if self._single else self._path(split)
            categories: list[JsonValue] = [
                {"id": i, "name": name, "supercategory": ""} for name, i in self._numbers.items()
            ]
            head: dict[str, JsonValue] = {
                "info": {"description": self._description, "version": "1.0"},
                "licenses": [],
                "categories": categories,
            }
            compose(path, head, {"images": images, "annotations": labels})
        return ()

    def close(self) -> None:
        """Let go of the files."""
        for pair in self._files.values():
            for file in pair:
                file.abandon()

    def _annotation(self, image: ExportImage, found: ExportObject) -> dict[str, JsonValue]:
        s = found.segment
        x0, y0, x1, y1 = found.box_xyxy
        entry: dict[str, JsonValue] = {
            "id": self._n,
            "image_id": image.number,
            "category_id": self._numbers[found.category],
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "area": s.area_px,
            "iscrowd": 0,
            "segmentation": {"size": list(s.mask.size_hw), "counts": s.mask.counts},
            "segment_id": s.segment_id,
            "parent": s.parent_id,
            "granularity": s.granularity,
            "label_source": s.label_source,
            "predicted_iou": round(s.predicted_iou, 4),
            "stability_score": round(s.stability_score, 4),
            "attributes": dict(found.own_attributes()),
        }
        return entry if found.score is None else {**entry, "score": round(found.score, 6)}

    def _lists(self, split: str) -> tuple[JsonListFile, JsonListFile]:
        if split not in self._files:
            path = self._target if self._single else self._path(split)
            self._files[split] = (
                JsonListFile(path.with_name(path.name + ".images")),
                JsonListFile(path.with_name(path.name + ".annotations")),
            )
        return self._files[split]

    def _path(self, split: str) -> Path:
        return self._target / "annotations" / f"instances_{split}.json"
