"""The embedded store's folder: one sub-folder and one spec file per collection, and a lock.

samdb_data/samdb.lock        held while the store is open; names the process
samdb_data/segments.json     the collection's spec; the collection exists once this does
samdb_data/segments/         the engine's files
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from samdb.core.points import CollectionSpec
from samdb.core.tuning import tuning_of
from samdb.errors import StoreError, StoreInUseError
from samdb.stores.checks import check_name
from samdb.stores.edge_errors import in_use_message

LOCK_NAME = "samdb.lock"
# the engine writes through memory maps, where a full disk kills the process (SIGBUS, seen on a 160 MB disk):
# stop well before that
MIN_FREE_BYTES = 64 * 2**20


class StoreFolder:
    """Opens, lists and changes the folder of one embedded store; knows nothing of the engine."""

    def __init__(self, path: Path) -> None:
        """Open the folder; it is created by the first collection.

        Raises StoreInUseError when another store object or process holds it, StoreError when it cannot be
        a store.
        """
        self.path = path
        self._lock_fd: int | None = None
        if path.exists():
            self._check_is_store()
            self._acquire()

    def ensure(self) -> None:
        """Create the folder and take its lock, unless that is done."""
        if self._lock_fd is None:
            with _os_errors(self.path):
                self.path.mkdir(parents=True, exist_ok=True)
            self._acquire()

    def names(self) -> list[str]:
        """The collections that exist, sorted."""
        return sorted(f.stem for f in self.path.glob("*.json"))

    def shard_path(self, name: str) -> Path:
        """Where the engine keeps a collection."""
        return self.path / name

    def read_spec(self, name: str) -> CollectionSpec | None:
        """The spec of a collection, or None when it does not exist."""
        try:
            raw = json.loads((self.path / f"{name}.json").read_text(encoding="utf-8"))
            tuning = tuning_of(raw.get("tuning", {}))
            return CollectionSpec(raw["name"], raw["vectors"], raw["indexes"], raw["quantized"], tuning)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, OSError) as exc:
            raise StoreError(
                f"cannot read {self.path / f'{name}.json'}: {exc}; restore the store from a backup"
            ) from exc

    def write_spec(self, spec: CollectionSpec) -> None:
        """Write a spec so that after a crash either the old or the new one is there, whole."""
        check_name(spec.name)
        target, fresh = self.path / f"{spec.name}.json", self.path / f"{spec.name}.json.new"
        with _os_errors(self.path):
            with fresh.open("w", encoding="utf-8") as file:
                json.dump(asdict(spec), file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(target)
            self._sync()

    def clear(self, name: str) -> None:
        """Remove a collection, its spec first, so that a crash leaves it gone or whole."""
        check_name(name)
        with _os_errors(self.path):
            (self.path / f"{name}.json").unlink(missing_ok=True)
            self._sync()
            if self.shard_path(name).exists():
                shutil.rmtree(self.shard_path(name))

    def disk_bytes(self, name: str) -> int:
        """What a collection takes on the disk; the engine's files are sparse, their lengths say more."""
        total = 0
        for folder, _, files in os.walk(self.shard_path(name)):
            for file in files:
                try:
                    stat = os.stat(os.path.join(folder, file))
                except FileNotFoundError:  # the engine removes files while we look
                    continue
                # Windows tells no blocks
                total += stat.st_blocks * 512 if hasattr(stat, "st_blocks") else stat.st_size
        return total

    def check_space(self, extra_bytes: int = 0) -> None:
        """Raise StoreError when the disk is nearly full, or will be with so many bytes more."""
        with _os_errors(self.path):
            free = shutil.disk_usage(self.path).free
        if free < MIN_FREE_BYTES + extra_bytes:
            raise StoreError(
                f"the disk that holds {self.path} is full ({free / 2**20:.0f} MiB left): free some space and "
                "run the command again, what is stored is safe"
            )

    def release(self) -> None:
        """Let go of the lock."""
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def _check_is_store(self) -> None:
        if not self.path.is_dir():
            raise StoreError(
                f"--store {self.path} is a file: give a folder, or http://host:6333 for a server"
            )
        with _os_errors(self.path):
            entries = sorted(p.name for p in self.path.iterdir())
        if entries and LOCK_NAME not in entries:
            raise StoreError(
                f"{self.path} is not a samdb store, it holds {', '.join(entries[:3])}: "
                "choose another --store folder"
            )

    def _acquire(self) -> None:
        with _os_errors(self.path):
            fd = os.open(self.path / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            _lock(fd)
        except BlockingIOError as exc:
            holder = os.read(fd, 32).decode("ascii", "replace").strip()
            os.close(fd)
            pid = int(holder) if holder.isdigit() else None
            raise StoreInUseError(in_use_message(str(self.path), pid)) from exc
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()}\n".encode())
        self._lock_fd = fd

    def _sync(self) -> None:
        fd = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _lock(fd: int) -> None:
    """Take the file's lock or raise BlockingIOError; the system lets go of it when the process dies."""
    try:
        import fcntl
    except ImportError:  # Windows: the engine's own lock has to do
        return
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def _os_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise StoreError(f"cannot use the store folder {path}: {exc.strerror or exc}") from exc
