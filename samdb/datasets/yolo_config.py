"""The `data.yaml` of a YOLO dataset (Ultralytics): where each split's images are, and the class names."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from samdb.datasets.json_file import Json, as_list, as_object, as_text
from samdb.errors import DatasetError

SPLITS = ("train", "val", "test")
# a list of names is a few kB; a file of megabytes is no configuration
_MAX_BYTES = 4 << 20
_CLASS_FILES = ("classes.txt", "obj.names", "labels/classes.txt", "predefined_classes.txt")


@dataclass(frozen=True, slots=True)
class YoloConfig:
    """What a `data.yaml` says.

    `base` is the folder that relative paths start from; `entries` are, per split, folders of images and
    `.txt` lists of images; `names` maps a class index to its name. With `has_keypoints` a line is a box, then
    keypoints.
    """

    base: Path
    entries: Mapping[str, Sequence[str]]
    names: Mapping[int, str]
    has_keypoints: bool = False
    notices: tuple[str, ...] = ()

    def place(self, entry: str) -> Path:
        """Where an entry is, whether or not it exists."""
        path = Path(os.path.abspath(self.base / os.path.expanduser(entry)))
        if not path.exists() and entry.startswith("../"):
            # exports of Roboflow write `../train/images` and mean `train/images`, as Ultralytics knows
            inside = self.base / entry.removeprefix("../")
            return inside if inside.exists() else path
        return path


def find_config(folder: Path) -> Path | None:
    """The dataset's YAML file directly in a folder: `data.yaml`, else another one that names classes."""
    found = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")], key=lambda p: (p.stem != "data", p.name))
    return next((p for p in found[:16] if is_config(p)), None)


def is_config(path: Path) -> bool:
    """Whether a file looks like a dataset's YAML: it names classes, and images or their number."""
    if path.suffix.lower() not in (".yaml", ".yml"):
        return False
    try:
        with path.open("rb") as file:
            head = file.read(1 << 16).decode("utf-8", "replace")
    except OSError:
        return False
    keys = {line.split(":", 1)[0].strip() for line in head.splitlines() if ":" in line and line[:1].strip()}
    return "names" in keys and bool(keys & {"train", "val", "test", "nc", "path"})


def read_config(path: Path) -> YoloConfig:
    """Read a `data.yaml`. Raises DatasetError when it cannot be read or has no usable names."""
    content = as_object(_read_yaml(path))
    if not content:
        raise DatasetError(f"{path}: is no list of keys; a YOLO data.yaml has `train`, `val` and `names`")
    names, notices = _names(content, path.name)
    base = path.parent
    stated = as_text(content.get("path"))
    if stated is not None:
        there = Path(os.path.abspath(path.parent / os.path.expanduser(stated)))
        if there.is_dir():
            base = there
        elif stated not in (".", "./"):
            notices.append(f"{path.name}: there is no folder {stated} (`path`); its own folder is used")
    entries = {split: _entries(content.get(split)) for split in SPLITS}
    return YoloConfig(
        base=base,
        entries={split: found for split, found in entries.items() if found},
        names=names,
        has_keypoints=content.get("kpt_shape") is not None,
        notices=tuple(notices),
    )


def names_beside(root: Path) -> dict[int, str]:
    """The class names in a `classes.txt` or `obj.names`, a line each; none where there is no such file."""
    for name in _CLASS_FILES:
        try:
            lines = (root / name).read_text(encoding="utf-8-sig", errors="replace").splitlines()
        except OSError:
            continue
        return {i: line.strip() for i, line in enumerate(lines) if line.strip()}
    return {}


def _read_yaml(path: Path) -> Json:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DatasetError(f"{path}: is too large ({path.stat().st_size:,} bytes) to be a data.yaml")
        content: Json = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except OSError as exc:
        raise DatasetError(
            f"{path}: cannot be read ({exc.strerror or exc}); check the file and its permissions"
        ) from exc
    except UnicodeDecodeError as exc:
        raise DatasetError(f"{path}: is not text in UTF-8; export it again") from exc
    except (yaml.YAMLError, RecursionError, ValueError) as exc:
        raise DatasetError(f"{path}: is broken YAML ({str(exc).splitlines()[0]}); export it again") from exc
    return content


def _names(content: dict[str, Json], file: str) -> tuple[dict[int, str], list[str]]:
    raw = content.get("names")
    pairs: list[tuple[object, Json]] = list(raw.items() if isinstance(raw, dict) else enumerate(as_list(raw)))
    names: dict[int, str] = {}
    for key, value in pairs:
        index = _index(key)
        if index is None or isinstance(value, (list, dict)) or value is None or not str(value).strip():
            raise DatasetError(f"{file}: the class {key!r:.40}: {value!r:.40} is not an index with a name")
        names[index] = str(value).strip()
    if not names:
        raise DatasetError(f"{file}: `names` is {raw!r:.60}; it needs a list of class names")
    count = content.get("nc")
    if isinstance(count, int) and count != len(names):
        return names, [f"{file}: `nc` is {count}, but {len(names)} classes are named; the names count"]
    return names, []


def _index(key: object) -> int | None:
    if isinstance(key, bool):
        return None
    text = str(key).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _entries(raw: Json) -> list[str]:
    items = raw if isinstance(raw, list) else [raw]
    return [text for item in items if (text := as_text(item))]
