"""Finding image files on disk, and the image a label file means by a name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from samdb.errors import DatasetError

#: file endings that are taken for images
IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"}
)
# folders of label files, and of pictures that are labels and not photographs, in the formats that samdb reads
_LABEL_FOLDERS = frozenset(
    {
        "annotations",
        "bitmasks",
        "colormaps",
        "det_20",
        "ins_seg",
        "labels",
        "masks",
        "polygons",
        "rles",
        "segmentationclass",
        "segmentationclassaug",
        "segmentationobject",
    }
)
# `train-semi-segmentation` (ImageNet-S)
_MASK_FOLDER_END = "-segmentation"


def is_image(name: str) -> bool:
    """Whether a file's name says that it is an image; hidden files (`._x.jpg`) are not."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def image_key(name: str) -> str:
    """What names of one image have in common: the file name without folders and `.jpg`, `.png`, `.json`."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    stem, suffix = os.path.splitext(base)
    return stem if suffix.lower() in IMAGE_SUFFIXES or suffix.lower() == ".json" else base


def shown(path: Path, root: Path) -> str:
    """A path as messages show it: relative to the dataset where it lies inside."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def is_label_folder(relative: str) -> bool:
    """Whether a path relative to the dataset lies in a folder of labels, such as `panoptic_val2017`."""
    parts = PurePosixPath(relative.lower()).parts[:-1]
    return any(
        p in _LABEL_FOLDERS or p.startswith(("panoptic_", "stuff_")) or p.endswith(_MASK_FOLDER_END)
        for p in parts
    )


def root_of_label_file(path: Path) -> Path:
    """The dataset's folder, given a label file: the folder it is in, or the one above `annotations`."""
    folder = path.parent
    while folder.name.lower() in _LABEL_FOLDERS and folder != folder.parent:
        folder = folder.parent
    return folder


def find_images(root: Path, start: Path | None = None) -> list[str]:
    """Paths, relative to `root` and sorted, of all images in `start` (default: `root`) and the folders in it.

    Hidden folders are left out; linked folders are followed, each once.

    Raises DatasetError when `start` cannot be listed; a folder inside it that cannot is passed over.
    """
    return find_files(root, is_image, start)


def find_files(root: Path, wanted: Callable[[str], bool], start: Path | None = None) -> list[str]:
    """The same for all files whose name is `wanted`."""
    return sorted(_walk(os.fspath(start or root), os.fspath(root), wanted))


def _walk(start: str, root: str, wanted: Callable[[str], bool]) -> Iterator[str]:
    try:
        os.scandir(start).close()
    except OSError as exc:
        raise DatasetError(
            f"cannot list the folder {start}: {exc.strerror or exc}; check its permissions"
        ) from exc
    pending, seen = [start], set[str]()
    while pending:
        folder = pending.pop()
        real = os.path.realpath(folder)
        if real in seen:  # a link back to a folder above must not make the walk endless
            continue
        seen.add(real)
        prefix = os.path.relpath(folder, root).replace(os.sep, "/")
        prefix = "" if prefix == "." else prefix + "/"
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if wanted(entry.name) and entry.is_file():
                        yield prefix + entry.name
                    elif not entry.name.startswith(".") and entry.is_dir():
                        pending.append(entry.path)
        except OSError:
            continue


class ImageFinder:
    """Finds the image that a label file names, wherever in the dataset it lies."""

    def __init__(self, image_ids: Iterable[str]) -> None:
        self._ids: set[str] = set(image_ids)
        self._by_name: dict[str, list[str]] = {}
        self._by_key: dict[str, list[str]] = {}
        for image_id in sorted(self._ids):
            self._by_name.setdefault(image_id.rsplit("/", 1)[-1], []).append(image_id)
            self._by_key.setdefault(image_key(image_id), []).append(image_id)

    def find(self, file_name: str, folders: Iterable[str]) -> str | None:
        """The image called `file_name` (maybe with folders before it), or None.

        Looked for below each of `folders` in order, then anywhere by the longest common end of the path, then
        by the name without its ending; where that leaves several, the first by name.
        """
        wanted = PurePosixPath(file_name.replace("\\", "/"))
        for folder in folders:
            candidate = str(PurePosixPath(folder) / wanted)
            if candidate in self._ids:
                return candidate
        same_name = self._by_name.get(wanted.name) or self._by_key.get(image_key(wanted.name), [])
        return max(same_name, key=lambda i: _common_end(i, str(wanted)), default=None)


def _common_end(a: str, b: str) -> int:
    count = 0
    for x, y in zip(reversed(a.split("/")), reversed(b.split("/")), strict=False):
        if x != y:
            break
        count += 1
    return count
