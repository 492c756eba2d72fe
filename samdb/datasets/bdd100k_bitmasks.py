"""BDD100K instance segmentation as bitmasks: one RGBA picture per image."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samdb.core.masks import Rle
from samdb.core.sample import Label
from samdb.datasets.image_files import find_images, image_key, shown
from samdb.datasets.images import read_label_picture
from samdb.datasets.label_list import LabelList
from samdb.datasets.records import Findings, ImageLabels, missing_pieces
from samdb.datasets.segmentation import masks_of_map
from samdb.datasets.vocabulary import DET_CLASSES
from samdb.errors import DatasetError, ImageError

# bits of the second channel. Source: bdd100k, doc/source/format.rst
_TRUNCATED, _OCCLUDED, _CROWD, _IGNORE = 8, 4, 2, 1
# ids 1 to 8; instance segmentation has no traffic lights and signs
_N_CATEGORIES = 8


class BitmaskFolder:
    """A folder of bitmasks, named like the images.

    R is the category (1-8), G the attributes, (B << 8) + A the instance; instance 0 is background.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        self._folder = folder
        self._shown = shown(folder, root)

    def labels_of(self, image_id: str) -> ImageLabels | None:
        """The instances of an image: mask, tight box, class, attributes."""
        path = self._files.get(image_key(image_id))
        if path is None:
            return None
        try:
            bitmask = read_label_picture(path, "RGBA")
        except ImageError as exc:
            return ImageLabels(problems=(str(exc),), has_labels=False)
        return _bitmask_labels(bitmask)

    def check(self, image_ids: Sequence[str]) -> Findings:
        """Bitmasks without image and images without bitmask."""
        keys = frozenset(image_key(i) for i in image_ids)
        missing = missing_pieces(self._shown, {k: p.name for k, p in self._files.items()}, keys)
        return Findings(notices=tuple(missing))

    @cached_property
    def _files(self) -> dict[str, Path]:
        return {image_key(name): self._folder / name for name in find_images(self._folder)}


def _bitmask_labels(bitmask: NDArray[np.uint8]) -> ImageLabels:
    found = LabelList()
    by_instance: dict[int, list[tuple[int, Rle]]] = {}
    for code, mask in masks_of_map(_codes(bitmask)).items():
        by_instance.setdefault(code & 0xFFFF, []).append((code >> 16, mask))
    for position, (instance, pieces) in enumerate(sorted(by_instance.items())):

        def make(label_id: str, pieces: list[tuple[int, Rle]] = pieces) -> Label:
            return _instance(label_id, pieces)

        found.add(instance, position, make)
    return ImageLabels(found.labels, {}, tuple(found.problems))


def _codes(bitmask: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Category, attributes, instance (8, 8, 16 bits) of each pixel (H, W); 0 where there is no instance."""
    r, g, b, a = np.moveaxis(bitmask.astype(np.int64), -1, 0)
    instance = (b << 8) + a
    return np.where(instance > 0, (r << 24) + (g << 16) + instance, 0)


def _instance(label_id: str, pieces: list[tuple[int, Rle]]) -> Label:
    if len(pieces) != 1:
        raise DatasetError(f"its pixels have {len(pieces)} different categories or attributes")
    code, mask = pieces[0]
    category_id, bits = code >> 8, code & 0xFF
    if not 1 <= category_id <= _N_CATEGORIES:
        raise DatasetError(f"has category {category_id}; BDD100K instances have 1 to {_N_CATEGORIES}")
    name = DET_CLASSES[category_id - 1]
    attributes = {"truncated": bool(bits & _TRUNCATED), "occluded": bool(bits & _OCCLUDED)}
    return Label(label_id, name, name, mask.box_xyxy, mask, attributes, bool(bits & (_CROWD | _IGNORE)))
