"""Opening ImageNet and folders like it: one folder per class, maybe with boxes or ImageNet-S masks.

train/<class>/*.JPEG   val/<class>/*.JPEG   (ImageNet, ImageNet-S and any folder of class folders)
ILSVRC/Data/CLS-LOC/{train,val,test}        the same, as its archive unpacks
ILSVRC/Annotations/CLS-LOC/{train,val}      boxes: XML in the form of Pascal VOC
<split>-segmentation/<class>/*.png          ImageNet-S masks: class number = R + 256 G
LOC_synset_mapping.txt, words.txt, ...      what the classes are called
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from samdb.datasets.image_dataset import ImageDataset
from samdb.datasets.image_files import find_files, find_images, image_key, is_image, shown
from samdb.datasets.imagenet_classes import WNID, class_names, mask_classes, solution_classes
from samdb.datasets.imagenet_labels import ClassTable, ImageNetFolder
from samdb.datasets.records import Catalogue, Findings, ImageFolder
from samdb.datasets.splits import NO_SPLIT, split_order
from samdb.datasets.voc_files import VocFiles
from samdb.errors import DatasetError

FORMAT = "imagenet"
_DATA = ("ILSVRC/Data/CLS-LOC", "Data/CLS-LOC")
_BOXES = ("ILSVRC/Annotations/CLS-LOC", "Annotations/CLS-LOC", "Annotations", "bbox", "boxes")
_MASKS = "-segmentation"
_SPLITS = ("train", "val", "test", "train-full", "train-semi", "validation", "valid")
_SAME = {"validation": "val", "valid": "val"}


def is_imagenet_folder(path: Path) -> bool:
    """Whether a folder has class folders named by WordNet ids, or the same class folders in two splits."""
    data = _data_folder(path)
    splits = [_folders(data / s) for s in _SPLITS if (data / s).is_dir()]
    ids = [name for names in (*splits, _folders(data)) for name in names if WNID.match(name)]
    if ids:
        return True
    held = [frozenset(names) for names in splits if names]
    alike = any(len(a & b) >= 2 for i, a in enumerate(held) for b in held[i + 1 :])
    return alike and not any(_has_image(data / s) for s in _SPLITS)


def open_imagenet(path: Path, name: str | None = None) -> ImageDataset:
    """ImageNet, ImageNet-S, or any folder with a folder of images per class, maybe below `train` and `val`.

    The class of an image is its attribute `image_class`; boxes and masks, where there are some, are labels.

    Raises DatasetError when there are no class folders.
    """
    if path.is_file():
        raise DatasetError(f"{path} is a file; give the folder that holds the class folders")
    root, only = path, None
    if path.name in _SPLITS and not any((path / s).is_dir() for s in _SPLITS):
        root, only = path.parent, path.name
    data = _data_folder(root)
    splits = [s for s in _SPLITS if (data / s).is_dir()] if only is None else [only]
    if not splits and not any(_has_image(data / f) for f in _folders(data)):
        raise DatasetError(
            f"{path} does not look like ImageNet: no folders of classes with images in them, such as "
            "train/n01440764; give the folder that holds them, or another --format"
        )
    where = {_SAME.get(s, s): data / s for s in splits} or {NO_SPLIT: data}
    return ImageDataset(name or root.name, FORMAT, root, lambda: _catalogue(root, where))


def _catalogue(root: Path, where: Mapping[str, Path]) -> Catalogue:
    images = {split: find_images(root, folder) for split, folder in where.items()}
    images = {split: [i for i in ids if not _is_mask(i)] for split, ids in images.items()}
    folders = {split: _classes(root, where[split], ids) for split, ids in images.items()}
    solution = solution_classes(root)
    if solution and "val" in images:
        found = {i: solution[k] for i in images["val"] if (k := image_key(i)) in solution}
        folders["val"] = {**found, **folders["val"]}
    classes = {split: sorted(set(ids.values())) for split, ids in folders.items()}
    every = sorted({c for found in classes.values() for c in found})
    numbers = mask_classes(root, classes)
    names, notices = class_names(root, sorted({*every, *numbers.values()}))
    table = ClassTable(names, numbers)
    found_folders: list[ImageFolder] = []
    checks = []
    missing: list[str] = []
    for split, ids in images.items():
        boxes = _boxes(root, split, where[split], ids, table)
        masks = where[split].with_name(where[split].name + _MASKS)
        source = ImageNetFolder(root, table, folders[split], masks if masks.is_dir() else None, boxes)
        if masks.is_dir():
            checks.append(partial(_check_masks, root, masks, ids))
        bare = len(ids) - len(folders[split])
        if bare and split != "test":
            missing.append(
                f"{shown(where[split], root)}: {bare:,} of {len(ids):,} images lie in no class folder"
            )
        # a row per split, not per class: 1,000 rows would tell nothing
        found_folders.append(ImageFolder(shown(where[split], root), split, tuple(ids), source))
    found_folders.sort(key=lambda f: split_order(f.split))
    return Catalogue(tuple(found_folders), Findings(notices=(*notices, *missing)), tuple(checks))


def _classes(root: Path, folder: Path, image_ids: list[str]) -> dict[str, str]:
    """The class folder of each image: the first folder below its split's."""
    depth = 0 if folder == root else len(folder.relative_to(root).parts)
    parts = {i: i.split("/")[depth:] for i in image_ids}
    return {i: p[0] for i, p in parts.items() if len(p) > 1}


def _boxes(root: Path, split: str, folder: Path, image_ids: list[str], table: ClassTable) -> VocFiles | None:
    for name in _BOXES:
        for place in (root / name / folder.name, root / name / split):
            if place.is_dir():
                files = [place / n for n in find_files(place, lambda n: n.lower().endswith(".xml"))]
                return VocFiles(place, root, files, image_ids, table.name) if files else None
    return None


def _check_masks(root: Path, masks: Path, image_ids: list[str]) -> Findings:
    """Masks without image, images without mask."""
    there = {image_key(name): name for name in find_images(masks)}
    keys = {image_key(i) for i in image_ids}
    orphans = [name for key, name in there.items() if key not in keys]
    bare = len(keys - there.keys())
    notices = []
    if orphans:
        notices.append(
            f"{shown(masks, root)}: {len(orphans):,} of {len(there):,} masks have no image (the first is "
            f"{min(orphans)}); add the images or ignore this"
        )
    if bare:
        notices.append(f"{shown(masks, root)}: has no mask for {bare:,} of {len(keys):,} images")
    return Findings(notices=tuple(notices))


def _data_folder(root: Path) -> Path:
    return next((root / d for d in _DATA if (root / d).is_dir()), root)


def _is_mask(image_id: str) -> bool:
    return any(part.endswith(_MASKS) for part in image_id.split("/")[:-1])


def _folders(path: Path) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    except OSError:
        return []


def _has_image(path: Path) -> bool:
    try:
        with os.scandir(path) as entries:
            return any(is_image(e.name) for e in entries)
    except OSError:
        return False
