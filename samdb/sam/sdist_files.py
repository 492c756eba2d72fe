"""Chosen files out of a source archive: plain files only, to places samdb names, running none of it."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from samdb.errors import FetchError

#: an archive whose chosen files are larger than this is not one we know
_MAX_BYTES = 1 << 30


def take_member(archive: Path, member: str, dest: Path) -> Path:
    """Write the one file `member` (its path below the archive's top folder) to `dest`. Raises FetchError."""
    wanted = PurePosixPath(member)
    with _opened(archive) as tar:
        for inside, _, file in _files(tar):
            if inside == wanted:
                with dest.open("wb") as out:
                    shutil.copyfileobj(file, out, 1 << 20)
                return dest
    raise FetchError(f"{archive.name} holds no file {member}")


def take_folder(archive: Path, folder: str, dest: Path) -> list[Path]:
    """Write all files below `folder` (a path below the archive's top folder) into `dest`; what was written.

    Links, devices and names that lead out of the folder are left out. Raises FetchError when there is
    nothing to write.
    """
    top, total = PurePosixPath(folder), 0
    written: list[Path] = []
    with _opened(archive) as tar:
        for inside, size, file in _files(tar):
            if not inside.is_relative_to(top):
                continue
            total += size
            if total > _MAX_BYTES:
                raise FetchError(
                    f"{archive.name} holds more in {folder} than it should; nothing of it was used"
                )
            target = dest.joinpath(*inside.relative_to(top).parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                shutil.copyfileobj(file, out, 1 << 20)
            written.append(target)
    if not written:
        raise FetchError(f"{archive.name} holds no folder {folder}")
    return written


def _files(tar: tarfile.TarFile) -> Iterator[tuple[PurePosixPath, int, IO[bytes]]]:
    """The regular files of the archive with safe names: path below the top folder, size, contents."""
    for entry in tar:
        path = PurePosixPath(entry.name)
        unsafe = path.is_absolute() or ".." in path.parts or "\\" in entry.name or ":" in entry.name
        if unsafe or not entry.isreg() or len(path.parts) < 2:
            continue
        file = tar.extractfile(entry)
        if file is not None:
            yield PurePosixPath(*path.parts[1:]), entry.size, file


@contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile]:
    """The archive open for reading; damage met while it is read becomes a FetchError."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            yield tar
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as exc:
        raise FetchError(f"{archive.name} is not a source archive that can be read") from exc
