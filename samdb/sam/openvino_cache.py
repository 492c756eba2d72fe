"""Exported encoders kept on disk, beside the weights they came from.

An export is a folder `openvino/<model>-<key>/` with OpenVINO's `encoder.xml` and `encoder.bin` and a note of
what they were made of and how they must look. It appears whole, by a rename, or not at all; what does not
look as noted is made anew. A lock file keeps two processes from exporting the same at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from samdb.sam.download import sha256_of
from samdb.sam.file_lock import only_process

MODEL_FILE = "encoder.xml"
_FILES = (MODEL_FILE, "encoder.bin")
_NOTE = "made_of.json"
_FOLDER = "openvino"
_UNFINISHED = ".unfinished-"


@dataclass(frozen=True, slots=True)
class ExportKey:
    """What an export depends on; any other value of any field is another export."""

    model: str
    weights_sha256: str
    format: int
    openvino_version: str
    torch_version: str

    @property
    def folder_name(self) -> str:
        """The export's folder; exports of one model begin alike."""
        text = json.dumps(asdict(self), sort_keys=True)
        return f"{self.model}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def find_export(key: ExportKey, parent: Path) -> Path | None:
    """The model file of the export below `parent`, None unless it is there whole."""
    folder = parent / _FOLDER / key.folder_name
    return folder / MODEL_FILE if _is_whole(key, folder) else None


def keep_export(key: ExportKey, parent: Path, save: Callable[[Path], None]) -> Path:
    """The model file of the export below `parent`: another process's if it came first, else saved now.

    `save` is given the path of the model file to write. Exports of the same model with another key are
    removed.

    Raises OSError where nothing can be written, and what `save` raises; neither leaves anything behind.
    """
    root = parent / _FOLDER
    root.mkdir(parents=True, exist_ok=True)
    folder = root / key.folder_name
    with only_process(root / f".{key.model}.lock"):
        if _is_whole(key, folder):
            return folder / MODEL_FILE
        _remove_others(root, key)
        unfinished = root / f"{_UNFINISHED}{key.folder_name}"
        unfinished.mkdir()
        try:
            save(unfinished / MODEL_FILE)
            (unfinished / _NOTE).write_text(json.dumps(_note(key, unfinished)), encoding="utf-8")
            os.rename(unfinished, folder)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    return folder / MODEL_FILE


def _remove_others(root: Path, key: ExportKey) -> None:
    """Take away the model's older exports, the damaged one that is to be replaced, and what a killed process
    left unfinished. What another process holds open stays (Windows) until the next time.
    """
    for folder in root.iterdir():
        if folder.name.startswith((f"{key.model}-", f"{_UNFINISHED}{key.model}-")):
            shutil.rmtree(folder, ignore_errors=folder.name != key.folder_name)


def _is_whole(key: ExportKey, folder: Path) -> bool:
    """Whether the folder holds the export as its note says. The files are hashed only when they were touched
    after it was written, so that gigabytes are not read at every start.
    """
    try:
        note = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
        if note["key"] != asdict(key):
            return False
        for name in _FILES:
            noted, stat = note["files"][name], (folder / name).stat()
            if stat.st_size != noted["size"]:
                return False
            if stat.st_mtime_ns != noted["mtime_ns"] and sha256_of(folder / name) != noted["sha256"]:
                return False
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return True


def _note(key: ExportKey, folder: Path) -> dict[str, object]:
    files = {}
    for name in _FILES:
        stat = (folder / name).stat()
        files[name] = {
            "size": stat.st_size,
            "mtime_ns": stat.st_mtime_ns,
            "sha256": sha256_of(folder / name),
        }
    return {"key": asdict(key), "files": files}
