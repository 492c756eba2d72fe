"""A plain folder of images, without labels; or one image."""

from __future__ import annotations

from pathlib import Path

from samdb.datasets.image_claims import ImageClaims
from samdb.datasets.image_dataset import ImageDataset
from samdb.datasets.image_files import find_images
from samdb.datasets.records import Catalogue, ImageFolder
from samdb.datasets.splits import NO_SPLIT
from samdb.errors import DatasetError

FORMAT = "folder"


def open_folder(path: Path, name: str | None = None) -> ImageDataset:
    """All images in a folder and the folders in it, or a single image file.

    Raises DatasetError when the folder holds no image.
    """
    if path.is_file():
        single = Catalogue((ImageFolder(".", NO_SPLIT, (path.name,)),))
        return ImageDataset(name or path.stem, FORMAT, path.parent, lambda: single)
    catalogue = Catalogue(ImageClaims(path).folders(with_rest=True))
    if not catalogue.folders:
        inside = "only label pictures (masks, bitmasks, ...)" if find_images(path) else "no image"
        raise DatasetError(
            f"{path} holds {inside}; give a folder with .jpg, .png or other common images in it"
        )
    return ImageDataset(name or path.name, FORMAT, path, lambda: catalogue)
