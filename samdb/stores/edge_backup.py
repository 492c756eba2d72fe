"""Backup and restore of an embedded store: its files, while nobody has them open."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from samdb.ports import Progress, VectorStore
from samdb.stores.backup import check_counts, swap
from samdb.stores.backup_files import Manifest, SavedFile, backup_errors, check_file, copy_hashed, remove
from samdb.stores.edge_folder import LOCK_NAME

_DATA = "store"


def save_files(store: Path, folder: Path, progress: Progress) -> Sequence[SavedFile]:
    """Copy a store's files into a backup; their engine must be closed, their lock held."""
    names = sorted(f.relative_to(store).as_posix() for f in store.rglob("*") if f.is_file())
    names = [name for name in names if name != LOCK_NAME]
    saved = []
    for done, name in enumerate(names, 1):
        with backup_errors(folder):
            found = copy_hashed(store / name, folder / _DATA / name)
        saved.append(SavedFile(f"{_DATA}/{name}", found.n_bytes, found.sha256))
        progress("save files", done, len(names))
    _sync(folder)
    return saved


def restore_files(
    store: Path,
    folder: Path,
    manifest: Manifest,
    open_store: Callable[[Path], VectorStore],
    progress: Progress,
) -> None:
    """Put a backup's files in a store's place, once they are all copied, checked and opened beside it."""
    fresh = store.absolute().with_name(store.name + ".restoring")
    remove(fresh)
    try:
        fresh.mkdir(parents=True)
        for done, saved in enumerate(manifest.files, 1):
            target = fresh / Path(saved.path).relative_to(_DATA)
            with backup_errors(folder):
                found = copy_hashed(folder / saved.path, target)
            check_file(folder, saved, found)
            progress("restore files", done, len(manifest.files))
        for name in manifest.collections:  # the engine wants its folders, also the empty ones
            (fresh / name).mkdir(exist_ok=True)
        (fresh / LOCK_NAME).touch()
        opened = open_store(fresh)
        try:
            check_counts(opened, manifest)
        finally:
            opened.close()
        _sync(fresh)
        swap(fresh, store.absolute())
    except BaseException:
        remove(fresh)
        raise


def _sync(folder: Path) -> None:
    """Make what was written survive a power loss."""
    for path in [folder, *folder.rglob("*")]:
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
