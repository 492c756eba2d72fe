"""One COCO label file, parsed and indexed by image: instances or panoptic."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from samdb.datasets.image_files import shown
from samdb.datasets.json_file import Json, as_id, as_list, as_object, as_text, read_json
from samdb.errors import DatasetError

_OBJECT_KEYS = ("bbox", "segmentation", "segments_info")


class CocoFile:
    """The images, categories and annotations of a file, annotations as they are in it.

    Entries that cannot be used at all are in `problems`, each with its reason.

    Raises DatasetError when the file is broken or has no list of images.
    """

    def __init__(self, path: Path, root: Path) -> None:
        content = as_object(read_json(path))
        if not isinstance(content.get("images"), list):
            raise DatasetError(f"{path}: has no list `images`; is it a COCO label file?")
        self.path = path
        self.shown = shown(path, root)
        self.problems: list[str] = []
        self.categories = {
            i: c for c in map(as_object, as_list(content.get("categories"))) if (i := as_id(c.get("id")))
        }
        self.images = self._index_images(as_list(content["images"]))
        self._annotations = self._index_annotations(as_list(content.get("annotations")))

    def annotations(self, coco_id: str) -> list[dict[str, Json]]:
        """What the file says of one of its images."""
        return self._annotations.get(coco_id, [])

    @cached_property
    def has_objects(self) -> bool:
        """Whether any annotation is of objects; captions, for one, are not."""
        return any(key in a for found in self._annotations.values() for a in found for key in _OBJECT_KEYS)

    @cached_property
    def mask_names(self) -> list[str]:
        """The names of its panoptic mask pictures; none where it holds instances."""
        return [
            name
            for found in self._annotations.values()
            for a in found
            if "segments_info" in a and (name := as_text(a.get("file_name")))
        ]

    def _index_images(self, entries: Iterable[Json]) -> dict[str, dict[str, Json]]:
        images: dict[str, dict[str, Json]] = {}
        for position, entry in enumerate(entries):
            image = as_object(entry)
            coco_id = as_id(image.get("id"))
            if coco_id is None or as_text(image.get("file_name")) is None:
                self.problems.append(f"{self.shown}: image {position} has no id or no file_name; left out")
            elif coco_id in images:
                self.problems.append(
                    f"{self.shown}: image id {coco_id} is there more than once; the first is used"
                )
            else:
                images[coco_id] = image
        return images

    def _index_annotations(self, entries: Iterable[Json]) -> dict[str, list[dict[str, Json]]]:
        annotations: dict[str, list[dict[str, Json]]] = {}
        lost = 0
        for entry in entries:
            annotation = as_object(entry)
            coco_id = as_id(annotation.get("image_id"))
            if coco_id is None or coco_id not in self.images:
                lost += 1
            else:
                annotations.setdefault(coco_id, []).append(annotation)
        if lost:
            self.problems.append(
                f"{self.shown}: {lost:,} annotations belong to no image of the file; left out"
            )
        return annotations
