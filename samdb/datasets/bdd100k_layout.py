"""Where things are in a BDD100K folder, and which labels serve which images.

    images/100k/<split>   labels/det_20/det_<split>.json
                          else labels/det_v2_<split>_release.json (the same, under its first name)
                          else labels/bdd100k_labels_images_<split>.json (2018, single file)
                          else labels/100k/<split>/*.json (2018, one per image): the newest revision wins
    images/10k/<split>    labels/ins_seg/rles/ins_seg_<split>.json
                          else labels/ins_seg/bitmasks/<split>/*.png
                          else labels/ins_seg/polygons/ins_seg_<split>.json: the first two hold the same
                          pixels, the first also the objects' own ids; outlines have yet to be drawn

The folders `images` and `labels` may also lie one or two folders further down, as the archives unpack.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

_DEPTH = 3  # how many folders below the dataset's own `images` and `labels` are looked for
_LABELS = {
    "100k": (
        "det_20/det_{split}.json",
        "det_v2_{split}_release.json",
        "bdd100k_labels_images_{split}.json",
        "100k/{split}",
    ),
    "10k": (
        "ins_seg/rles/ins_seg_{split}.json",
        "ins_seg/bitmasks/{split}",
        "ins_seg/polygons/ins_seg_{split}.json",
    ),
}
_SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Bdd100kLayout:
    """The folders found: `images/100k` and `images/10k` by kind, and the folders that hold labels."""

    root: Path
    images: tuple[tuple[str, Path], ...]
    labels: tuple[Path, ...]

    def splits(self, base: Path) -> list[tuple[str, Path]]:
        """The folders in an image folder, or itself (split `all`) where it has none."""
        folders = [(d.name, Path(d.path)) for d in _folders(base)]
        return folders or [("all", base)]

    def label_path(self, kind: str, split: str) -> Path | None:
        """The file or folder with the labels of `images/<kind>/<split>`, by the order above."""
        return next(self._existing(kind, split), None)

    def expected(self, kind: str, split: str) -> str:
        """Where labels of `images/<kind>/<split>` were looked for, in words."""
        return ", ".join("labels/" + pattern.format(split=split) for pattern in _LABELS[kind])

    def without_images(self) -> list[tuple[Path, str]]:
        """Label files whose images are not there: (path, the image folder they belong to)."""
        there = {(kind, split) for kind, base in self.images for split, _ in self.splits(base)}
        return [
            (path, f"images/{kind}/{split}")
            for kind in _LABELS
            for split in _SPLITS
            if (kind, split) not in there
            for path in self._existing(kind, split)
        ]

    def _existing(self, kind: str, split: str) -> Iterator[Path]:
        for pattern in _LABELS[kind]:
            for folder in self.labels:
                path = folder / pattern.format(split=split)
                if _is_there(path):
                    yield path


def find_layout(root: Path) -> Bdd100kLayout | None:
    """What of BDD100K is in this folder, None when nothing is."""
    images: list[tuple[str, Path]] = []
    labels: list[Path] = []
    for folder in _near(root):
        if folder.name == "images":
            images += [(kind, folder / kind) for kind in _LABELS if (folder / kind).is_dir()]
        if _holds_labels(folder):
            labels.append(folder)
    return Bdd100kLayout(root, tuple(images), tuple(labels)) if images or labels else None


def root_above(path: Path) -> Path | None:
    """The nearest folder above `path` that has `images/100k` or `images/10k`, None when there is none."""
    for folder in path.parents:
        if any((folder / "images" / kind).is_dir() for kind in _LABELS):
            return folder
    return None


def _holds_labels(folder: Path) -> bool:
    patterns = [pattern for kind in _LABELS.values() for pattern in kind]
    return any(_is_there(folder / p.format(split=split)) for p in patterns for split in _SPLITS)


def _is_there(path: Path) -> bool:
    """Whether a label file exists, or a folder with label files in it: `100k/train` may also hold images."""
    suffix = ".png" if path.parent.name == "bitmasks" else ".json"
    try:
        with os.scandir(path) as entries:
            return any(e.name.endswith(suffix) for e in islice(entries, 8))
    except NotADirectoryError:
        return True
    except OSError:
        return False


def _near(root: Path) -> Iterator[Path]:
    level = [root]
    for _ in range(_DEPTH):
        yield from level
        # what is below `images` and `labels` is known, and may be huge
        level = [Path(d.path) for f in level if f.name not in ("images", "labels") for d in _folders(f)]
    yield from level


def _folders(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(
                (e for e in entries if e.is_dir() and not e.name.startswith(".")), key=lambda e: e.name
            )
    except OSError:
        return []
