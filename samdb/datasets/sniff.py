"""Telling what a JSON file holds from its name and its first and last bytes, without parsing it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal, TypeAlias

JsonKind: TypeAlias = Literal["bdd100k", "coco"]

_PEEK_BYTES = 1 << 16
# formats with a few label files, not one per image: a folder with more JSON files is something else
_MAX_FILES = 64
_COCO_NAME = re.compile(r"^(instances|panoptic|person_keypoints)[_.]|^_annotations\.coco\.")
_COCO_HEAD = re.compile(r'^\s*\{.*"images"\s*:\s*\[', re.DOTALL)
_COCO_BODY = re.compile(r'"(annotations|categories)"\s*:\s*\[')
_BDD_LIST = re.compile(r'^\s*(\[|\{.*"frames"\s*:\s*\[)\s*\{.*"name"\s*:', re.DOTALL)
_BDD_SINGLE = re.compile(r'^\s*\{.*"(objects|labels)"\s*:\s*\[', re.DOTALL)
_BDD_BODY = re.compile(r'"(labels|box2d|poly2d|rle|timestamp|videoName|objects)"\s*:')


def sniff(path: Path) -> JsonKind | None:
    """Whether a file looks like labels of BDD100K's form (any of them) or of COCO's; None: like neither.

    A file that is named as COCO names its own counts as COCO even when it is damaged, so that opening it
    says so instead of passing it over.
    """
    if path.suffix.lower() != ".json":
        return None
    try:
        with path.open("rb") as file:
            head = file.read(_PEEK_BYTES)
            file.seek(max(file.seek(0, os.SEEK_END) - _PEEK_BYTES, 0))
            tail = file.read()
    except OSError:
        return None
    start = head.decode("utf-8-sig", "replace")
    text = start + tail.decode("utf-8", "replace")
    if _COCO_NAME.match(path.name) or (_COCO_HEAD.match(start) and _COCO_BODY.search(text)):
        return "coco"
    named = '"name"' in text and bool(_BDD_BODY.search(text))
    if named and (_BDD_LIST.match(start) or _BDD_SINGLE.match(start)):
        return "bdd100k"
    return None


def find_label_files(root: Path, kind: JsonKind) -> tuple[Path, ...]:
    """JSON files of one kind in a folder and the folders directly in it, sorted by path."""
    found: list[Path] = []
    for folder in (root, *_folders(root)):
        files = _json_files(folder)
        if len(files) <= _MAX_FILES:
            found += [path for path in files if sniff(path) == kind]
    return tuple(found)


def _folders(root: Path) -> list[Path]:
    try:
        with os.scandir(root) as entries:
            return sorted(Path(e.path) for e in entries if e.is_dir() and not e.name.startswith("."))
    except OSError:
        return []


def _json_files(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(e.path) for e in entries if e.name.lower().endswith(".json") and e.is_file())
    except OSError:
        return []
