"""The label files of a YOLO dataset: one for each image, of the same name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from samdb.datasets.image_files import image_key, is_image, shown
from samdb.datasets.images import image_size
from samdb.datasets.records import Findings, ImageLabels, missing_pieces
from samdb.datasets.yolo_config import YoloConfig
from samdb.datasets.yolo_labels import yolo_labels
from samdb.errors import ImageError

# lists of names and notes that lie beside label files
_NO_LABELS = frozenset(
    {"classes.txt", "notes.txt", "readme.txt", "readme.dataset.txt", "readme.roboflow.txt"}
)


class YoloTextFiles:
    """The label files of images: one each, of the same name."""

    def __init__(self, root: Path, config: YoloConfig) -> None:
        self._root = root
        self._config = config

    def labels_of(self, image_id: str) -> ImageLabels | None:
        """The labels of an image; None when it has no label file."""
        for path in self._places(image_id):
            try:
                text = path.read_text(encoding="utf-8-sig")
            except (FileNotFoundError, NotADirectoryError):
                continue
            except (OSError, UnicodeDecodeError) as exc:
                return _unread(f"{shown(path, self._root)}: cannot be read ({exc}); export it again")
            if not text.strip():
                return ImageLabels()
            try:
                size_hw = image_size(self._root / image_id)
            except ImageError as exc:
                return _unread(f"{image_id}: its labels need the image's size: {exc}")
            return yolo_labels(text, size_hw, self._config.names, has_keypoints=self._config.has_keypoints)
        return None

    def check(self, image_ids: Sequence[str]) -> Findings:
        """Label files without image, images without label file."""
        notices: list[str] = []
        for base, ids in by_folder(image_ids).items():
            folder = self._root / (twin_folder(f"{base}/x") or base)
            labelled = _label_files(folder)
            if not labelled:
                notices.append(f"{base}: no label files (looked in {shown(folder, self._root)})")
            elif self._whole(base, ids):
                keys = frozenset(map(image_key, ids))
                notices += missing_pieces(shown(folder, self._root), labelled, keys)
        return Findings(notices=tuple(notices))

    def _places(self, image_id: str) -> list[Path]:
        path = self._root / image_id
        beside = path.with_suffix(".txt")
        twin = twin_folder(image_id)
        return [beside] if twin is None else [self._root / twin / beside.name, beside]

    def _whole(self, base: str, ids: Sequence[str]) -> bool:
        """Whether the split has all images of the folder: a list that names some leaves labels over."""
        with os.scandir(self._root / base) as entries:
            return sum(is_image(e.name) for e in entries) == len(ids)


def twin_folder(image_id: str) -> str | None:
    """The folder of an image's label file: `labels` in place of the last `images`; None without one.

    Source: `img2label_paths` in ultralytics, data/utils.py.
    """
    parts = image_id.split("/")[:-1]
    if "images" not in parts:
        return None
    last = len(parts) - 1 - parts[::-1].index("images")
    return "/".join([*parts[:last], "labels", *parts[last + 1 :]])


def is_label_file(name: str) -> bool:
    """Whether a file's name may be that of an image's labels."""
    return name.endswith(".txt") and name.lower() not in _NO_LABELS


def _unread(problem: str) -> ImageLabels:
    return ImageLabels(problems=(problem,), has_labels=False)


def by_folder(image_ids: Sequence[str]) -> Mapping[str, list[str]]:
    """Paths by the folder they lie in, `.` for the dataset's own."""
    groups: dict[str, list[str]] = {}
    for image_id in image_ids:
        groups.setdefault(image_id.rpartition("/")[0] or ".", []).append(image_id)
    return dict(sorted(groups.items()))


def _label_files(folder: Path) -> dict[str, str]:
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if is_label_file(e.name)]
    except OSError:
        return {}
    return {name.removesuffix(".txt"): name for name in sorted(names)}
