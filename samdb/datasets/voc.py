"""Opening Pascal VOC: `JPEGImages` and `Annotations`, or XML files beside the images."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from samdb.datasets.image_dataset import ImageDataset
from samdb.datasets.image_files import find_files, find_images, image_key, is_label_folder, shown
from samdb.datasets.records import Catalogue, Findings, ImageFolder, merged
from samdb.datasets.splits import NO_SPLIT, split_of_folder, split_order
from samdb.datasets.voc_files import VocFiles
from samdb.errors import DatasetError

FORMAT = "voc"
ANNOTATIONS = "Annotations"
# VOCdevkit/VOC2012/Annotations, seen from the folder that the archive was unpacked in
_DEPTH = 2
#: an image in several lists belongs to the first of these
_SPLITS = ("train", "val", "test", "trainval")


def is_voc_folder(path: Path) -> bool:
    """Whether a folder holds annotations of VOC's form: in `Annotations`, or beside its images."""
    return any(_holds_annotations(folder / ANNOTATIONS) for folder in _near(path)) or any(
        map(_holds_annotations, (path, *_folders(path)))
    )


def is_voc_file(path: Path) -> bool:
    """Whether a file looks like one annotation of VOC's form."""
    if path.suffix.lower() != ".xml":
        return False
    try:
        with path.open("rb") as file:
            return b"<annotation" in file.read(4096)
    except OSError:
        return False


def open_voc(path: Path, name: str | None = None) -> ImageDataset:
    """Pascal VOC at `path`: `VOCdevkit`, one of the years in it, its `Annotations` or one of those files;
    also any folder with an XML file beside each image.

    Raises DatasetError when there is no annotation of VOC's form.
    """
    folder = path.parent if path.is_file() else path
    while folder.name == ANNOTATIONS or (path.is_file() and ANNOTATIONS in folder.parts):
        folder = folder.parent
    # what is in the files is not asked here: broken ones are reported, each by its name
    if not any(_xml_names(f / ANNOTATIONS) for f in _near(folder)) and not is_voc_folder(folder):
        raise DatasetError(
            f"{path} does not look like Pascal VOC: no `Annotations` with XML files beside `JPEGImages`, and "
            "no XML files beside the images; give the folder that holds `Annotations`, or another --format"
        )
    return ImageDataset(name or folder.name, FORMAT, folder, lambda: _catalogue(folder))


def _catalogue(root: Path) -> Catalogue:
    image_ids = [i for i in find_images(root) if not is_label_folder(i)]
    homes = [f for f in _near(root) if (f / ANNOTATIONS).is_dir()] or [root]
    folders: list[ImageFolder] = []
    checks = []
    findings: list[Findings] = []
    # the innermost home first: each image belongs to the one it lies in
    for home in sorted(homes, key=lambda h: (-len(h.parts), h)):
        prefix = "" if home == root else shown(home, root) + "/"
        mine = [i for i in image_ids if i.startswith(prefix)]
        image_ids = [i for i in image_ids if not i.startswith(prefix)]
        labels = home / ANNOTATIONS if (home / ANNOTATIONS).is_dir() else home
        source = VocFiles(home, root, [labels / n for n in find_files(labels, _is_xml)], mine)
        lists, found = _lists(home, root, mine)
        findings.append(found)
        checks.append(source.check)
        groups: dict[tuple[str, str], list[str]] = {}
        for image_id in mine:
            parts = image_id.split("/")[:-1]
            split = lists.get(image_key(image_id)) or split_of_folder([*parts, root.name]) or NO_SPLIT
            groups.setdefault((split, "/".join(parts) or "."), []).append(image_id)
        folders += [ImageFolder(base, split, tuple(ids), source) for (split, base), ids in groups.items()]
    if image_ids:
        folders.append(ImageFolder(".", NO_SPLIT, tuple(image_ids)))
    folders.sort(key=lambda f: (split_order(f.split), f.folder))
    return Catalogue(tuple(folders), merged(findings), tuple(checks))


def _lists(home: Path, root: Path, image_ids: list[str]) -> tuple[dict[str, str], Findings]:
    """The split of each image that `ImageSets` names, by its key."""
    splits: dict[str, str] = {}
    notices: list[str] = []
    problems: list[str] = []
    keys = {image_key(i) for i in image_ids}
    twice: Counter[str] = Counter()
    for kind in ("Main", "Segmentation"):
        for split in _SPLITS:
            path = home / "ImageSets" / kind / f"{split}.txt"
            try:
                # files of one class have a second word: 1, -1 or 0
                names = [line.split()[0] for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
            except (FileNotFoundError, NotADirectoryError):
                continue
            except (OSError, UnicodeDecodeError) as exc:
                problems.append(f"{shown(path, root)}: cannot be read ({exc}); its split is not used")
                continue
            missing = [name for name in names if image_key(name) not in keys]
            if missing:
                notices.append(
                    f"{shown(path, root)}: {len(missing):,} of {len(names):,} listed images are not there "
                    f"(the first is {min(missing)}); add the images or ignore this"
                )
            for name in names:
                first = splits.setdefault(image_key(name), split)
                twice[f"{first} and {split}"] += split not in (first, "trainval")
    notices += [
        f"{n:,} images are listed in {pair}; they count as {pair.split()[0]}"
        for pair, n in twice.items()
        if n
    ]
    return splits, Findings(tuple(problems), tuple(notices))


def _near(root: Path) -> Iterator[Path]:
    level = [root]
    for _ in range(_DEPTH):
        yield from level
        level = [d for f in level for d in _folders(f)]
    yield from level


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(e.path) for e in entries if e.is_dir() and not e.name.startswith("."))
    except OSError:
        return []


def _holds_annotations(folder: Path) -> bool:
    """Whether the first XML files in a folder, or in the folders directly in it, are annotations."""
    for place in (folder, *(_folders(folder) if folder.name == ANNOTATIONS else ())):
        names = _xml_names(place)
        if names:
            return any(is_voc_file(place / name) for name in names)
    return False


def _xml_names(folder: Path) -> list[str]:
    """The first XML files in a folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted(e.name for e in entries if _is_xml(e.name))[:8]
    except OSError:
        return []


def _is_xml(name: str) -> bool:
    return name.lower().endswith(".xml") and not name.startswith(".")
