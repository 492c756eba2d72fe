"""Opening BDD100K: the dataset's folder, one of its image folders, or one of its label files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from samdb.datasets.bdd100k_bitmasks import BitmaskFolder
from samdb.datasets.bdd100k_frames import FrameFile, FrameFolder
from samdb.datasets.bdd100k_layout import Bdd100kLayout, find_layout, root_above
from samdb.datasets.image_claims import ImageClaims
from samdb.datasets.image_dataset import ImageDataset
from samdb.datasets.image_files import find_images, root_of_label_file, shown
from samdb.datasets.records import Catalogue, Findings, ImageFolder, merged
from samdb.datasets.sniff import find_label_files
from samdb.datasets.splits import split_of_file, split_order
from samdb.errors import DatasetError

FORMAT = "bdd100k"


def open_bdd100k(path: Path, name: str | None = None) -> ImageDataset:
    """BDD100K at `path`: its root, an `images/100k[/split]` folder in it, or a label file (then its frames).

    Also a folder of another layout that holds label files of BDD100K's form and the images they name.

    Raises DatasetError when nothing of BDD100K is there.
    """
    if path.is_file():
        above = root_above(path) or root_of_label_file(path)
        return ImageDataset(
            name or above.name, FORMAT, above, lambda: _label_files([path], above, all_images=False)
        )
    layout, only = _locate(path)
    if layout is not None:
        root = layout.root
        return ImageDataset(name or root.name, FORMAT, root, lambda: _catalogue(layout, only))
    loose = find_label_files(path, "bdd100k")
    if not loose:
        raise DatasetError(
            f"{path} does not look like BDD100K: expected images/100k/<split> or images/10k/<split> beside "
            "labels/det_20, labels/ins_seg or labels/bdd100k_labels_images_<split>.json; give the folder "
            "that holds `images` and `labels`, or another --format"
        )
    return ImageDataset(name or path.name, FORMAT, path, lambda: _label_files(loose, path, all_images=True))


def is_bdd100k_folder(path: Path) -> bool:
    """Whether a folder is BDD100K or one of the folders in it, or holds label files of BDD100K's form."""
    return _locate(path)[0] is not None or bool(find_label_files(path, "bdd100k"))


def _locate(path: Path) -> tuple[Bdd100kLayout | None, Path | None]:
    """The layout that a folder belongs to, and the folder itself when only its images are meant."""
    above = root_above(path)
    layout = None if above is None else find_layout(above)
    if layout is not None:
        if any(_overlap(base, path) for _, base in layout.images):
            return layout, path
        if any(path.is_relative_to(labels) for labels in layout.labels if labels != above):
            return layout, None
    return find_layout(path), None


def _catalogue(layout: Bdd100kLayout, only: Path | None) -> Catalogue:
    """All image folders of a layout, or those at or below the folder `only`."""
    folders: list[ImageFolder] = []
    notices: list[str] = []
    checks: list[Callable[[], Findings]] = []
    for kind, base in layout.images:
        for split, folder in sorted(layout.splits(base), key=lambda s: split_order(s[0])):
            start = _overlap(folder, only)
            if start is None:
                continue
            images = tuple(find_images(layout.root, start))
            where = shown(start, layout.root)
            if not images:
                notices.append(f"{where}: no images in it")
            labels = layout.label_path(kind, split)
            if labels is None:
                notices.append(f"{where}: no labels (looked for {layout.expected(kind, split)})")
            source = None if labels is None else _source(labels, layout.root)
            if source is not None:
                checks.append(partial(source.check, find_images(layout.root, folder) if only else images))
            folders.append(ImageFolder(where, split, images, source))
    if only is None:
        notices += [
            f"{shown(path, layout.root)}: labels without images, there is no folder {wanted}"
            for path, wanted in layout.without_images()
        ]
    return Catalogue(tuple(folders), Findings(notices=tuple(notices)), tuple(checks))


def _overlap(folder: Path, only: Path | None) -> Path | None:
    """The inner one of two folders when one lies in the other."""
    if only is None or folder.is_relative_to(only):
        return folder
    return only if only.is_relative_to(folder) else None


def _source(path: Path, root: Path) -> FrameFile | BitmaskFolder | FrameFolder:
    if path.is_file():
        return FrameFile(path, root)
    return BitmaskFolder(path, root) if path.parent.name == "bitmasks" else FrameFolder(path, root)


def _label_files(paths: Sequence[Path], root: Path, *, all_images: bool) -> Catalogue:
    """The images that label files name; with `all_images` also those of the folder that none names."""
    claims = ImageClaims(root)
    checked: list[Findings] = []
    for path in paths:
        source = FrameFile(path, root)
        split = split_of_file(path.stem)
        kind = "10k" if "ins_seg" in path.as_posix() else "100k"
        near = [f"images/{kind}/{split}", f"images/{kind}", f"images/{split}", f"{split}", "images", "."]
        found = [claims.claim(name, near, split, source) for name in source.names()]
        checked.append(source.check([image_id for image_id in found if image_id]))
    return Catalogue(claims.folders(with_rest=all_images), merged(checked))
