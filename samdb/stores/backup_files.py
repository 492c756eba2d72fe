"""A backup's folder: manifest.json, and the files that it names with their sizes and SHA-256."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, Literal

from samdb.core.points import CollectionSpec
from samdb.core.tuning import tuning_of
from samdb.errors import StoreError
from samdb.ports import Progress

MANIFEST: Final = "manifest.json"
_FORMAT: Final = 1
_BLOCK = 1 << 20
# what file systems keep at least
_PAGE = 4096
_ZEROS = bytes(_PAGE)

BackupKind = Literal["embedded", "server"]


@dataclass(frozen=True, slots=True)
class SavedFile:
    """One file of a backup; `path` is relative to the backup, with slashes."""

    path: str
    n_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class SavedCollection:
    """A collection as it was: its layout, and how many points it had."""

    spec: CollectionSpec
    n_points: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. `kind` says what made it, and so what can restore it; `created` is UTC."""

    kind: BackupKind
    samdb: str
    model: str | None
    created: str
    collections: Mapping[str, SavedCollection]
    files: Sequence[SavedFile]

    @property
    def n_points(self) -> int:
        """The points of all collections."""
        return sum(c.n_points for c in self.collections.values())

    @property
    def n_bytes(self) -> int:
        """The length of all files."""
        return sum(f.n_bytes for f in self.files)

    def write(self, folder: Path) -> None:
        """Write it into the backup."""
        text = json.dumps({"format": _FORMAT, **asdict(self)}, indent=1) + "\n"
        (folder / MANIFEST).write_text(text, encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a backup. Raises StoreError when there is none, or none that this samdb can read."""
    file = folder / MANIFEST
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
        if raw["format"] != _FORMAT:
            raise StoreError(f"{file} was written by samdb {raw['samdb']}: restore it with that version")
        files = [SavedFile(f["path"], int(f["n_bytes"]), f["sha256"]) for f in raw["files"]]
        for saved in files:
            if ".." in PurePosixPath(saved.path).parts or PurePosixPath(saved.path).is_absolute():
                raise ValueError(f"the path {saved.path!r} leads out of the backup")
        collections = {
            n: SavedCollection(_spec(c["spec"]), c["n_points"]) for n, c in raw["collections"].items()
        }
        return Manifest(raw["kind"], raw["samdb"], raw["model"], raw["created"], collections, files)
    except FileNotFoundError as exc:
        raise StoreError(
            f"{folder} is no backup: it has no {MANIFEST}; give what `samdb store backup` wrote"
        ) from exc
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise StoreError(f"cannot read {file}: {exc}; nothing was changed, restore another backup") from exc


def copy_hashed(source: Path, target: Path) -> SavedFile:
    """Copy a file, block by block, and tell its size and hash; holes stay holes.

    The engine's files are mostly holes: written out they would take several times the space.
    """
    digest, size = hashlib.sha256(), 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as read, target.open("wb") as write:
        while block := read.read(_BLOCK):
            digest.update(block)
            size += len(block)
            _write_sparse(write, block)
        write.truncate(size)
    return SavedFile(target.name, size, digest.hexdigest())


def _write_sparse(write: BinaryIO, block: bytes) -> None:
    if block.count(0) == len(block):
        write.seek(len(block), os.SEEK_CUR)
        return
    for start in range(0, len(block), _PAGE):
        page = block[start : start + _PAGE]
        if page == _ZEROS:
            write.seek(_PAGE, os.SEEK_CUR)
        else:
            write.write(page)


def check_files(folder: Path, files: Sequence[SavedFile], progress: Progress) -> None:
    """Raise StoreError, naming the first file that is not as it was written."""
    for done, saved in enumerate(files, 1):
        digest, size = hashlib.sha256(), 0
        with backup_errors(folder), (folder / saved.path).open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
                size += len(block)
        check_file(folder, saved, SavedFile(saved.path, size, digest.hexdigest()))
        progress("check files", done, len(files))


def check_file(folder: Path, saved: SavedFile, found: SavedFile) -> None:
    """Raise StoreError when a file is not what the manifest says."""
    if (found.n_bytes, found.sha256) != (saved.n_bytes, saved.sha256):
        what = (
            f"{found.n_bytes:,} bytes, not {saved.n_bytes:,}"
            if found.n_bytes != saved.n_bytes
            else "its SHA-256"
        )
        raise StoreError(
            f"{folder / saved.path} is damaged ({what}): nothing was changed, restore another backup"
        )


@contextmanager
def backup_errors(folder: Path) -> Iterator[None]:
    """Say of what the system refuses that it was about this folder."""
    try:
        yield
    except OSError as exc:
        raise StoreError(
            f"cannot use {exc.filename or folder}: {exc.strerror or exc}; nothing was changed"
        ) from exc


def remove(folder: Path) -> None:
    """Remove a folder if it is there."""
    if folder.exists():
        shutil.rmtree(folder)


def _spec(raw: Mapping[str, object]) -> CollectionSpec:
    vectors, indexes, tuning = raw["vectors"], raw["indexes"], raw["tuning"]
    assert isinstance(vectors, dict)
    assert isinstance(indexes, dict)
    assert isinstance(tuning, dict)
    return CollectionSpec(str(raw["name"]), vectors, indexes, bool(raw["quantized"]), tuning_of(tuning))
