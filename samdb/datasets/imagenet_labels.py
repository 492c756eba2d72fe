"""What an ImageNet-style dataset says of one image: its class, and boxes or ImageNet-S masks, if any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from samdb.core.masks import Rle
from samdb.core.sample import Attribute, Label
from samdb.datasets.image_files import image_key
from samdb.datasets.images import image_size, read_label_picture
from samdb.datasets.label_list import LabelList
from samdb.datasets.records import ImageLabels, LabelSource
from samdb.datasets.segmentation import masks_of_map
from samdb.errors import DatasetError, ImageError

#: the attribute that holds the class of a whole image
IMAGE_CLASS = "image_class"
#: marks what the annotators left open. Source: README of LUSSeg/ImageNet-S
_IGNORED = 1000
_IGNORED_NAME = "ignored region"


@dataclass(frozen=True, slots=True)
class ClassTable:
    """`names` maps a class folder to its name, `numbers` a mask's number to a class folder."""

    names: Mapping[str, str]
    numbers: Mapping[int, str]

    def name(self, folder: str) -> str:
        """The name of a class."""
        return self.names.get(folder, folder)


class ImageNetFolder:
    """Labels of the images of one split.

    The class of an image is the attribute `image_class` of the image and so of all its segments: it says
    what the photograph shows, not which segment shows it, so it labels none. Boxes and masks are labels. An
    image without them counts as not labelled.
    """

    def __init__(
        self,
        root: Path,
        table: ClassTable,
        folders: Mapping[str, str],
        masks: Path | None,
        boxes: LabelSource | None,
    ) -> None:
        self._root = root
        self._table = table
        self._folders = folders
        self._masks = masks
        self._boxes = boxes

    def labels_of(self, image_id: str) -> ImageLabels | None:
        """The labels of an image; None when nothing is known of it."""
        folder = self._folders.get(image_id)
        attributes: dict[str, Attribute] = {}
        if folder is not None:
            attributes[IMAGE_CLASS] = self._table.name(folder)
        mask = self._mask_of(image_id, folder)
        if mask is not None:
            found = self._with_mask(image_id, folder, mask)
        else:
            found = (self._boxes.labels_of(image_id) if self._boxes else None) or ImageLabels(
                has_labels=False
            )
        if not attributes and not found.has_labels and not found.problems:
            return None
        return replace(found, attributes=attributes)

    def _mask_of(self, image_id: str, folder: str | None) -> Path | None:
        if self._masks is None:
            return None
        name = image_key(image_id) + ".png"
        places = [self._masks / folder / name] if folder else []
        return next((p for p in (*places, self._masks / name) if p.is_file()), None)

    def _with_mask(self, image_id: str, folder: str | None, path: Path) -> ImageLabels:
        try:
            picture = read_label_picture(path, "RGB").astype(np.int64)
            size_hw = image_size(self._root / image_id)
        except ImageError as exc:
            return ImageLabels(problems=(str(exc),), has_labels=False)
        if picture.shape[:2] != size_hw:
            problem = (
                f"{path}: is {picture.shape[1]}x{picture.shape[0]} px, the image {size_hw[1]}x{size_hw[0]}"
            )
            return ImageLabels(problems=(problem,), has_labels=False)
        masks = masks_of_map(picture[..., 0] + 256 * picture[..., 1])
        found = LabelList()
        n_classes = len(masks.keys() - {_IGNORED})
        for number, mask in masks.items():

            def make(label_id: str, number: int = number, mask: Rle = mask) -> Label:
                box = mask.box_xyxy
                if number == _IGNORED:
                    return Label(label_id, _IGNORED_NAME, _IGNORED_NAME, box, mask, {}, True)
                wnid = self._table.numbers.get(number) or (folder if n_classes == 1 else None)
                if wnid is None:
                    raise DatasetError(
                        "is a class of ImageNet-S that cannot be named: put ImageNetS_categories_im50.txt "
                        "(or 300, 919) from the ImageNet-S repository beside the dataset"
                    )
                return Label(label_id, wnid, self._table.name(wnid), box, mask)

            found.add(number, number, make)
        return ImageLabels(found.labels, {}, tuple(found.problems))
