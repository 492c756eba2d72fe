"""The classes of an ImageNet-style dataset: WordNet ids, their names, and the numbers in ImageNet-S masks."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from samdb.datasets.json_file import as_list, as_object, read_json
from samdb.errors import DatasetError

WNID = re.compile(r"^n\d{8}$")
#: the lists of synsets that ImageNet and its mirrors ship, the most common first
_WORD_FILES = ("LOC_synset_mapping.txt", "synset_words.txt", "words.txt", "map_clsloc.txt", "wnids_words.txt")
_INDEX_FILE = "imagenet_class_index.json"
# `words.txt` of all WordNet is 2.6 MB
_MAX_BYTES = 16 << 20
#: how many classes the three ImageNet-S datasets have
_IMAGENET_S = frozenset({50, 300, 919})


def class_names(root: Path, folders: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The names of class folders, and what is odd about the list they come from.

    A folder that is no WordNet id is its own name. An id is called by its first synonym in the list beside
    the dataset; two ids with the same one (crane, the bird and the machine) keep their ids beside it. Without
    a list an id is its own name.
    """
    words, notices = _words(root)
    first = {f: words.get(f, f).split(",")[0].strip() or f for f in folders}
    count = Counter(first.values())
    names = {f: name if count[name] == 1 else f"{name} ({f})" for f, name in first.items()}
    ids = [f for f in folders if WNID.match(f)]
    if ids and not words:
        notices.append(
            f"no list of names ({', '.join(_WORD_FILES[:3])}): classes are called by their WordNet ids"
        )
    elif missing := [f for f in ids if f not in words]:
        notices.append(
            f"{len(missing):,} classes are not in the list of names (the first is {min(missing)}); they are "
            "called by their WordNet ids"
        )
    return names, tuple(notices)


def mask_classes(root: Path, folders: Mapping[str, Sequence[str]]) -> dict[int, str]:
    """The class of each number in ImageNet-S masks: the sorted WordNet ids, counted from 1.

    They come from `ImageNetS_categories_im*.txt` beside the dataset, else from the class folders of a split
    (`folders`: split -> class folders) that has as many as ImageNet-S 50, 300 or 919. Empty when neither is
    there: then a mask of one class has the class of its folder.

    Source: README of LUSSeg/ImageNet-S.
    """
    listed = sorted(root.glob("ImageNetS_categories_im*.txt"))
    for path in listed:
        try:
            ids = sorted(w for w in path.read_text("utf-8-sig").split() if WNID.match(w))
        except (OSError, UnicodeDecodeError):
            continue
        if ids and (len(listed) == 1 or str(len(ids)) in root.name):
            return dict(enumerate(ids, 1))
    for found in folders.values():
        ids = sorted({f for f in found if WNID.match(f)})
        if len(ids) in _IMAGENET_S:
            return dict(enumerate(ids, 1))
    return {}


def solution_classes(root: Path) -> dict[str, str]:
    """The class of each image in `LOC_val_solution.csv`, by its key: for a `val` without class folders."""
    try:
        with (root / "LOC_val_solution.csv").open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if len(row) == 2 and row[1].split()]
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}
    return {row[0]: wnid for row in rows if WNID.match(wnid := row[1].split()[0])}


def _words(root: Path) -> tuple[dict[str, str], list[str]]:
    notices: list[str] = []
    for name in _WORD_FILES:
        path = root / name
        try:
            if path.stat().st_size > _MAX_BYTES:
                notices.append(f"{name}: is too large to be a list of names; not used")
                continue
            lines = path.read_text("utf-8-sig").splitlines()
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as exc:
            notices.append(f"{name}: cannot be read ({exc}); not used")
            continue
        found = {w[0]: _name(w) for line in lines if len(w := line.split(None, 1)) == 2 and WNID.match(w[0])}
        if found:
            return found, notices
    try:
        content = as_object(read_json(root / _INDEX_FILE)) if (root / _INDEX_FILE).is_file() else {}
    except DatasetError as exc:
        notices.append(f"{exc}; not used")
        content = {}
    pairs = [as_list(value) for value in content.values()]
    return {str(p[0]): str(p[1]).replace("_", " ") for p in pairs if len(p) == 2}, notices


def _name(words: list[str]) -> str:
    """The synonyms of a line; `map_clsloc.txt` has a number before its one name."""
    number, _, rest = words[1].partition(" ")
    return rest.replace("_", " ") if number.isdigit() and rest else words[1]
