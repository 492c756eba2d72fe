"""YOLO segmentation, as Ultralytics reads it.

    data.yaml  images/<split>/<name>  labels/<split>/<stem>.txt

A mask is one polygon in fractions of the image's sides (see `samdb.core.polygons`: IoU at least .95 with the
mask). Boxes and scores are not written: YOLO takes boxes from the polygons, and its trainer
refuses one number more.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from samdb.core.polygons import joined_polygon
from samdb.reports.export_record import ExportImage, ExportObject, number_of

_SPLITS = ("train", "val", "test")


class YoloWriter:
    """Writes into the folder `target`."""

    def __init__(self, target: Path, classes: Sequence[str]) -> None:
        self._target = target
        self._classes = tuple(classes)
        self._numbers = {name: i - 1 for name, i in number_of(classes).items()}
        self._splits: dict[str, None] = {}

    def images_folder(self, split: str) -> str | None:
        """Where the images of a split lie."""
        return f"images/{split}"

    def add(self, image: ExportImage, objects: Sequence[ExportObject], *, has_file: bool) -> None:
        """Write an image's label file; one without objects is empty, which means that nothing is in it."""
        self._splits[image.split_name] = None
        folder = self._target / "labels" / image.split_name
        folder.mkdir(parents=True, exist_ok=True)
        (self._target / "images" / image.split_name).mkdir(parents=True, exist_ok=True)
        lines = [self._line(found, image.size_hw) for found in objects]
        (folder / f"{image.stem}.txt").write_text("".join(lines), encoding="utf-8")

    def finish(self) -> Sequence[str]:
        """Write `data.yaml`."""
        notes: list[str] = []
        folders = {split: [f"images/{split}"] for split in _SPLITS if split in self._splits}
        others = [split for split in self._splits if split not in _SPLITS]
        if others:
            folders["train"] = [*folders.get("train", []), *(f"images/{split}" for split in others)]
            notes.append(
                f"data.yaml: YOLO knows train, val and test; {', '.join(sorted(others))} counts as train"
            )
        every = [f"images/{split}" for split in self._splits]
        for missing, other in (("train", "val"), ("val", "train")):
            if missing in folders:
                continue
            folders[missing] = folders.get(other, every)  # Ultralytics takes no data.yaml without both
            notes.append(
                f"data.yaml: there is no split {missing!r}, it names other images: set it before training"
            )
        lines = ["# written by samdb export; paths start from this file's folder"]
        lines += [
            f"{split}: {json.dumps(folders[split], ensure_ascii=False)}"
            for split in _SPLITS
            if split in folders
        ]
        lines.append("names:")
        lines += [f"  {i}: {json.dumps(name, ensure_ascii=False)}" for i, name in enumerate(self._classes)]
        (self._target / "data.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return notes

    def close(self) -> None:
        """No file stays open."""

    def _line(self, found: ExportObject, size_hw: tuple[int, int]) -> str:
        height, width = size_hw
        points = joined_polygon(found.segment.mask)
        # a millionth of a side is a hundredth of a pixel in an image of 10,000
        shares = " ".join(f"{v / (height if i % 2 else width):.6g}" for i, v in enumerate(points))
        return f"{self._numbers[found.category]} {shares}\n"
