"""Opening YOLO (Ultralytics): a `data.yaml`, or twin folders `images` and `labels`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from samdb.datasets.image_dataset import ImageDataset
from samdb.datasets.image_files import find_files, find_images, is_image, shown
from samdb.datasets.records import Catalogue, Findings, ImageFolder
from samdb.datasets.splits import NO_SPLIT, split_of_folder, split_order
from samdb.datasets.yolo_config import YoloConfig, find_config, names_beside, read_config
from samdb.datasets.yolo_files import YoloTextFiles, by_folder, is_label_file
from samdb.errors import DatasetError

FORMAT = "yolo"


def is_yolo_folder(path: Path) -> bool:
    """Whether a folder has a `data.yaml`, or `images` beside `labels` with label files of YOLO's form."""
    if find_config(path) is not None:
        return True
    pairs = [(path / "images", path / "labels")]
    pairs += [(d / "images", d / "labels") for d in _folders(path)]
    return any(a.is_dir() and b.is_dir() and _holds_yolo_labels(b) for a, b in pairs)


def open_yolo(path: Path, name: str | None = None) -> ImageDataset:
    """YOLO at `path`: its `data.yaml`, the folder with it, or a folder with `images` and `labels`.

    An image's labels are in the file of the same name below `labels` instead of `images`, else beside it. A
    missing label file means that the image is not labelled, an empty one that nothing is in it.

    Raises DatasetError when nothing of YOLO is there or the `data.yaml` cannot be used.
    """
    file = path if path.is_file() else find_config(path)
    folder = path.parent if path.is_file() else path
    if file is not None:
        config = read_config(file)
    else:
        if not is_yolo_folder(path):
            raise DatasetError(
                f"{path} does not look like YOLO: no data.yaml with `names`, and no `labels` with .txt files "
                "beside `images`; give the folder that holds data.yaml, or another --format"
            )
        names = names_beside(path)
        notices = () if names else ("no data.yaml and no classes.txt: classes are called by their numbers",)
        config = YoloConfig(path, {}, names, notices=notices)
    loader = _Loader(config, folder)
    return ImageDataset(name or folder.name, FORMAT, loader.root, loader)


class _Loader:
    """The dataset's folders, looked for when they are first needed; `root` is known before."""

    def __init__(self, config: YoloConfig, folder: Path) -> None:
        self._config = config
        places = [p for entries in config.entries.values() for p in map(config.place, entries)]
        # images may lie outside the dataset's folder: their paths then start from a folder above both
        self.root = Path(os.path.commonpath([config.base, folder, *(p for p in places if p.exists())]))

    def __call__(self) -> Catalogue:
        problems: list[str] = []
        notices = list(self._config.notices)
        folders: list[ImageFolder] = []
        checks = []
        taken: set[str] = set()
        for split, image_ids in self._splits(notices, problems):
            fresh = [i for i in dict.fromkeys(image_ids) if i not in taken]
            if len(fresh) < len(image_ids):
                notices.append(
                    f"{split}: {len(image_ids) - len(fresh):,} images are listed before; once is enough"
                )
            taken.update(fresh)
            source = YoloTextFiles(self.root, self._config)
            for base, ids in by_folder(fresh).items():
                folders.append(ImageFolder(base, split, tuple(ids), source))
            checks.append(partial(source.check, fresh))
        if not folders:
            notices.append("no images were found; check `path`, `train` and `val` in data.yaml")
        return Catalogue(tuple(folders), Findings(tuple(problems), tuple(notices)), tuple(checks))

    def _splits(self, notices: list[str], problems: list[str]) -> Iterator[tuple[str, list[str]]]:
        if not self._config.entries:
            yield from self._splits_of_folders()
            return
        for split, entries in self._config.entries.items():
            image_ids: list[str] = []
            for entry in entries:
                place = self._config.place(entry)
                if place.is_dir():
                    image_ids += find_images(self.root, place)
                elif place.is_file() and place.suffix.lower() == ".txt":
                    image_ids += self._listed(place, notices, problems)
                elif place.is_file() and is_image(place.name):
                    image_ids.append(self._id(place))
                else:
                    notices.append(f"{split}: {entry} is not there; add the images or ignore this")
            yield split, image_ids

    def _splits_of_folders(self) -> Iterator[tuple[str, list[str]]]:
        """The images below folders called `images`, by the split that their folders name."""
        groups: dict[str, list[str]] = {}
        for image_id in find_images(self.root):
            parts = image_id.split("/")[:-1]
            if "images" in parts:
                split = split_of_folder([*parts, self.root.name]) or NO_SPLIT
                groups.setdefault(split, []).append(image_id)
        yield from sorted(groups.items(), key=lambda item: split_order(item[0]))

    def _listed(self, path: Path, notices: list[str], problems: list[str]) -> list[str]:
        """The images that a list names; `./` starts from the list's own folder, as in Ultralytics."""
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as exc:
            problems.append(f"{shown(path, self.root)}: cannot be read ({exc}); check the file")
            return []
        found: list[str] = []
        missing: list[str] = []
        for line in filter(None, map(str.strip, lines)):
            bases = (path.parent,) if line.startswith("./") else (self._config.base, path.parent)
            places = [Path(os.path.abspath(base / line)) for base in bases]
            there = next((p for p in places if p.is_file()), None)
            if there is None or not there.is_relative_to(self.root):
                missing.append(line)
            else:
                found.append(self._id(there))
        if missing:
            notices.append(
                f"{shown(path, self.root)}: {len(missing):,} of {len(missing) + len(found):,} listed images "
                f"are not there (the first is {missing[0]}); add the images or ignore this"
            )
        return found

    def _id(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def _holds_yolo_labels(folder: Path) -> bool:
    """Whether the first text files in a folder hold lines of a class and fractions."""
    wanted = find_files(folder, is_label_file)
    lines = [line for name in islice(wanted, 8) for line in _first_lines(folder / name)]
    return bool(lines) and all(map(_is_label_line, lines))


def _first_lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            text = file.read(4096).decode("utf-8", "replace")
    except OSError:
        return []
    return [line for line in text.splitlines()[:2] if line.strip()]


def _is_label_line(line: str) -> bool:
    words = line.split()
    try:
        values = [float(word) for word in words]
    except ValueError:
        return False
    return len(words) >= 5 and values[0] >= 0 and values[0].is_integer()


def _folders(path: Path) -> list[Path]:
    try:
        with os.scandir(path) as entries:
            return sorted(Path(e.path) for e in entries if e.is_dir() and not e.name.startswith("."))
    except OSError:
        return []
