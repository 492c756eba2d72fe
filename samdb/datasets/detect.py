"""Opening a dataset of any format that samdb reads."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias, get_args

from samdb.datasets.bdd100k import is_bdd100k_folder, open_bdd100k
from samdb.datasets.coco import is_coco_folder, open_coco
from samdb.datasets.folder import open_folder
from samdb.datasets.image_dataset import ImageDataset
from samdb.datasets.image_files import is_image
from samdb.datasets.sniff import sniff
from samdb.errors import ConfigError, DatasetError

DatasetFormat: TypeAlias = Literal["bdd100k", "coco", "folder"]
FORMATS: tuple[str, ...] = ("auto", *get_args(DatasetFormat))


def open_dataset(path: Path, format: str = "auto", name: str | None = None) -> ImageDataset:
    """The dataset at `path`: its folder, a folder of images in it, one of its JSON label files, or one image.

    `format` auto looks at what is there: BDD100K, else COCO, else a plain folder of images; `bdd100k`,
    `coco` and `folder` force one. `name` is the dataset's name in the store (default: the folder's name).
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
    if chosen == "bdd100k":
        return open_bdd100k(resolved, name)
    if chosen == "coco":
        return open_coco(resolved, name)
    if resolved.is_file() and not is_image(resolved.name):
        raise DatasetError(
            f"{path} is neither an image nor a label file that samdb knows (COCO or BDD100K JSON); "
            "give the dataset's folder, or say what it is with --format"
        )
    return open_folder(resolved, name)


def _detect(path: Path) -> str:
    if path.is_file():
        return sniff(path) or "folder"
    if is_bdd100k_folder(path):
        return "bdd100k"
    return "coco" if is_coco_folder(path) else "folder"
