"""`samdb store backup` and `restore`: a store's own files or snapshots in a folder, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol, runtime_checkable

from samdb._version import __version__
from samdb.core.points import CollectionSpec
from samdb.errors import ConfigError, StoreError
from samdb.ports import Progress, VectorStore, silent
from samdb.stores.backup_files import (
    MANIFEST,
    BackupKind,
    Manifest,
    SavedCollection,
    SavedFile,
    backup_errors,
    read_manifest,
    remove,
)
from samdb.stores.migrate import stored_params


@runtime_checkable
class KeepsFiles(Protocol):
    """What a store that can be backed up has besides."""

    @property
    def backup_kind(self) -> BackupKind:
        """Which backups it can restore."""

    def spec(self, name: str) -> CollectionSpec:
        """How a collection is laid out."""

    def check_saveable(self) -> None:
        """Raise StoreError when a part of the store cannot be had now."""

    def save_files(self, folder: Path, on_progress: Progress) -> Sequence[SavedFile]:
        """Write all collections into an empty folder. Nothing may write to the store meanwhile."""

    def restore_files(self, folder: Path, manifest: Manifest, on_progress: Progress) -> None:
        """Become what a backup holds, or raise and stay as it was. The store must be opened anew."""


def backup_store(
    store: VectorStore, folder: Path, *, force: bool = False, on_progress: Progress = silent
) -> Manifest:
    """Save the whole store in `folder`, which appears when the backup is whole; gives what was saved.

    With `force` an older backup there is replaced. Nothing may write to a server meanwhile.

    Raises StoreError when the folder exists, the store is empty, or its counts change on the way.
    """
    keeper = _keeper(store)
    folder = folder.expanduser().absolute()
    _check_target(store, folder, force)
    keeper.check_saveable()
    counts = {name: store.count(name) for name in store.collections()}
    if not counts:
        raise StoreError(f"the store at {store.address} is empty: there is nothing to back up")
    held = stored_params(store)
    collections = {name: SavedCollection(keeper.spec(name), n) for name, n in counts.items()}
    partial = folder.with_name(folder.name + ".partial")
    with backup_errors(folder):
        remove(partial)
        partial.mkdir(parents=True)
        try:
            files = keeper.save_files(partial, on_progress)
            for name, n in counts.items():
                if store.count(name) != n:
                    raise StoreError(
                        f"{name!r} went from {n:,} to {store.count(name):,} points during the backup: stop "
                        "what writes to the store and run it again"
                    )
            created = datetime.now(timezone.utc).isoformat(timespec="seconds")
            model = held.model if held else None
            manifest = Manifest(keeper.backup_kind, __version__, model, created, collections, files)
            manifest.write(partial)
            swap(partial, folder)
        except BaseException:
            remove(partial)
            raise
    return manifest


def restore_store(
    open_target: Callable[[], VectorStore],
    folder: Path,
    *,
    force: bool = False,
    on_progress: Progress = silent,
) -> Manifest:
    """Make the store what the backup in `folder` holds; gives what was restored.

    Every file is checked before anything is replaced, and the counts are compared at the end. With `force`
    what the store holds is replaced, else only an empty one is filled.

    Raises StoreError when a file is damaged (it is named), or the store holds something.
    """
    folder = folder.expanduser().absolute()
    manifest = read_manifest(folder)
    store = open_target()
    try:
        keeper = _keeper(store)
        if keeper.backup_kind != manifest.kind:
            other = "a folder" if manifest.kind == "embedded" else "a server"
            raise ConfigError(
                f"{folder} is the backup of {other}: restore it into {other}, then `samdb store copy` "
                f"that to {store.address}"
            )
        if store.collections() and not force:
            raise StoreError(
                f"the store at {store.address} is not empty: give another --store, or --force to "
                "replace what it holds"
            )
        with backup_errors(folder):
            keeper.restore_files(folder, manifest, on_progress)
    finally:
        store.close()
    return manifest


def swap(fresh: Path, place: Path) -> None:
    """Put a folder in a place; what was there is back if that fails."""
    old = place.with_name(f".{place.name}.replaced")
    if place.exists():  # else the old one may be all that there is
        remove(old)
        place.rename(old)
    try:
        fresh.rename(place)
    except BaseException:
        if old.exists():
            old.rename(place)
        raise
    remove(old)


def check_counts(store: VectorStore, manifest: Manifest) -> None:
    """Raise StoreError unless a store has as many points as were saved."""
    for name, saved in manifest.collections.items():
        n = store.count(name)
        if n != saved.n_points:
            raise StoreError(
                f"{name!r} came back with {n:,} points, not {saved.n_points:,}: restore another backup"
            )


def _keeper(store: VectorStore) -> KeepsFiles:
    if not isinstance(store, KeepsFiles):
        raise ConfigError(f"{store.address} has no files: give a folder or a server with --store")
    return store


def _check_target(store: VectorStore, folder: Path, force: bool) -> None:
    if Path(store.address).absolute() in (folder, *folder.parents):
        raise ConfigError(f"{folder} lies in the store itself: choose another place for the backup")
    if not folder.exists():
        return
    if not force:
        raise StoreError(f"{folder} exists: choose another place, or give --force to replace an older backup")
    if not (folder / MANIFEST).is_file():
        raise StoreError(f"{folder} is no backup, so that --force does not replace it: choose another place")
