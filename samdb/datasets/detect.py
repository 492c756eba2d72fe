"""Opening a dataset of any format that samdb reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from samdb.datasets.bdd100k import is_bdd100k_folder, open_bdd100k
from samdb.datasets.coco import is_coco_folder, open_coco
from samdb.datasets.folder import open_folder
from samdb.datasets.image_dataset import ImageDataset
from samdb.datasets.image_files import is_image
from samdb.datasets.imagenet import is_imagenet_folder, open_imagenet
from samdb.datasets.sniff import sniff
from samdb.datasets.voc import is_voc_file, is_voc_folder, open_voc
from samdb.datasets.yolo import is_yolo_folder, open_yolo
from samdb.datasets.yolo_config import is_config
from samdb.errors import ConfigError, DatasetError

DatasetFormat: TypeAlias = Literal["bdd100k", "coco", "yolo", "voc", "imagenet", "folder"]
FORMATS: tuple[str, ...] = ("auto", *get_args(DatasetFormat))


_OPEN: dict[str, Callable[[Path, str | None], ImageDataset]] = {
    "bdd100k": open_bdd100k,
    "coco": open_coco,
    "yolo": open_yolo,
    "voc": open_voc,
    "imagenet": open_imagenet,
}
# in this order: what is asked first is told by the surest signs. ImageNet has boxes in VOC's form
_LOOKS_LIKE: dict[str, Callable[[Path], bool]] = {
    "bdd100k": is_bdd100k_folder,
    "coco": is_coco_folder,
    "yolo": is_yolo_folder,
    "imagenet": is_imagenet_folder,
    "voc": is_voc_folder,
}


def open_dataset(path: Path, format: str = "auto", name: str | None = None) -> ImageDataset:
    """The dataset at `path`: its folder, a folder of images in it, one of its label files, or one image.

    `format` auto looks at what is there: BDD100K, COCO, YOLO, ImageNet, Pascal VOC, else a plain folder of
    images; the other formats force one. `name` is the dataset's name in the store (default: the folder's).
    Broken and missing label files do not stop it: `problems()` names them.

    Raises ConfigError for an unknown format, DatasetError when nothing usable is at `path`.
    """
    if format not in FORMATS:
        raise ConfigError(f"unknown dataset format {format!r}; use one of: {', '.join(FORMATS)}")
    try:
        resolved = path.expanduser().resolve(strict=True)
    except (OSError, RuntimeError) as exc:
        raise DatasetError(
            f"{path}: there is no such file or folder; give a dataset's folder or its label file"
        ) from exc
    chosen = _detect(resolved) if format == "auto" else format
    if chosen in _OPEN:
        return _OPEN[chosen](resolved, name)
    if resolved.is_file() and not is_image(resolved.name):
        raise DatasetError(
            f"{path} is neither an image nor a label file that samdb knows (COCO or BDD100K JSON, YOLO's "
            "data.yaml, VOC's XML); give the dataset's folder, or say what it is with --format"
        )
    return open_folder(resolved, name)


def _detect(path: Path) -> str:
    if path.is_dir():
        return next((name for name, is_it in _LOOKS_LIKE.items() if is_it(path)), "folder")
    if is_config(path):
        return "yolo"
    return "voc" if is_voc_file(path) else sniff(path) or "folder"
