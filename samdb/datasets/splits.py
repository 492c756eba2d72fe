"""Which split a folder or a label file belongs to, told from its name."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: the split of images for which no name tells one
NO_SPLIT = "all"

_ORDER = {"train": 0, "val": 1, "test": 2}
_FOLDER = re.compile(r"^(train|val|test)(?:id|idation|ing)?(?:[-_]?(?:dev)?\d{4})?$")
_FILE = re.compile(r"(?:^|[-_./])(train|val|test)(?:id|idation|ing)?(?:[-_]?(?:dev)?\d{4})?(?=$|[-_./])")


def split_of_folder(parts: Iterable[str]) -> str | None:
    """The split that a path's folders name (`train`, `val2017`, `valid`, ...): train, val, test or None.

    The first folder that names one decides.
    """
    for part in parts:
        match = _FOLDER.match(part.lower())
        if match:
            return match.group(1)
    return None


def split_of_file(stem: str) -> str | None:
    """The split in the name of a label file, such as `instances_val2017` or `det_train`, or None."""
    match = _FILE.search(stem.lower())
    return match.group(1) if match else None


def split_order(split: str) -> tuple[int, str]:
    """A key that sorts train, val, test, then all other splits by name."""
    return (_ORDER.get(split, len(_ORDER)), split)
